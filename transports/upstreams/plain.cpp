// PlainUpstream: an exchange is at most three datagrams, and one question over TCP when UDP's
// answer cannot be used.
#include "transports/upstreams/plain.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "dns/compose.h"
#include "transports/upstreams/framed_codec.h"
#include "transports/upstreams/letter_case.h"

namespace transports {

PlainUpstream::PlainUpstream(const conf::Upstream& upstream, const UpstreamContext& context)
    : upstream_(upstream),
      executor_(context.executor),
      random_(context.random),
      metrics_(context.sheet, upstream),
      tcp_(FramedCodec::links(upstream, context, {}), edns_),
      under_way_(context.executor) {}

Awaitable<base::Result<dns::KeptAnswer>> PlainUpstream::exchange(Ask wanted,
                                                                 base::TimePoint deadline) {
  const UnderWay::Mark mark(under_way_);
  const base::TimePoint began = base::Clock::now();
  metrics_.query();
  base::Result<dns::KeptAnswer, Failure> result = co_await ask(wanted, deadline);
  if (!result) {
    metrics_.error(result.error().reason);
    co_return std::unexpected(std::move(result.error().error));
  }
  metrics_.reply(result->rcode, base::Clock::now() - began);
  co_return std::move(*result);
}

Awaitable<void> PlainUpstream::close(base::TimePoint drain_until) {
  closing_ = true;
  co_await under_way_.none_left(drain_until);
  abandoning_ = true;
  for (Flight& flight : flights_) flight.socket.cancel();
  co_await tcp_.close(drain_until);
  co_await under_way_.none_left(base::TimePoint::max());  // each of them has been woken
}

Awaitable<base::Result<dns::KeptAnswer, Failure>> PlainUpstream::ask(const Ask& ask,
                                                                     base::TimePoint deadline) {
  Plan plan;
  const base::TimePoint began = base::Clock::now();
  plan.edns = edns_.usable(began);
  plan.mixed_case =
      upstream_.case_randomisation && case_.echoed(began) && has_letters(ask.question.name);
  for (;;) {
    // The upstream's timeout is for one way of asking; TCP after UDP has its own.
    const base::TimePoint limit = std::min(deadline, base::Clock::now() + upstream_.timeout);
    Outcome outcome = co_await ask_over_udp(ask, plan, limit);
    if (outcome.next == Next::again && plan.datagrams > 0) {
      if (outcome.why == ReplyKind::edns_unknown) plan.edns = false;
      if (outcome.why == ReplyKind::bad_cookie) --plan.new_cookies;
      plan.doubt = outcome.why;
      continue;
    }
    if (outcome.next == Next::again || outcome.next == Next::over_tcp) {
      plan.tcp = false;
      metrics_.retry();
      const base::TimePoint tcp_limit = std::min(deadline, base::Clock::now() + upstream_.timeout);
      base::Result<dns::KeptAnswer, Failure> result = co_await tcp_.exchange(ask, tcp_limit);
      if (result) learn(outcome.why, *result);
      const bool over = outcome.why == ReplyKind::truncated || plan.datagrams == 0;
      if (result || over || base::Clock::now() >= deadline) co_return result;
      plan_without_tcp(outcome.why, plan);
      continue;
    }
    if (outcome.next == Next::failed) co_return std::unexpected(std::move(outcome.failure));
    learn(plan.doubt, outcome.answer);
    co_return std::move(outcome.answer);
  }
}

Awaitable<PlainUpstream::Outcome> PlainUpstream::ask_over_udp(const Ask& ask, Plan& plan,
                                                              base::TimePoint limit) {
  if (closing_) co_return failed(Reason::closing, "closing");
  std::expected<UdpSocket, std::error_code> socket = UdpSocket::open(executor_, upstream_.endpoint);
  if (!socket) co_return network_failure(socket.error());
  Flight flight{std::move(*socket), ask};
  flights_.push_back(flight);
  prepare(flight, plan);

  // The same octets from the same port each time: a late reply to the first still counts, and there
  // is one port and one id to guess. Waits of a quarter, a half, a quarter of the timeout: the last
  // reply has time to come.
  auto wait = upstream_.timeout / 4;
  while (plan.datagrams > 0) {
    std::array<std::uint8_t, 512> query;
    const std::size_t size = compose(flight, query);
    if (const std::error_code error = flight.socket.send(base::Bytes{query}.first(size))) {
      co_return network_failure(error);
    }
    --plan.datagrams;
    const base::TimePoint until =
        plan.datagrams == 0 ? limit : std::min(limit, base::Clock::now() + wait);
    wait *= 2;
    while (base::Clock::now() < until) {
      co_await flight.socket.wait(until);
      Outcome outcome;
      if (take_replies(flight, plan, outcome)) co_return outcome;
      if (abandoning_) co_return failed(Reason::closing, "closing");
    }
    if (base::Clock::now() >= limit) break;
    metrics_.retry();
  }
  co_return silence(flight);
}

void PlainUpstream::prepare(Flight& flight, const Plan& plan) {
  Sent& sent = flight.sent;
  sent.id = random_.u16();
  sent.question = flight.ask.question;
  sent.exact_case = plan.mixed_case;
  if (plan.mixed_case) randomise_case(sent.question.name, random_);
  sent.edns = plan.edns;
  const base::TimePoint now = base::Clock::now();
  if (!plan.edns || !plan.cookie || !cookies_.usable(now)) return;
  std::array<std::uint8_t, 16> local;
  sent.cookie = cookies_.next(flight.socket.local_address(local), random_);
}

std::size_t PlainUpstream::compose(const Flight& flight, base::MutableBytes out) const {
  dns::OutgoingOptions options;
  options.id = flight.sent.id;
  options.checking_disabled = flight.ask.checking_disabled;
  options.dnssec_ok = flight.ask.dnssec_ok;
  options.authentic_data =
      true;  // RFC 6840 §5.7; what the client may see of it is decided when it is answered
  options.edns = flight.sent.edns;
  options.cookie = flight.sent.cookie.view();
  return dns::compose_query(flight.sent.question, options, out);
}

bool PlainUpstream::take_replies(Flight& flight, const Plan& plan, Outcome& outcome) {
  for (;;) {
    const std::expected<std::size_t, std::error_code> size = flight.socket.receive(datagram_);
    if (!size) {
      if (size.error().value() == EAGAIN) return false;
      outcome = network_failure(size.error());
      return true;
    }
    const base::Bytes reply = base::Bytes{datagram_}.first(std::min(*size, datagram_.size()));
    Judged judged =
        judge_datagram(reply, flight.sent, flight.ask.question, cookies_, base::Clock::now());
    if (take_reply(std::move(judged), flight, plan, outcome)) return true;
  }
}

bool PlainUpstream::take_reply(Judged judged, Flight& flight, const Plan& plan, Outcome& outcome) {
  outcome.why = judged.kind;
  switch (judged.kind) {
    case ReplyKind::answer:
      if (flight.sent.exact_case) case_.was_echoed();
      outcome.next = Next::answered;
      outcome.answer = std::move(judged.answer);
      return true;
    case ReplyKind::truncated:
      outcome.next = Next::over_tcp;
      if (!plan.tcp) outcome = failed(Reason::truncated, "truncated, and TCP does not answer");
      return true;
    case ReplyKind::edns_unknown: outcome.next = Next::again; return true;
    case ReplyKind::bad_cookie:
      outcome.next = plan.new_cookies > 0 ? Next::again : Next::over_tcp;
      if (outcome.next == Next::again || plan.tcp) return true;
      break;
    case ReplyKind::case_changed:
    case ReplyKind::no_question:
    case ReplyKind::no_cookie:
      // A forgery, or an upstream that cannot do better: ask where forging is harder.
      outcome.next = Next::over_tcp;
      if (plan.tcp) {
        metrics_.mismatch();
        return true;
      }
      break;
    case ReplyKind::unreadable: flight.unreadable = std::move(judged.why); break;
    case ReplyKind::other: break;
  }
  metrics_.mismatch();
  outcome.next = Next::over_tcp;
  return ++flight.wrong_replies >= wrong_replies_max && plan.tcp;
}

PlainUpstream::Outcome PlainUpstream::silence(const Flight& flight) const {
  if (!flight.unreadable.empty())
    return failed(Reason::malformed, "malformed reply: " + flight.unreadable);
  return failed(Reason::timeout, "no reply in time");
}

PlainUpstream::Outcome PlainUpstream::network_failure(std::error_code error) const {
  switch (error.value()) {
    case EAGAIN:  // connect(2): no port is left
    case EADDRNOTAVAIL:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return failed(Reason::ours, error.message());
    default: return failed(Reason::refused, error.message());
  }
}

void PlainUpstream::plan_without_tcp(ReplyKind why, Plan& plan) {
  plan.doubt = why;
  switch (why) {
    case ReplyKind::case_changed: plan.mixed_case = false; break;
    case ReplyKind::no_question:
      plan.edns = false;
      plan.doubt = ReplyKind::edns_unknown;
      break;
    case ReplyKind::no_cookie:
    case ReplyKind::bad_cookie: plan.cookie = false; break;
    default: break;
  }
}

void PlainUpstream::learn(ReplyKind doubt, const dns::KeptAnswer& answer) {
  const base::TimePoint now = base::Clock::now();
  const bool failed = answer.rcode == dns::Rcode::formerr || answer.rcode == dns::Rcode::notimp;
  switch (doubt) {
    case ReplyKind::case_changed: case_.was_changed(now); break;
    case ReplyKind::no_cookie: cookies_.was_missing(now); break;
    case ReplyKind::edns_unknown:
      if (!failed) edns_.not_understood(now);
      break;
    default: break;
  }
}

}  // namespace transports
