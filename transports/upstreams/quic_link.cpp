// QuicLink: one coroutine does everything for a connection; whoever has something for it wakes it.
#include "transports/upstreams/quic_link.h"

#include <openssl/rand.h>
#include <sys/socket.h>

#include <boost/asio/cancel_at.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "transports/listeners/sockets.h"
#include "transports/quic/connection_ids.h"

namespace transports {

namespace {

constexpr std::chrono::seconds idle_margin{2};  // ours ends first, with a goodbye

}  // namespace

QuicTerms::QuicTerms(const conf::Upstream& settings, const UpstreamContext& context,
                     std::shared_ptr<certs::ClientContext> client, quic::StreamLimits limits,
                     MakeCodec make)
    : LinkTerms(settings, context),
      streams(limits),
      qlogs(context.qlogs),
      make_codec(std::move(make)),
      tls(std::move(client)),
      datagrams(std::make_unique<quic::Datagrams>()) {
  quic::Connection::prepare_library();
  if (settings.early_data) tls->look_at_sessions(&quic::Connection::keep_terms);
}

LinkMaker QuicLink::maker(std::shared_ptr<QuicTerms> terms) {
  return {terms, [terms](UnderWay& under_way) { return dial(terms, under_way); }};
}

std::shared_ptr<QuicLink> QuicLink::dial(std::shared_ptr<QuicTerms> terms, UnderWay& under_way) {
  const Executor executor = terms->executor;
  auto link = std::make_shared<QuicLink>(std::move(terms));
  boost::asio::co_spawn(executor, run(link, UnderWay::Mark(under_way)), boost::asio::detached);
  return link;
}

QuicLink::QuicLink(std::shared_ptr<QuicTerms> terms)
    : Link(terms),
      quic_terms_(*terms),
      descriptor_(terms->executor),
      host_(terms->executor, terms->host),
      timer_(terms->executor),
      turn_(Turn::of(terms->executor.context())) {}

Awaitable<void> QuicLink::run(std::shared_ptr<QuicLink> self, UnderWay::Mark) {
  if (self->closed()) co_return;
  const base::TimePoint limit = self->dialed_at() + self->quic_terms_.upstream.timeout;
  const std::vector<base::Endpoint> places =
      co_await self->host_.places(self->quic_terms_.upstream, limit);
  if (self->closed()) co_return self->end();
  std::optional<Failure> failure;
  if (places.empty()) failure = self->fail(Reason::unknown_host, self->host_.ignorance());
  for (std::size_t left = places.size(); left > 0 && !self->closed(); --left) {
    std::size_t& first = self->quic_terms_.first_place;
    const std::size_t place = first % places.size();
    failure = co_await self->connect(places[place],
                                     (limit - base::Clock::now()) / static_cast<int>(left));
    if (!failure) break;
    // Others that dial at the same time may have found a better one.
    if (first % places.size() == place) first = place + 1;
  }
  if (self->closed()) co_return self->end();
  if (failure) {
    if (!places.empty()) self->host_.unreachable();
    self->dial_failed(std::move(*failure));
    co_return;
  }
  self->begin();
  while (!self->is_over()) co_await self->turn();
  self->end();
}

/// Until the handshake is done.
Awaitable<std::optional<Failure>> QuicLink::connect(const base::Endpoint& place,
                                                    base::Clock::duration patience) {
  ended_.reset();
  refused_ = false;
  verify_error_.clear();
  connection_.reset();
  question_codec_ = nullptr;
  boost::system::error_code ignored;
  if (descriptor_.is_open()) descriptor_.close(ignored);
  if (std::optional<Failure> failure = dial(place, patience)) co_return failure;
  let_leave();
  while (!handshake_done_ && !is_over()) co_await turn();
  if (handshake_done_) co_return std::nullopt;
  quic_terms_.tls->forget_sessions();  // if one of them was the reason, it must not be so again
  co_return dial_failure();
}

Awaitable<void> QuicLink::turn() {
  co_await wait();
  if (std::exchange(only_till_when_, false)) co_return;
  const Turn::Scope scope(turn_);
  take_datagrams();
  if (is_open()) close_if_idle();
  let_leave();
}

/// The handshake is done.
void QuicLink::begin() {
  if (is_over()) return;
  if (const auto theirs = connection_->peer_idle_timeout(); theirs.count() != 0) {
    set_idle_timeout(std::chrono::duration_cast<std::chrono::milliseconds>(theirs * 7 / 8));
  }
  facts_ = connection_->facts();
  opened(connection_->tls_facts().resumed);
  let_leave();
}

std::optional<Failure> QuicLink::dial(const base::Endpoint& peer, base::Clock::duration patience) {
  quic::Path path;
  sockaddr_storage address{};
  path.remote_size = peer.to_sockaddr(address);
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&address), sizeof path.remote,
              reinterpret_cast<std::uint8_t*>(&path.remote));
  const int made = ::socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0) return fail(Reason::ours, std::generic_category().message(errno));
  boost::system::error_code full;  // epoll(7) takes no more
  descriptor_.assign(made, full);
  if (full) {
    ::close(made);
    return fail(Reason::ours, full.message());
  }
  quic::Datagrams::prepare(made, !peer.address.is_v4());
  // The port is the kernel's random choice; nobody but the peer is heard.
  if (::connect(made, &path.remote.sa, path.remote_size) != 0)
    return fail(Reason::refused, std::generic_category().message(errno));
  local_ = local_endpoint_of(made);
  path.local_size = local_.to_sockaddr(address);
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&address), sizeof path.local,
              reinterpret_cast<std::uint8_t*>(&path.local));

  std::expected<certs::SslPtr, std::string> tls = quic_terms_.tls->make_session();
  if (!tls) return fail(Reason::ours, tls.error());
  if (!quic_terms_.verify) SSL_set_verify(tls->get(), SSL_VERIFY_NONE, nullptr);
  SSL_up_ref(tls->get());
  tls_.reset(tls->get());
  const quic::Connection::Terms terms{
      .streams = quic_terms_.streams,
      .idle_timeout = quic_terms_.upstream.idle_timeout + idle_margin,
      .handshake_timeout = patience,
      .memory = &quic_terms_.memory,
      .qlogs = quic_terms_.qlogs,
      .early_data = quic_terms_.upstream.early_data};
  connection_ = quic::Connection::dial(*this, path, terms, std::move(*tls), quic_terms_.token);
  if (!connection_) return fail(Reason::ours, "no QUIC connection can be made");
  quic_terms_.token.clear();  // once each (RFC 9000 §8.1.3)
  if (connection_->may_be_early()) {
    connection_->begin_early();
    opened_early();
  }
  return std::nullopt;
}

Awaitable<void> QuicLink::wait() {
  base::TimePoint until = connection_->expiry();
  if (is_open()) until = std::min(until, next_look());
  boost::system::error_code ignored;
  sleeps_until_ = until;
  co_await descriptor_.async_wait(
      Descriptor::wait_read,
      boost::asio::cancel_at(timer_, until, boost::asio::redirect_error(use_awaitable, ignored)));
  sleeps_until_ = base::TimePoint::min();
}

void QuicLink::take_datagrams() {
  if (!is_open()) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor_.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size);
    refused_ = refused_ || error == ECONNREFUSED;
    if (refused_) connection_->close_politely();
  }
  quic::Datagrams& datagrams = *quic_terms_.datagrams;
  while (const std::size_t count = datagrams.receive(descriptor_.native_handle(), local_)) {
    for (std::size_t slot = 0; slot < count; ++slot) {
      datagrams.each(slot, [this](const quic::Datagram& each) { connection_->read(each); });
    }
    if (count < quic::Datagrams::slots) break;
  }
  if (connection_->expiry() <= base::Clock::now()) connection_->on_expiry();
}

/// What is asked in one turn leaves in the same datagrams.
void QuicLink::at_end_of_turn() {
  if (!descriptor_.is_open() || is_over()) return;
  let_leave();
  only_till_when_ = !is_over() && connection_->expiry() < sleeps_until_;
  if (only_till_when_ || is_over()) wake();
}

void QuicLink::let_leave() {
  unlink();
  connection_->write(*quic_terms_.datagrams, descriptor_.native_handle());
  quic_terms_.datagrams->send(descriptor_.native_handle());
}

/// The connection is over; the link may have ended before it.
void QuicLink::end() {
  if (!closed()) {
    if (!is_open()) {
      dial_failed(dial_failure());
    } else {
      close(ended_ == quic::End::peer ? LinkEnd::peer : LinkEnd::error,
            fail(Reason::closed,
                 ended_ == quic::End::peer ? "closed before the reply" : "the connection broke"));
    }
  }
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

Failure QuicLink::dial_failure() const {
  if (!verify_error_.empty()) return fail(Reason::certificate, verify_error_);
  if (refused_) return fail(Reason::refused, "connection refused");
  if (ended_ == quic::End::handshake_timeout)
    return fail(Reason::timeout, "no QUIC handshake in time");
  return fail(Reason::tls, "the QUIC handshake failed");
}

// ---- as a link

void QuicLink::take_arrived() {
  if (!is_over()) take_datagrams();
}

/// The coroutine says goodbye and ends.
void QuicLink::disconnect() {
  if (question_codec_ != nullptr) question_codec_->forget_all();
  if (connection_) connection_->close_politely();
  host_.give_up();
  only_till_when_ = false;
  wake();
}

void QuicLink::wake() {
  boost::system::error_code ignored;
  if (descriptor_.is_open()) descriptor_.cancel(ignored);
}

// ---- as the connection's host

std::unique_ptr<quic::Codec> QuicLink::make_codec(quic::Connection& connection) {
  auto [codec, asker] = quic_terms_.make_codec(*this, connection);
  question_codec_ = asker;
  return std::move(codec);
}

bool QuicLink::issue_id(quic::Connection& connection, ngtcp2_cid& id, std::uint8_t* reset_token) {
  id.datalen = quic::ConnectionIds::size;
  connection.ids.push_back(id);
  return RAND_bytes(id.data, quic::ConnectionIds::size) == 1 &&
         RAND_bytes(reset_token, NGTCP2_STATELESS_RESET_TOKENLEN) == 1;
}

/// The socket is the connection's alone: its ids need not be known. One is taken off for each.
void QuicLink::retire_id(quic::Connection& connection, const ngtcp2_cid&) {
  if (!connection.ids.empty()) connection.ids.pop_back();
}

void QuicLink::closed(quic::Connection& connection, quic::End end) {
  ended_ = end;
  question_codec_ = nullptr;
  if (!is_open()) early_rejected();  // the next place may be better
  const long verified = SSL_get_verify_result(&connection.tls());
  if (quic_terms_.verify && verified != X509_V_OK) {
    verify_error_ =
        std::string("certificate verify failed: ") + X509_verify_cert_error_string(verified);
  }
}

void QuicLink::early_data(quic::Connection&, quic::EarlyData result) {
  const bool accepted = result == quic::EarlyData::accepted;
  terms().metrics.early_data(accepted);
  if (!accepted) early_rejected();
}

void QuicLink::wants_turn(quic::Connection&) { turn_.at_end(*this); }

void QuicLink::new_token(quic::Connection&, base::Bytes token) {
  constexpr std::size_t token_most = 512;
  if (token.size() <= token_most) quic_terms_.token.assign(token.begin(), token.end());
}

}  // namespace transports
