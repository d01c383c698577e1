// Keeps the cache warm from one run to the next: loads it in the background at the start, saves it
// now and then and at the end, on a thread of its own. Workers never wait for it. Owned by App.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "cache/answer_cache.h"
#include "cache/archive.h"
#include "dns/name.h"
#include "gateway/snapshot.h"

namespace gateway {

class CacheKeeper {
 public:
  /// For metrics and `cache stats`: written by the keeper's thread, read by any.
  struct Facts {
    std::atomic<std::uint64_t> saves{0};
    std::atomic<std::uint64_t> failed_saves{0};
    std::atomic<std::uint64_t> saved_entries{0};  ///< the last time
    std::atomic<std::uint64_t> saved_octets{0};
    std::atomic<std::int64_t> saved_at{0};  ///< Unix time of the last good one; 0: none yet
    std::atomic<std::uint64_t> loaded{0};
    std::atomic<std::uint64_t> too_old{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> damaged{0};  ///< entries; a damaged block counts as one
  };

  CacheKeeper(cache::AnswerCache& cache, const Snapshots& snapshots, base::Log& log,
              const std::string& state_directory);
  ~CacheKeeper();
  CacheKeeper(const CacheKeeper&) = delete;
  CacheKeeper& operator=(const CacheKeeper&) = delete;

  /// Begins to load; returns at once.
  void start();
  /// Saves a last time, unless the cache is not to be saved, or what is on disk was not all loaded
  /// yet and stays; and ends, within `most`. Once.
  void stop(std::chrono::milliseconds most);
  /// Another configuration holds from now on, and what it leads elsewhere is forgotten: what is in
  /// the cache came by its ways.
  void reconsider();
  /// A name, with all that is below it or alone.
  struct Part {
    dns::Name name;
    bool below = false;
  };
  /// Flushes these from the cache, and keeps them from coming back from the disk: what is still to
  /// be loaded of them is not, and the cache is saved as soon as it can be. Gives how many entries
  /// went.
  std::uint64_t forget(const std::vector<Part>& parts);
  /// The same for everything: loading ends.
  std::uint64_t forget_all();

  [[nodiscard]] const Facts& facts() const { return facts_; }

 private:
  void run();
  void keep_saved(std::unique_lock<std::mutex>& lock, bool saved_before);
  template <class Work>
  void attempt(Work&& work);
  void load(const conf::Cache& limits, std::uint64_t ways);
  bool go_on_loading();
  [[nodiscard]] bool is_wanted(dns::NameView name) const;
  void save(std::uint64_t ways);
  void remove();
  void save_now();

  cache::AnswerCache& cache_;
  const Snapshots& snapshots_;
  base::Log& log_;
  const std::string path_;
  Facts facts_;
  std::string complaint_;  // of the last save; told once

  std::mutex mutex_;
  std::condition_variable changed_;
  bool loading_ = false;  // the nine below under the mutex
  bool stopping_ = false;
  bool save_wanted_ = false;
  std::uint64_t ways_ = 0;  // of what is in the cache
  bool complete_ = false;  // what was on disk is in the cache, or must not stay: it may be replaced
  bool give_up_loading_ = false;
  bool cut_short_ = false;       // loading was, before the file's end
  std::vector<Part> forgotten_;  // while it loads
  std::optional<base::TimePoint> give_up_;
  std::vector<Part> passed_by_;  // of the forgotten, what is no longer loaded: written by the
                                 // keeper's thread alone, under the mutex
  std::thread thread_;
};

}  // namespace gateway
