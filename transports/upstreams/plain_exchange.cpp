// PlainExchange: from the question to its reply.
#include "transports/upstreams/plain_exchange.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include "dns/compose.h"
#include "transports/upstreams/framed_codec.h"
#include "transports/upstreams/letter_case.h"

namespace transports {

PlainParts::PlainParts(const conf::Upstream& settings, const UpstreamContext& context)
    : upstream(settings),
      executor(context.executor),
      random(context.random),
      timers(context.timers),
      metrics(context.sheet, settings),
      ports(settings.endpoint, context.executor, context.random),
      tcp(FramedCodec::links(settings, context, {}), edns),
      way(way_to(settings.endpoint.address)),
      under_way(context.executor) {}

PlainParts::~PlainParts() = default;

bool PlainParts::way_changed() {
  const std::optional<Way> now = way_to(upstream.endpoint.address);
  return std::exchange(way, now) != now;
}

void PlainParts::ask_afresh() {
  // One that ends may be gone, and the last of the row, which was seen before, stands in its place.
  const auto& all = exchanges.all();
  for (std::size_t i = all.size(); i-- > 0;) {
    if (i < all.size() && all[i]->waits_over_udp()) all[i]->ask_afresh();
  }
}

void PlainExchange::begin(Ask ask, base::TimePoint deadline, Asker& asker) {
  attach(asker);
  mark_.emplace(parts_.under_way);
  ask_ = std::move(ask);
  began_ = base::Clock::now();
  deadline_ = deadline;
  plan_ = {};
  plan_.edns = parts_.edns.usable(began_);
  plan_.mixed_case = parts_.upstream.case_randomisation && parts_.letter_case.echoed(began_) &&
                     has_letters(ask_.question.name);
  parts_.metrics.query();
  ask_over_udp(began_);
}

void PlainExchange::give_up() {
  if (state_ != State::over_udp) return;
  leave_udp();
  fail(Reason::closing, "closing");
}

void PlainExchange::ask_afresh() {
  if (plan_.datagrams == 0) return;
  parts_.metrics.retry();
  leave_udp();
  ask_over_udp(base::Clock::now());
}

// ---- over UDP

void PlainExchange::ask_over_udp(base::TimePoint now) {
  if (parts_.closing) return fail(Reason::closing, "closing");
  const auto id = parts_.ports.enter(*this);
  if (!id) return take_error(id.error());
  state_ = State::over_udp;
  // The upstream's timeout is for one way of asking; TCP after UDP has its own.
  limit_ = std::min(deadline_, now + parts_.upstream.timeout);
  wait_ = parts_.upstream.timeout / 4;
  wrong_replies_ = 0;
  unreadable_.clear();
  prepare(*id, now);
  send_datagram(now);
}

void PlainExchange::prepare(std::uint16_t id, base::TimePoint now) {
  sent_.id = id;
  sent_.question = ask_.question;
  sent_.exact_case = plan_.mixed_case;
  if (plan_.mixed_case) randomise_case(sent_.question.name, parts_.random);
  sent_.edns = plan_.edns;
  sent_.cookie = {};
  if (!plan_.edns || !plan_.cookie || !parts_.cookies.usable(now)) return;
  std::array<std::uint8_t, 16> local;
  sent_.cookie = parts_.cookies.next(UdpPorts::local_address(*this, local), parts_.random);
}

/// The same octets from the same port each time: a late reply to the first still counts, and there
/// is one port and one id to guess. Waits of a quarter, a half, a quarter of the timeout: the last
/// reply has time to come.
void PlainExchange::send_datagram(base::TimePoint now) {
  dns::OutgoingOptions options;
  options.id = sent_.id;
  options.checking_disabled = ask_.checking_disabled;
  options.dnssec_ok = ask_.dnssec_ok;
  options.authentic_data =
      true;  // RFC 6840 §5.7; what the client may see of it is decided when it is answered
  options.edns = sent_.edns;
  options.cookie = sent_.cookie.view();
  --plan_.datagrams;
  const base::TimePoint until = plan_.datagrams == 0 ? limit_ : std::min(limit_, now + wait_);
  wait_ *= 2;
  parts_.timers.set(*this, until);
  parts_.ports.queue(*this, dns::compose_query(sent_.question, options, parts_.ports.room()));
}

void PlainExchange::on_deadline(base::TimePoint now) {
  if (plan_.datagrams > 0 && now < limit_) {
    parts_.metrics.retry();
    return send_datagram(now);
  }
  leave_udp();
  if (!unreadable_.empty()) return fail(Reason::malformed, "malformed reply: " + unreadable_);
  fail(Reason::timeout, "no reply in time");
}

void PlainExchange::take_datagram(base::Bytes datagram) {
  const base::TimePoint now = base::Clock::now();
  Judged judged = judge_datagram(datagram, sent_, ask_.question, parts_.cookies, now);
  switch (judged.kind) {
    case ReplyKind::answer:
      leave_udp();
      if (sent_.exact_case) parts_.letter_case.was_echoed();
      learn(plan_.doubt, judged.answer, now);
      return finish(std::move(judged.answer), now);
    case ReplyKind::truncated:
      leave_udp();
      if (!plan_.tcp) return fail(Reason::truncated, "truncated, and TCP does not answer");
      return ask_over_tcp(judged.kind, now);
    case ReplyKind::edns_unknown: leave_udp(); return ask_again(judged.kind, now);
    case ReplyKind::bad_cookie:
      if (plan_.new_cookies == 0 && !plan_.tcp) break;
      leave_udp();
      return plan_.new_cookies > 0 ? ask_again(judged.kind, now) : ask_over_tcp(judged.kind, now);
    case ReplyKind::case_changed:
    case ReplyKind::no_question:
    case ReplyKind::no_cookie:
      // A forgery, or an upstream that cannot do better: ask where forging is harder.
      if (!plan_.tcp) break;
      parts_.metrics.mismatch();
      leave_udp();
      return ask_over_tcp(judged.kind, now);
    case ReplyKind::unreadable: unreadable_ = std::move(judged.why); break;
    case ReplyKind::other: break;
  }
  take_wrong_reply(now);
}

void PlainExchange::take_stray() { take_wrong_reply(base::Clock::now()); }

void PlainExchange::take_wrong_reply(base::TimePoint now) {
  parts_.metrics.mismatch();
  if (++wrong_replies_ < wrong_replies_max || !plan_.tcp) return;
  leave_udp();
  ask_over_tcp(ReplyKind::other, now);
}

void PlainExchange::take_error(std::error_code error) {
  leave_udp();
  // The address that it was sent from may be ours no more, before anybody has told us.
  if (waits_over_udp() && plan_.datagrams > 0 && parts_.way_changed()) return parts_.ask_afresh();
  switch (error.value()) {
    case EAGAIN:  // connect(2): no port is left
    case EADDRNOTAVAIL:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return fail(Reason::ours, error.message());
    default: return fail(Reason::refused, error.message());
  }
}

void PlainExchange::leave_udp() {
  parts_.timers.clear(*this);
  parts_.ports.leave(*this);
}

/// Over UDP, with what the reply has taught.
void PlainExchange::ask_again(ReplyKind why, base::TimePoint now) {
  if (plan_.datagrams == 0) return ask_over_tcp(why, now);
  if (why == ReplyKind::edns_unknown) plan_.edns = false;
  if (why == ReplyKind::bad_cookie) --plan_.new_cookies;
  plan_.doubt = why;
  ask_over_udp(now);
}

// ---- over TCP

void PlainExchange::ask_over_tcp(ReplyKind why, base::TimePoint now) {
  state_ = State::over_tcp;
  plan_.tcp = false;
  why_tcp_ = why;
  parts_.metrics.retry();
  const base::TimePoint limit = std::min(deadline_, now + parts_.upstream.timeout);
  boost::asio::co_spawn(
      parts_.executor, parts_.tcp.exchange(ask_, limit),
      boost::asio::bind_cancellation_slot(let_go_of_tcp_.slot(),
                                          [this](const std::exception_ptr& thrown, Reply reply) {
                                            tcp_ended(thrown, std::move(reply));
                                          }));
}

void PlainExchange::tcp_ended(const std::exception_ptr& thrown, Reply reply) {
  if (!is_awaited()) return rest();
  if (thrown)
    reply = std::unexpected(make_failure(Reason::ours, parts_.upstream.url, "TCP failed"));
  const base::TimePoint now = base::Clock::now();
  if (reply) learn(why_tcp_, *reply, now);
  const bool over = why_tcp_ == ReplyKind::truncated || plan_.datagrams == 0;
  if (reply || over || now >= deadline_) return finish(std::move(reply), now);
  plan_without_tcp(why_tcp_);
  ask_over_udp(now);
}

void PlainExchange::plan_without_tcp(ReplyKind why) {
  plan_.doubt = why;
  switch (why) {
    case ReplyKind::case_changed: plan_.mixed_case = false; break;
    case ReplyKind::no_question:
      plan_.edns = false;
      plan_.doubt = ReplyKind::edns_unknown;
      break;
    case ReplyKind::no_cookie:
    case ReplyKind::bad_cookie: plan_.cookie = false; break;
    default: break;
  }
}

// ---- the end

void PlainExchange::learn(ReplyKind doubt, const dns::KeptAnswer& answer, base::TimePoint now) {
  const bool failed = answer.rcode == dns::Rcode::formerr || answer.rcode == dns::Rcode::notimp;
  switch (doubt) {
    case ReplyKind::case_changed: parts_.letter_case.was_changed(now); break;
    case ReplyKind::no_cookie: parts_.cookies.was_missing(now); break;
    case ReplyKind::edns_unknown:
      if (!failed) parts_.edns.not_understood(now);
      break;
    default: break;
  }
}

void PlainExchange::fail(Reason reason, std::string_view detail) {
  finish(std::unexpected(make_failure(reason, parts_.upstream.url, detail)), {});
}

void PlainExchange::finish(Reply reply, base::TimePoint now) {
  if (!reply) {
    parts_.metrics.error(reply.error().reason);
  } else {
    parts_.metrics.reply(reply->rcode, now - began_);
  }
  Asker& asker = *detach();
  rest();  // the next question may come before the asker is done with this reply
  if (reply) return asker.replied(std::move(*reply));
  asker.replied(std::unexpected(std::move(reply.error().error)));
}

void PlainExchange::abandoned() {
  if (state_ == State::over_tcp)  // it ends in tcp_ended()
    return let_go_of_tcp_.emit(boost::asio::cancellation_type::terminal);
  leave_udp();
  rest();
}

void PlainExchange::rest() {
  state_ = State::resting;
  mark_.reset();
  parts_.exchanges.give_back(*this);
}

}  // namespace transports
