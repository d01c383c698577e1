// Asking once: over UDP with up to three tries, over TCP and DoT on a connection of its own,
// over HTTPS and QUIC on a link of its own.
#include "transports/upstreams/ask_once.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/address.h"
#include "certs/identity.h"
#include "dns/match.h"
#include "dns/message.h"
#include "transports/framing.h"
#include "transports/upstreams/connection.h"
#include "transports/upstreams/doq_codec.h"
#include "transports/upstreams/http3_codec.h"
#include "transports/upstreams/https.h"
#include "transports/upstreams/quic_link.h"
#include "transports/upstreams/udp_socket.h"

namespace transports {

namespace {

using Answered = base::Result<Reported>;

std::unexpected<base::Error> failed(Reason reason, const conf::Upstream& upstream,
                                    std::string_view detail) {
  return std::unexpected(make_failure(reason, upstream.url, detail).error);
}

/// The reply must be to this: id and, as far as the query has a readable one, the question.
class Wanted {
 public:
  explicit Wanted(base::Bytes query)
      : walk_(query), id_(query.size() < 2 ? 0 : base::load_u16(query.data())) {}

  [[nodiscard]] bool is_met_by(base::Bytes reply) const {
    if (reply.size() < dns::header_size) return false;
    if (walk_.question_count() == 0) return base::load_u16(reply.data()) == id_;
    return dns::match_reply(reply, {id_, &walk_.question(), false}, true) != dns::Match::no;
  }

 private:
  dns::MessageWalk walk_;
  std::uint16_t id_;
};

Awaitable<Answered> ask_over_udp(const conf::Upstream& upstream, base::Bytes query,
                                 base::TimePoint deadline, Executor executor) {
  std::expected<UdpSocket, std::error_code> socket = UdpSocket::open(executor, upstream.endpoint);
  if (!socket) co_return failed(Reason::refused, upstream, socket.error().message());
  const Wanted wanted(query);
  const base::TimePoint began = base::Clock::now();
  std::vector<std::uint8_t> datagram(dns::message_size_max);
  Reported report;
  for (unsigned tries = 1; tries <= 3; ++tries) {
    report.tries = tries;
    if (const std::error_code error = socket->send(query)) {
      co_return failed(Reason::refused, upstream, error.message());
    }
    // A quarter, a half, a quarter of the time.
    const base::TimePoint until = began + (deadline - began) *
                                              (tries == 1   ? 1
                                               : tries == 2 ? 3
                                                            : 4) /
                                              4;
    while (base::Clock::now() < until) {
      co_await socket->wait(until);
      for (;;) {
        const std::expected<std::size_t, std::error_code> size = socket->receive(datagram);
        if (!size && size.error().value() == EAGAIN) break;
        if (!size) co_return failed(Reason::refused, upstream, size.error().message());
        const base::Bytes reply = base::Bytes{datagram}.first(std::min(*size, datagram.size()));
        if (!wanted.is_met_by(reply)) {
          ++report.ignored;
          continue;
        }
        report.answer = base::Clock::now() - began;
        report.reply.assign(reply.begin(), reply.end());
        co_return report;
      }
    }
  }
  co_return failed(Reason::timeout, upstream, "no reply in time");
}

/// Names and addresses of the subject alternative name.
std::vector<std::string> alternative_names(const X509& certificate) {
  std::vector<std::string> names;
  const auto free_names = [](GENERAL_NAMES* all) { GENERAL_NAMES_free(all); };
  const std::unique_ptr<GENERAL_NAMES, decltype(free_names)> all(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)),
      free_names);
  for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    int kind = 0;
    const auto* value = static_cast<const ASN1_STRING*>(
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &kind));
    if (kind != GEN_DNS && kind != GEN_IPADD) continue;
    const base::Bytes octets{ASN1_STRING_get0_data(value),
                             static_cast<std::size_t>(ASN1_STRING_length(value))};
    std::array<std::uint8_t, 16> address{};
    if (kind == GEN_DNS) {
      names.emplace_back(base::as_text(octets));
    } else if (octets.size() == 4) {
      names.push_back(base::Address::v4({octets[0], octets[1], octets[2], octets[3]}).to_text());
    } else if (octets.size() == address.size()) {
      std::ranges::copy(octets, address.begin());
      names.push_back(base::Address::v6(address).to_text());
    }
  }
  return names;
}

std::string text_of(const X509_NAME* name) {
  const certs::BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) < 0)
    return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

TlsReport report_tls(const SSL& tls, bool verified) {
  const TlsFacts facts = facts_of(tls);
  TlsReport report;
  report.version = facts.version;
  report.cipher = facts.cipher;
  report.group = facts.group;
  report.alpn = facts.alpn;
  report.resumed = facts.resumed;
  report.verified = verified;
  X509* certificate = SSL_get0_peer_certificate(&tls);
  if (certificate == nullptr) return report;
  report.subject = text_of(X509_get_subject_name(certificate));
  report.issuer = text_of(X509_get_issuer_name(certificate));
  report.alternative_names = alternative_names(*certificate);
  report.not_after = certs::to_time(*X509_get0_notAfter(certificate));
  report.pin = certs::spki_pin(*certificate);
  return report;
}

Reported report_connection(const Connection& connection, const Reach& reach) {
  Reported report;
  report.connect = connection.connect_took();
  report.handshake = connection.handshake_took();
  report.protocol = reach.upstream.protocol;
  if (reach.tls) report.tls = report_tls(*connection.tls(), reach.verify);
  return report;
}

/// Sends the framed query and reads until its reply is there.
Awaitable<Answered> converse(Connection& connection, const conf::Upstream& upstream,
                             base::Bytes query, base::TimePoint deadline, Reported report) {
  std::vector<std::uint8_t> framed(2);
  base::store_u16(framed.data(), static_cast<std::uint16_t>(query.size()));
  framed.insert(framed.end(), query.begin(), query.end());
  const base::TimePoint began = base::Clock::now();
  base::Bytes left{framed};
  while (!left.empty()) {
    const ChannelResult written = connection.write(left);
    left = left.subspan(written.octets);
    if (written.status == ChannelStatus::failed || written.status == ChannelStatus::closed) {
      co_return failed(Reason::closed, upstream, connection.failure_text());
    }
    if (!left.empty()) co_await connection.writable(deadline);
    if (base::Clock::now() >= deadline)
      co_return failed(Reason::timeout, upstream, "no reply in time");
  }
  const Wanted wanted(query);
  FrameReader frames;
  std::vector<std::uint8_t> octets(dns::message_size_max);
  for (;;) {
    const ChannelResult read = connection.read(octets);
    frames.feed(base::Bytes{octets}.first(read.octets));
    while (const auto message = frames.next()) {
      if (wanted.is_met_by(*message)) {
        report.reply.assign(message->begin(), message->end());
        break;
      }
      ++report.ignored;
    }
    if (!report.reply.empty()) break;
    frames.keep();
    if (!frames.sound())
      co_return failed(Reason::malformed, upstream, "a message of an impossible length");
    if (read.status == ChannelStatus::closed)
      co_return failed(Reason::closed, upstream, "closed before the reply");
    if (read.status == ChannelStatus::failed)
      co_return failed(Reason::closed, upstream, connection.failure_text());
    if (read.status == ChannelStatus::ok) continue;
    if (base::Clock::now() >= deadline)
      co_return failed(Reason::timeout, upstream, "no reply in time");
    co_await connection.readable(deadline);
  }
  report.answer = base::Clock::now() - began;
  co_return report;
}

/// A context that verifies nothing: a pin that no key has needs no authorities, and is not asked.
conf::Upstream without_verification(conf::Upstream upstream) {
  upstream.pins = {std::string(43, 'A') + "="};
  upstream.ca_file.clear();
  return upstream;
}

Reported report_link(const StreamLink& link, const StreamTerms& terms) {
  return report_connection(link.connection(), terms.reach);
}

Reported report_link(const QuicLink& link, const QuicTerms& terms) {
  Reported report;
  report.handshake = link.opened_at() - link.dialed_at();
  report.protocol = terms.upstream.protocol;
  report.tls = report_tls(link.tls(), terms.verify);
  report.quic = link.facts();
  return report;
}

/// Over a link of its own, as an upstream asks.
template <class AnyLink, class Terms>
Awaitable<Answered> ask_over_link(std::shared_ptr<Terms> terms, base::Bytes query,
                                  base::TimePoint deadline) {
  const conf::Upstream& upstream = terms->upstream;
  if (query.size() > Waiting::query_max)
    co_return failed(Reason::ours, upstream, "the query is too long");
  const dns::MessageWalk walk(query);
  if (walk.question_count() != 1)
    co_return failed(Reason::ours, upstream, "the query has not one question");
  Ask ask;
  ask.question = walk.question();
  UnderWay under_way(terms->executor);
  const std::shared_ptr<AnyLink> link = AnyLink::dial(terms, under_way);
  Waiting waiting(terms->executor, ask, true);
  waiting.verbatim = query;
  link->send(waiting);
  while (!waiting.done() && base::Clock::now() < deadline)
    co_await sleep_until(waiting.woken, deadline);
  const base::TimePoint now = base::Clock::now();
  Answered answered = failed(Reason::timeout, upstream, "no reply in time");
  if (waiting.failure) {
    answered = std::unexpected(std::move(waiting.failure->error));
  } else if (waiting.done()) {
    Reported report = report_link(*link, *terms);
    report.reply = std::move(waiting.raw);
    report.http_status = waiting.http_status;
    report.answer = now - link->opened_at();
    answered = std::move(report);
  }
  link->close(LinkEnd::closing, link->fail(Reason::closing, "asked"));
  co_await under_way.none_left(base::TimePoint::max());
  co_return answered;
}

Awaitable<Answered> ask_over_stream(const conf::Upstream& upstream, base::Bytes query,
                                    base::TimePoint deadline, AskOptions options,
                                    UpstreamContext context) {
  Reach reach{upstream};
  reach.verify = options.verify;
  if (conf::row_of(upstream.protocol).encrypted) {
    std::expected<std::unique_ptr<certs::ClientContext>, std::string> made =
        certs::ClientContext::make(options.verify ? upstream : without_verification(upstream),
                                   context.authorities);
    if (!made) co_return failed(Reason::ours, upstream, made.error());
    reach.tls = std::move(*made);
  }
  if (conf::row_of(upstream.protocol).socket == conf::Socket::udp) {
    const auto make =
        upstream.protocol == conf::Protocol::doh3 ? &Http3Codec::terms : &DoqCodec::terms;
    std::shared_ptr<QuicTerms> terms = make(upstream, context, std::move(reach.tls));
    terms->verify = options.verify;
    co_return co_await ask_over_link<QuicLink>(std::move(terms), query, deadline);
  }
  if (upstream.protocol == conf::Protocol::doh) {
    auto terms = https_terms(upstream, context, {std::move(reach.tls), {}});
    terms->reach.verify = options.verify;
    co_return co_await ask_over_link<StreamLink>(std::move(terms), query, deadline);
  }
  Connection connection(context.executor, reach, context.receive_buffer);
  if (std::optional<Failure> failure = co_await connection.open(deadline)) {
    co_return std::unexpected(std::move(failure->error));
  }
  Reported report = report_connection(connection, reach);
  Answered answered = co_await converse(connection, upstream, query, deadline, std::move(report));
  connection.close();
  co_return answered;
}

bool is_truncated(base::Bytes reply) { return (base::load_u16(&reply[2]) & dns::flag::tc) != 0; }

}  // namespace

Awaitable<Answered> ask_once(conf::Upstream upstream, base::Bytes query, base::TimePoint deadline,
                             AskOptions options, UpstreamContext context) {
  if (query.size() > dns::message_size_max)
    co_return failed(Reason::ours, upstream, "the query is too long");
  if (upstream.protocol != conf::Protocol::udp) {
    co_return co_await ask_over_stream(upstream, query, deadline, options, context);
  }
  Answered answered = co_await ask_over_udp(upstream, query, deadline, context.executor);
  if (!answered || !options.follow_truncation || !is_truncated(answered->reply)) co_return answered;
  upstream.protocol = conf::Protocol::tcp;
  Answered full = co_await ask_over_stream(upstream, query, deadline, options, context);
  if (!full) co_return full;
  full->was_truncated = true;
  full->tries = answered->tries;
  full->ignored += answered->ignored;
  co_return full;
}

}  // namespace transports
