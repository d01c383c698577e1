// How many queries may wait for an upstream at once, over all listeners and workers, and how many
// octets may be kept of messages that are not whole or not yet taken: what waits costs memory, and
// a flood must not take it all. Owned by App.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace transports {

/// Thread-safe; asked for what is kept beyond a wake-up, never for a hit that its client takes.
class OctetBudget {
 public:
  static constexpr std::size_t usual = std::size_t{64} * 1024 * 1024;

  OctetBudget() = default;
  OctetBudget(const OctetBudget&) = delete;
  OctetBudget& operator=(const OctetBudget&) = delete;

  void set_most(std::size_t most) { most_.store(most, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t taken() const { return taken_.load(std::memory_order_relaxed); }
  /// Takes all of them or none.
  bool take(std::size_t octets) {
    const std::size_t before = taken_.fetch_add(octets, std::memory_order_relaxed);
    if (before + octets <= most_.load(std::memory_order_relaxed)) return true;
    give_back(octets);
    return false;
  }
  void give_back(std::size_t octets) { taken_.fetch_sub(octets, std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> most_{usual};
  std::atomic<std::size_t> taken_{0};
};

/// What one session keeps for its client. A little is free, so that a client that takes its answers
/// costs the budget no look; the rest is of the budget of all. Given back when this ends.
class OctetShare {
 public:
  static constexpr std::size_t free_octets = std::size_t{32} * 1024;

  explicit OctetShare(OctetBudget& budget) : budget_(budget) {}
  ~OctetShare() { budget_.give_back(taken_); }
  OctetShare(const OctetShare&) = delete;
  OctetShare& operator=(const OctetShare&) = delete;

  /// So many are kept now; false when there is no memory for as many.
  bool hold(std::size_t octets) {
    const std::size_t wanted = octets > free_octets ? octets - free_octets : 0;
    if (wanted > taken_ && !budget_.take(wanted - taken_)) return false;
    if (wanted < taken_) budget_.give_back(taken_ - wanted);
    taken_ = wanted;
    return true;
  }

 private:
  OctetBudget& budget_;
  std::size_t taken_ = 0;
};

/// Thread-safe; asked for a query that has to wait, never for a hit.
class WaitingBudget {
 public:
  explicit WaitingBudget(std::uint32_t most) : most_(most) {}
  WaitingBudget(const WaitingBudget&) = delete;
  WaitingBudget& operator=(const WaitingBudget&) = delete;

  OctetBudget octets;

  void set_most(std::uint32_t most) { most_.store(most, std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  friend class WaitingPlace;
  std::atomic<std::uint32_t> most_;
  std::atomic<std::uint32_t> taken_{0};
};

/// One place of the budget, given back when this ends. False when there was none.
class WaitingPlace {
 public:
  explicit WaitingPlace(WaitingBudget& budget) {
    if (budget.taken_.fetch_add(1, std::memory_order_relaxed) <
        budget.most_.load(std::memory_order_relaxed)) {
      budget_ = &budget;
    } else {
      budget.taken_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  WaitingPlace(WaitingPlace&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)) {}
  WaitingPlace& operator=(WaitingPlace&&) = delete;
  ~WaitingPlace() { give_back(); }

  void give_back() {
    if (budget_ != nullptr) budget_->taken_.fetch_sub(1, std::memory_order_relaxed);
    budget_ = nullptr;
  }

  explicit operator bool() const { return budget_ != nullptr; }

 private:
  WaitingBudget* budget_ = nullptr;
};

}  // namespace transports
