// How many queries may wait for an upstream at once, over all listeners and workers: what waits
// costs memory, and a flood of names that nobody has cached must not take it all. Owned by App.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace transports {

/// Thread-safe; asked for a query that has to wait, never for a hit.
class WaitingBudget {
 public:
  explicit WaitingBudget(std::uint32_t most) : most_(most) {}
  WaitingBudget(const WaitingBudget&) = delete;
  WaitingBudget& operator=(const WaitingBudget&) = delete;

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
  ~WaitingPlace() {
    if (budget_ != nullptr) budget_->taken_.fetch_sub(1, std::memory_order_relaxed);
  }

  explicit operator bool() const { return budget_ != nullptr; }

 private:
  WaitingBudget* budget_ = nullptr;
};

}  // namespace transports
