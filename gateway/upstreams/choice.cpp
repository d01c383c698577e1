// Strategies. Weighted rendezvous hashing (Schindelhauer and Schomaker 2005) for `hash` and
// `random`: when an upstream leaves, only its own names move.
#include "gateway/upstreams/choice.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace gateway::upstreams {
namespace {

/// One query in so many finds out how quick another one is by now.
constexpr std::uint64_t explore_every = 16;
/// So little difference is none: a change of upstream costs its warm cache.
constexpr transports::Pace::Duration hardly_slower{500};

/// splitmix64's finalizer.
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// The smaller, the better; a double weight is best twice as often.
double distance(std::uint64_t bits, std::uint32_t weight) {
  const double unit = (static_cast<double>(mixed(bits) >> 11) + 0.5) * 0x1p-53;
  return -std::log(unit) / weight;
}

/// A slow one with a double weight counts as one that is twice as fast; who was never measured
/// comes first.
double quickness(const Candidate& candidate) {
  return candidate.known
             ? static_cast<double>((candidate.smoothed + hardly_slower).count()) / candidate.weight
             : 0.0;
}

double rank(conf::Strategy strategy, const Candidate& candidate, std::uint64_t name_hash,
            std::uint64_t chance) {
  switch (strategy) {
    case conf::Strategy::failover: return 0.0;  // all the same: the order of the file stays
    case conf::Strategy::fastest:
    case conf::Strategy::race2: return quickness(candidate);
    case conf::Strategy::hash: return distance(name_hash ^ candidate.identity, candidate.weight);
    case conf::Strategy::random: return distance(chance ^ candidate.identity, candidate.weight);
  }
  return 0.0;
}

}  // namespace

Order choose(conf::Strategy strategy, std::span<const Candidate> candidates,
             std::uint64_t name_hash, std::uint64_t chance) {
  Order order;
  std::array<double, conf::Set::upstreams_most> ranks;
  for (const Candidate& candidate : candidates.first(std::min(candidates.size(), ranks.size()))) {
    ranks[order.size] = rank(strategy, candidate, name_hash, chance);
    order.indices[order.size] = order.size;
    ++order.size;
  }
  const auto before = [&](std::uint8_t left, std::uint8_t right) {
    const auto key = [&](std::uint8_t index) {
      const Candidate& candidate = candidates[index];
      const bool rests = candidate.standing == Standing::resting;
      return std::tuple{candidate.drained, candidate.standing,
                        rests ? candidate.probe_at : base::TimePoint{}, ranks[index], index};
    };
    return key(left) < key(right);
  };
  const auto used = std::span{order.indices}.first(order.size);
  std::ranges::sort(used, before);

  const bool explores = strategy == conf::Strategy::fastest || strategy == conf::Strategy::race2;
  const auto well = static_cast<std::uint64_t>(std::ranges::count_if(used, [&](std::uint8_t index) {
    return candidates[index].standing == Standing::well && !candidates[index].drained;
  }));
  if (explores && well > 1 && mixed(chance) % explore_every == 0) {
    const std::size_t other = 1 + mixed(chance + 1) % (well - 1);
    std::swap(used[0], used[other]);
  }
  return order;
}

std::uint64_t hash_of(dns::NameView name) {
  std::uint64_t hash = 0;
  for (const std::uint8_t octet : name.wire()) hash = (hash ^ dns::to_lower(octet)) * 0x100000001b3;
  return mixed(hash);
}

}  // namespace gateway::upstreams
