// A flight from its start to its landing.
#include "gateway/home.h"

#include <exception>
#include <string>
#include <utility>

#include "cache/lifetime.h"
#include "dns/verdict.h"
#include "gateway/explainer.h"

namespace gateway {
namespace {

constexpr std::size_t ede_text_max = 160;  // enough for an upstream's name and a clause

dns::KeptAnswer failure_answer(const dns::Question& question, dns::Ede code, std::string text) {
  dns::KeptAnswer failure;
  const base::Bytes name = question.name.view().wire();
  failure.wire.resize(dns::header_size + name.size() + 4);
  base::Writer out{failure.wire};
  out.u16(0);
  out.u16(dns::flag::qr | dns::flag::ra | static_cast<std::uint16_t>(dns::Rcode::servfail));
  out.u16(1);
  out.zeros(6);
  out.bytes(name);
  out.u16(static_cast<std::uint16_t>(question.type));
  out.u16(static_cast<std::uint16_t>(question.klass));
  failure.rcode = dns::Rcode::servfail;
  failure.has_ede = true;
  failure.ede = code;
  text.resize(std::min(text.size(), ede_text_max));
  failure.ede_text = std::move(text);
  return failure;
}

dns::KeptAnswer copy_with_age(const dns::AnswerView& view, std::uint32_t age) {
  dns::KeptAnswer copy{{view.wire.begin(), view.wire.end()},
                       {view.ttl_offsets.begin(), view.ttl_offsets.end()},
                       view.rcode,
                       view.has_ede,
                       view.ede,
                       std::string{view.ede_text}};
  for (const std::uint16_t offset : copy.ttl_offsets) {
    std::uint8_t* const at = &copy.wire[offset];
    const std::uint32_t ttl = base::load_u32(at);
    base::store_u32(at, ttl - std::min(ttl, age));
  }
  return copy;
}

std::shared_ptr<const Landed> landed(dns::KeptAnswer answer, transports::Source source) {
  return std::make_shared<const Landed>(std::move(answer), source);
}

std::shared_ptr<const Landed> failed(const FlightKey& key, dns::Ede code, std::string text) {
  return landed(failure_answer(key.question, code, std::move(text)), transports::Source::failure);
}

}  // namespace

std::shared_ptr<upstreams::Sets> Home::replace(std::shared_ptr<upstreams::Sets> next) {
  return std::exchange(upstreams_, std::move(next));
}

void Home::fly(Flight& flight) {
  land_when_over(flight, [&] { return exchange(flight); });
}

void Home::fly_unless_known(Flight& flight) {
  land_when_over(flight, [&] {
    Outcome known = flight.is_refresh ? nullptr : found_meanwhile(flight.key);
    return known ? known : exchange(flight);
  });
}

/// Memory or descriptors may be short: that becomes a failure for those who wait, as long as there
/// is the memory to say so.
template <class Work>
void Home::land_when_over(Flight& flight, Work work) {
  Outcome outcome;
  try {
    outcome = work();
  } catch (const std::exception& error) {
    parts_.log.error("exchange failed", {{"error", error.what()}});
    outcome = failed(flight.key, dns::Ede::other, "out of resources");
  }
  if (outcome) parts_.flights.land(flight, std::move(outcome));
}

Home::Outcome Home::exchange(Flight& flight) {
  const FlightKey& key = flight.key;
  if (!upstreams_) return failed(key, dns::Ede::not_ready, "no upstream yet");
  upstreams_->begin({key.question, key.dnssec_ok, key.checking_disabled}, flight.deadline,
                    Flying{this, &flight, upstreams_});
  return nullptr;
}

void Home::Flying::operator()(upstreams::Race::Reply reply) const {
  home->land_when_over(*flight, [&] { return home->replied(*this, std::move(reply)); });
}

Home::Outcome Home::replied(const Flying& flying, upstreams::Race::Reply reply) {
  const bool closed_under_it = upstreams_ && upstreams_ != flying.asked;
  // Whoever has no time left is told what went wrong, not that nobody could be asked any more.
  if (!reply && closed_under_it && base::Clock::now() < flying.flight->deadline)
    return exchange(*flying.flight);
  return store(flying.flight->key, *flying.asked, std::move(reply));
}

Home::Outcome Home::found_meanwhile(const FlightKey& key) {
  const base::EpochBatch batch{parts_.epoch};
  const cache::Found found =
      parts_.cache.find(parts_.cache.key_of(key.question, key.dnssec_ok, key.checking_disabled),
                        base::seconds_of(base::Clock::now()));
  if (found.state != cache::Found::State::fresh) return nullptr;
  return landed(copy_with_age(found.answer, found.age), transports::Source::cache);
}

/// A copy, so that nothing is inserted inside a batch: memory that is evicted can then be used
/// again at once.
conf::Cache Home::cache_limits() {
  const base::EpochBatch batch{parts_.epoch};
  return parts_.snapshots.current().config.cache;
}

Home::Outcome Home::store(const FlightKey& key, const upstreams::Sets& asked,
                          base::Result<dns::KeptAnswer> reply) {
  const conf::Cache limits = cache_limits();
  const bool keep = !upstreams_ || upstreams_->leads_like(asked, key.question.name);
  const cache::Key at = parts_.cache.key_of(key.question, key.dnssec_ok, key.checking_disabled);
  const base::Seconds32 now = base::seconds_of(base::Clock::now());
  if (!reply) {
    const bool of_the_name = reply.error().blame != base::Blame::us;  // our own shortage is not
    const dns::Ede code =
        reply.error().broken ? dns::Ede::network_error : dns::Ede::no_reachable_authority;
    dns::KeptAnswer failure = failure_answer(key.question, code, std::move(reply.error().context));
    if (keep && of_the_name)
      parts_.cache.insert(at, failure.view(), cache::lifetime_of_failure(limits), now);
    return landed(std::move(failure), transports::Source::failure);
  }
  const dns::AnswerFacts facts = dns::facts_of(reply->view());
  cache::Lifetime lifetime = cache::lifetime_of(facts, limits);
  dns::clamp_ttls(*reply, lifetime.least_ttl, lifetime.most_ttl);
  if (!lifetime.failure) lifetime.bound_stale(history_with(at, reply->view(), now));
  if (keep) {
    if (lifetime.failure && dns::is_believed(*reply)) parts_.cache.forget(at);
    parts_.cache.insert(at, reply->view(), lifetime, now);  // what is not kept ends what was
  }
  return landed(std::move(*reply), transports::Source::upstream);
}

void Home::explain(const admin::ExplainOrder& order,
                   std::move_only_function<void(admin::Explanation)> told) {
  Explainer::begin(parts_, upstreams_, order, std::move(told));
}

cache::History Home::history_with(const cache::Key& key, const dns::AnswerView& next,
                                  base::Seconds32 now) {
  const base::EpochBatch batch{parts_.epoch};
  return parts_.cache.history_with(key, next, now);
}

}  // namespace gateway
