// The life of a query, one page: judge, find, join, exchange, match, store, fit, respond. What is
// answered at once is told by answer_now(), what has to wait by answer(); exchange, match and store
// happen where the links are (gateway/home.cpp).
#include "gateway/pipeline.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "dns/verdict.h"
#include "gateway/policy/types.h"

namespace gateway {
namespace {

using transports::Source;

constexpr std::uint32_t stale_ttl = 30;        // RFC 8767 §4
constexpr std::uint16_t answer_padding = 468;  // RFC 8467 §4.1
constexpr std::size_t extras_room = 1024;      // what fit may add: OPT with cookie, EDE and padding
constexpr std::chrono::milliseconds landing_margin{
    50};  // between a flight's end and the answer's deadline

dns::EdeNote stale_note(dns::Rcode rcode) {
  return {rcode == dns::Rcode::nxdomain ? dns::Ede::stale_nxdomain_answer : dns::Ede::stale_answer,
          {}};
}

/// That something is not there is kept no longer than the SOA says, and not at all without one (RFC
/// 8484 §5.1, RFC 2308 §5).
std::uint32_t most_age_of(const dns::AnswerFacts& facts) {
  if (facts.kind == dns::AnswerKind::positive || facts.kind == dns::AnswerKind::failure)
    return std::numeric_limits<std::uint32_t>::max();
  return facts.has_soa ? facts.negative_ttl : 0;
}

/// The least TTL of an answer, for HTTP's max-age.
std::uint32_t least_ttl_of(const dns::AnswerView& answer) {
  const dns::AnswerFacts facts = dns::facts_of(answer);
  return std::min(facts.least_ttl, most_age_of(facts));
}

}  // namespace

base::TimePoint Pipeline::begin_batch() {
  if (depth_++ == 0) {
    parts_.epoch.begin();
    snapshot_ = &parts_.snapshots.current();
    now_ = base::Clock::now();
  }
  return now_;
}

void Pipeline::end_batch() {
  if (--depth_ != 0) return;
  missed_ = {};
  snapshot_ = nullptr;
  parts_.epoch.end();
  if (refreshes_noted_ != 0 && !refreshes_posted_) {
    refreshes_posted_ = true;
    parts_.here.mailbox->push([this] { begin_refreshes(); });
  }
}

void Pipeline::expect(std::span<const Query> queries) {
  std::array<std::uint64_t, 32> hashes;  // of a listener's batch at most
  std::size_t count = 0;
  for (const Query& query : queries.first(std::min(queries.size(), hashes.size()))) {
    if (query.verdict == dns::Verdict::accept) hashes[count++] = key_of(query).hash;
  }
  parts_.cache.fetch_ahead(std::span{hashes}.first(count));
}

bool Pipeline::answer_now(const Query& query, Reply& reply) {
  missed_ = {};
  counters_.query(query);
  return judge(query, reply) || find(query, reply);
}

void Pipeline::answer(const Query& query, transports::PromisedAnswer promise) {
  const transports::Batch batch{*this};
  const Missed seen = missed(query);
  Waiting& waiting = waiting_.take(*this);
  waiting.begin(query, std::move(promise));
  join(waiting, seen);
}

/// Who asks without having looked is taken to know nothing.
Pipeline::Missed Pipeline::missed(const Query& query) {
  const Missed seen = std::exchange(missed_, {});
  if (seen.query == &query) return seen;
  return {&query, key_of(query).hash, true};
}

bool Pipeline::judge(const Query& query, Reply& reply) {
  const dns::Request& request = query.request;
  const auto refuse = [&](dns::Ede code, std::string_view why) {
    fit_empty(query, dns::Rcode::refused, dns::EdeNote{code, why}, reply);
    return true;
  };
  if (!snapshot_->allowed.allows(query.client.address))
    return refuse(dns::Ede::prohibited, "this address may not ask");
  if (query.verdict != dns::Verdict::accept) {
    std::optional<dns::EdeNote> note;
    if (query.verdict == dns::Verdict::too_early) note = dns::EdeNote{dns::Ede::too_early, {}};
    fit_empty(query, dns::rcode_of(query.verdict), note, reply);
    return true;
  }
  if (!policy::is_forwarded(request.question.type))
    return refuse(dns::Ede::not_supported, "this type is not forwarded");
  policy::LocalAnswer local;
  if (snapshot_->special_names.answer(request.question, request.edns.dnssec_ok, local)) {
    fit(query, local.view(), {}, reply);
    respond(query, reply, Source::local, least_ttl_of(local.view()));
    return true;
  }
  if (request.question.type == dns::RrType::any && query.protocol == conf::Protocol::udp) {
    dns::FitOptions over_tcp;  // RFC 8482 §4.3: who means it asks again over TCP, who forged an
                               // address does not
    over_tcp.truncate = true;
    fit_empty(query, dns::Rcode::noerror, std::nullopt, reply, over_tcp);
    return true;
  }
  return false;
}

bool Pipeline::find(const Query& query, Reply& reply) {
  const cache::Key key = key_of(query);
  const cache::Found found = parts_.cache.find(key, base::seconds_of(now_));
  if (found.state == cache::Found::State::fresh) {
    if (found.ending) [[unlikely]]
      refresh_soon(query, key);
    dns::FitOptions options;
    options.age = found.age;
    fit(query, found.answer, options, reply);
    counters_.cache_hit();
    respond(query, reply, Source::cache, found.ttl_left);
    return true;
  }
  if (found.failure_remembered) {  // RFC 9520 §3.2: do not ask again yet
    if (found.state == cache::Found::State::stale && !dns::is_believed(found.failure)) {
      serve_stale(query, found, StaleReason::failed_before, reply);
    } else {
      fit(query, found.failure, {}, reply);
      respond(query, reply, Source::failure, 0);
    }
    return true;
  }
  counters_.cache_miss();
  if (find_above(query, key, reply) || serve_known_if_late(query, found, reply)) return true;
  missed_ = {&query, key.hash, found.state != cache::Found::State::absent};
  return false;
}

bool Pipeline::find_above(const Query& query, const cache::Key& key, Reply& reply) {
  // Above a route's name others are asked: that they know of nothing below says nothing here.
  const std::size_t route_size = snapshot_->routes.find(query.request.question.name).suffix_size;
  const cache::Found cut = parts_.cache.find_cut(key, base::seconds_of(now_), route_size);
  if (cut.state != cache::Found::State::fresh) return false;
  const dns::KeptAnswer below = dns::nxdomain_below(cut.answer, query.request.question);
  dns::FitOptions options;
  options.age = cut.age;
  fit(query, below.view(), options, reply);
  respond(query, reply, Source::cache, cut.ttl_left);
  return true;
}

void Pipeline::join(Waiting& waiting, const Missed& missed) {
  const Query& query = waiting.query;
  if (missed.known && may_lose_patience(query))
    waiting.be_patient_until(now_ + snapshot_->config.cache.stale_after);
  Flight* const begun = parts_.flights.join(flight_key_of(query, missed.hash), now_,
                                            query.deadline - landing_margin, waiting);
  if (begun != nullptr) launch(*begun);
  if (missed.known && snapshot_->config.cache.stale_after == base::Clock::duration{0})
    lose_patience(waiting);
}

/// Each question has one home, so nothing about it can have landed on this worker since find().
void Pipeline::launch(Flight& flight) {
  const std::size_t homes = std::min<std::size_t>(snapshot_->homes, parts_.homes.size());
  const HomePort& home = parts_.homes[flight.key.hash % homes];
  if (home.home == parts_.here.home) return home.home->fly(flight);
  home.mailbox->push([home = home.home, flight = &flight] { home->fly_unless_known(*flight); });
}

/// An answer that is asked for is refreshed before it ends (see cache::Found::ending). Nothing here
/// waits, locks or allocates; whatever hinders it, the next hit may try.
void Pipeline::refresh_soon(const Query& query, const cache::Key& key) {
  const std::uint32_t most = snapshot_->config.cache.prefetch;
  if (most == 0) return;
  if (refreshes_noted_ == refreshes_.size() || !parts_.flights.reserve_refresh(most))
    return counters_.prefetch_put_off();
  if (parts_.cache.claim_refresh(key, base::seconds_of(now_))) {
    refreshes_[refreshes_noted_++] = flight_key_of(query, key.hash);
  } else {
    parts_.flights.give_back_refresh();
  }
}

void Pipeline::begin_refreshes() {
  const transports::Batch batch{*this};
  const base::TimePoint deadline = now_ + snapshot_->config.limits.query_timeout;
  for (const FlightKey& key : std::span{refreshes_}.first(std::exchange(refreshes_noted_, 0))) {
    Flight* const begun = parts_.flights.begin_refresh(key, now_, deadline);
    if (begun != nullptr) launch(*begun);
  }
  refreshes_posted_ = false;
}

bool Pipeline::may_lose_patience(const Query& query) const {
  return now_ + snapshot_->config.cache.stale_after < query.deadline - landing_margin;
}

/// Who asks when others have waited too long already does not wait at all.
bool Pipeline::serve_known_if_late(const Query& query, const cache::Found& found, Reply& reply) {
  if (found.state != cache::Found::State::stale || !may_lose_patience(query)) return false;
  const base::Clock::duration patience = snapshot_->config.cache.stale_after;
  if (!parts_.flights.is_late(flight_key_of(query, key_of(query).hash), now_, patience))
    return false;
  serve_stale(query, found, StaleReason::slow, reply);
  return true;
}

/// Gives what the cache has: by now it may even be fresh. Without anything the client waits on.
void Pipeline::lose_patience(Waiting& waiting) {
  const transports::Batch batch{*this};
  const Query& query = waiting.query;
  const cache::Found known = parts_.cache.find(key_of(query), base::seconds_of(now_));
  if (known.state == cache::Found::State::absent || !parts_.flights.leave(waiting)) return;
  keep_promise(waiting, known.answer, [&](Reply& reply) {
    if (known.state == cache::Found::State::stale)
      return serve_stale(query, known, StaleReason::slow, reply);
    dns::FitOptions options;
    options.age = known.age;
    fit(query, known.answer, options, reply);
    respond(query, reply, Source::cache, known.ttl_left);
  });
}

void Pipeline::landed(Waiting& waiting, const Landed& landed) {
  const transports::Batch batch{*this};
  const Query& query = waiting.query;
  if (!dns::is_believed(landed.answer)) {
    const cache::Found kept = parts_.cache.find(key_of(query), base::seconds_of(now_));
    if (kept.state == cache::Found::State::stale) {
      return keep_promise(waiting, kept.answer, [&](Reply& reply) {
        serve_stale(query, kept, StaleReason::failed, reply);
      });
    }
  }
  const dns::AnswerView view = landed.answer.view();
  keep_promise(waiting, view, [&](Reply& reply) {
    fit(query, view, {}, reply);
    respond(query, reply, landed.source, least_ttl_of(view));
  });
}

/// Lends `write` memory for an answer made of `view`, and gives what it wrote to who waits.
template <class Write>
void Pipeline::keep_promise(Waiting& waiting, const dns::AnswerView& view, Write write) {
  std::array<std::uint8_t, 2 * extras_room> lent;
  std::vector<std::uint8_t> large;
  const std::size_t room = std::min(view.wire.size() + extras_room, dns::message_size_max);
  if (room > lent.size()) large.resize(room);
  Reply reply{.out = large.empty() ? base::MutableBytes{lent} : large, .size = 0, .summary = {}};
  write(reply);
  waiting.promise->keep({waiting.query, reply.out.first(reply.size), reply.summary});
  waiting.end();
}

void Pipeline::Waiting::begin(const Query& asked, transports::PromisedAnswer answer) {
  query = asked;
  promise.emplace(std::move(answer));
}

void Pipeline::Waiting::end() {
  timers().clear(*this);
  promise.reset();
  pipeline_.waiting_.give_back(*this);
}

void Pipeline::serve_stale(const Query& query, const cache::Found& found, StaleReason reason,
                           Reply& reply) {
  dns::FitOptions options;
  options.fixed_ttl = stale_ttl;
  options.ede = stale_note(found.answer.rcode);
  fit(query, found.answer, options, reply);
  counters_.cache_hit_stale(reason);
  respond(query, reply, Source::stale,
          std::min(stale_ttl, most_age_of(dns::facts_of(found.answer))));
}

void Pipeline::fit(const Query& query, const dns::AnswerView& answer, dns::FitOptions options,
                   Reply& reply) {
  dns::ServerCookie cookie;
  complete(query, options, cookie);
  reply.size = dns::fit(query.request, answer, options, reply.out);
  reply.summary.rcode = answer.rcode;
}

void Pipeline::fit_empty(const Query& query, dns::Rcode rcode, std::optional<dns::EdeNote> ede,
                         Reply& reply, dns::FitOptions options) {
  dns::ServerCookie cookie;
  complete(query, options, cookie);
  options.ede = ede;
  reply.size = dns::fit_empty(query.request, rcode, options, reply.out);
  reply.summary.rcode = rcode;
  respond(query, reply, Source::policy, 0);
}

/// What depends on the client and its transport, and not on the answer.
void Pipeline::complete(const Query& query, dns::FitOptions& options, dns::ServerCookie& cookie) {
  const conf::Limits& limits = snapshot_->config.limits;
  const conf::ProtocolRow& transport = conf::row_of(query.protocol);
  const dns::Edns& edns = query.request.edns;
  options.our_udp_size = static_cast<std::uint16_t>(limits.udp_size);
  options.size_limit = query.size_limit;
  if (!transport.stream) {
    const std::size_t client_limit = edns.present ? edns.udp_size : dns::plain_udp_size;
    options.size_limit = std::min({query.size_limit, client_limit, std::size_t{limits.udp_size}});
  }
  if (!edns.present) return;
  // http:// is what reverse proxies speak, to whom clients come over TLS.
  if ((transport.encrypted || transport.http) && edns.padding)
    options.padding_block = answer_padding;
  // RFC 7828 is about connections of DNS itself; one of HTTP may be a proxy's.
  if (transport.stream && !transport.http && edns.keepalive) {
    const auto units = limits.idle_timeout / std::chrono::milliseconds{100};  // RFC 7828 §3.1
    options.keepalive = static_cast<std::uint16_t>(
        query.sessions_scarce ? 0 : std::min<std::int64_t>(units, 65535));
  }
  if (edns.cookie_size != 0) {
    cookie = cookie_for(query);
    options.server_cookie = &cookie;
  }
}

/// A good one is given back until it is half an hour old. A bad one is as good as none: who would
/// demand cookies had to answer BADCOOKIE, and no policy does. RFC 9018 §4.3, RFC 7873 §5.2.3.
dns::ServerCookie Pipeline::cookie_for(const Query& query) {
  const base::Bytes given{query.request.edns.cookie.data(), query.request.edns.cookie_size};
  const auto now = static_cast<std::uint32_t>(std::time(nullptr));
  const auto state = parts_.cookies.check(given, query.client.address, now);
  counters_.cookie(state);
  if (state != dns::ServerCookies::Check::good)
    return parts_.cookies.make(given.first(dns::client_cookie_size), query.client.address, now);
  dns::ServerCookie same;
  std::ranges::copy(given.subspan(dns::client_cookie_size), same.begin());
  return same;
}

void Pipeline::respond(const Query& query, Reply& reply, Source source, std::uint32_t least_ttl) {
  reply.summary.source = source;
  reply.summary.least_ttl = least_ttl;
  const bool waited = source == Source::upstream || source == Source::failure;
  const std::chrono::nanoseconds took =
      waited ? now_ - query.received : std::chrono::nanoseconds{0};
  counters_.response(query.protocol, reply.summary, took);
  if (parts_.observer != nullptr)
    parts_.observer->answered(query, reply.summary, base::Clock::now() - query.received);
}

cache::Key Pipeline::key_of(const Query& query) const {
  return parts_.cache.key_of(query.request.question, query.request.edns.dnssec_ok,
                             query.request.checking_disabled());
}

FlightKey Pipeline::flight_key_of(const Query& query, std::uint64_t hash) {
  FlightKey key;
  key.question = query.request.question;
  key.dnssec_ok = query.request.edns.dnssec_ok;
  key.checking_disabled = query.request.checking_disabled();
  key.hash = hash;
  return key;
}

}  // namespace gateway
