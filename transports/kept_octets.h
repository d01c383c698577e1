// A message, or what is left of one, that is kept between wake-ups: the first octets inside, the
// rest on the heap as they come, never as a peer promises, and within the budget of all. Owned by a
// session's stream.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "transports/waiting_budget.h"

namespace transports {

class KeptOctets {
 public:
  /// Most queries fit in, padding included (RFC 8467 §4.1).
  static constexpr std::size_t inside_max = 304;

  explicit KeptOctets(OctetBudget& budget) : budget_(&budget) {}
  ~KeptOctets() { clear(); }
  KeptOctets(const KeptOctets&) = delete;
  KeptOctets& operator=(const KeptOctets&) = delete;

  [[nodiscard]] base::Bytes all() const {
    return heap_.empty() ? base::Bytes{inside_.data(), size_} : base::Bytes{heap_};
  }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Space for `size` octets more behind what is there, to be filled at once; empty when the budget
  /// has not got them.
  base::MutableBytes extend(std::size_t size) {
    const std::size_t whole = size_ + size;
    if (whole <= inside_max && heap_.empty()) {
      size_ = static_cast<std::uint32_t>(whole);
      return {inside_.data() + whole - size, size};
    }
    if (!budget_->take(whole - heap_.size())) return {};
    if (heap_.empty()) heap_.assign(inside_.begin(), inside_.begin() + size_);
    heap_.resize(whole);
    size_ = static_cast<std::uint32_t>(whole);
    return base::MutableBytes{heap_}.subspan(whole - size);
  }
  bool append(base::Bytes octets) {
    if (octets.empty()) return true;
    const base::MutableBytes space = extend(octets.size());
    if (space.empty()) return false;
    std::memcpy(space.data(), octets.data(), octets.size());
    return true;
  }
  /// Forgets the first `size` octets.
  void drop_front(std::size_t size) {
    if (size == size_) return clear();
    if (heap_.empty()) {
      std::memmove(inside_.data(), inside_.data() + size, size_ - size);
    } else {
      heap_.erase(heap_.begin(), heap_.begin() + static_cast<std::ptrdiff_t>(size));
      budget_->give_back(size);
    }
    size_ -= static_cast<std::uint32_t>(size);
  }
  /// Takes a whole message's memory over; false when the budget has not got its octets.
  bool adopt(std::vector<std::uint8_t> octets) {
    clear();
    if (!budget_->take(octets.size())) return false;
    heap_ = std::move(octets);
    size_ = static_cast<std::uint32_t>(heap_.size());
    return true;
  }
  void clear() {
    if (!heap_.empty()) {
      budget_->give_back(heap_.size());
      heap_ = {};
    }
    size_ = 0;
  }

 private:
  OctetBudget* budget_;
  std::vector<std::uint8_t> heap_;
  std::uint32_t size_ = 0;
  std::array<std::uint8_t, inside_max> inside_;
};

}  // namespace transports
