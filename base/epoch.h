// Reclamation for what many threads read without locks (epoch-based; Fraser 2004, McKenney's QSBR).
// A reader announces a batch, reads shared pointers inside it, and keeps none after it. A writer
// unlinks an object, notes the epoch, and frees it when no reader's batch is as old as that.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace base {

/// Owned by App; outlives every reader and everything reclaimed through it.
class Epochs {
 public:
  static constexpr std::size_t readers_max = 256;
  static constexpr std::uint64_t offline = ~std::uint64_t{0};

  Epochs() = default;
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;

  /// The stamp for an object that has just been unlinked (with a seq_cst store or exchange): later
  /// batches cannot see it. To be called after the unlinking.
  std::uint64_t retire_stamp() { return global_.fetch_add(1); }

  /// Objects stamped below this may be freed.
  [[nodiscard]] std::uint64_t safe_before() const {
    std::uint64_t oldest = global_.load();
    const std::size_t count = registered_.load();
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t seen = slots_[i].epoch.load();
      if (seen < oldest) oldest = seen;
    }
    return oldest;
  }

 private:
  friend class EpochReader;

  struct alignas(64) Slot {
    std::atomic<std::uint64_t> epoch{offline};
    std::atomic<bool> taken{false};
  };

  Slot& take_slot() {
    for (std::size_t i = 0; i < readers_max; ++i) {
      bool expected = false;
      if (!slots_[i].taken.compare_exchange_strong(expected, true)) continue;
      std::size_t count = registered_.load();
      while (count < i + 1 && !registered_.compare_exchange_weak(count, i + 1)) {
      }
      return slots_[i];
    }
    throw std::length_error("more than 256 threads read shared state");
  }

  alignas(64) std::atomic<std::uint64_t> global_{1};
  std::atomic<std::size_t> registered_{0};
  std::array<Slot, readers_max> slots_;
};

/// One thread's side. Every load of a shared pointer inside a batch is seq_cst (a plain load on
/// x86, ldar on ARM), which together with the seq_cst announcement makes reclamation safe.
class EpochReader {
 public:
  explicit EpochReader(Epochs& epochs) : epochs_(epochs), slot_(epochs.take_slot()) {}
  ~EpochReader() {
    slot_.epoch.store(Epochs::offline);
    slot_.taken.store(false);
  }
  EpochReader(const EpochReader&) = delete;
  EpochReader& operator=(const EpochReader&) = delete;

  void begin() {
    if (depth_++ == 0) slot_.epoch.store(epochs_.global_.load());
  }
  void end() {
    if (--depth_ == 0) slot_.epoch.store(Epochs::offline, std::memory_order_release);
  }
  [[nodiscard]] bool inside() const { return depth_ != 0; }

 private:
  Epochs& epochs_;
  Epochs::Slot& slot_;
  unsigned depth_ = 0;  // batches may nest: a listener's around a pipeline's
};

/// A batch for the length of a scope.
class EpochBatch {
 public:
  explicit EpochBatch(EpochReader& reader) : reader_(reader) { reader_.begin(); }
  ~EpochBatch() { reader_.end(); }
  EpochBatch(const EpochBatch&) = delete;
  EpochBatch& operator=(const EpochBatch&) = delete;

 private:
  EpochReader& reader_;
};

}  // namespace base
