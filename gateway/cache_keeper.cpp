// Loading, saving, and the time between.
#include "gateway/cache_keeper.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <string_view>

namespace gateway {
namespace {

cache::archive::Moment moment(std::uint64_t ways) {
  using std::chrono::system_clock;
  const auto wall = std::chrono::floor<std::chrono::seconds>(system_clock::now());
  return {wall.time_since_epoch().count(), base::seconds_of(base::Clock::now()), ways};
}

}  // namespace

CacheKeeper::CacheKeeper(cache::AnswerCache& cache, const Snapshots& snapshots, base::Log& log,
                         const std::string& state_directory)
    : cache_(cache),
      snapshots_(snapshots),
      log_(log),
      path_(std::filesystem::path(state_directory) / "cache.saved") {}

CacheKeeper::~CacheKeeper() { stop(std::chrono::milliseconds{0}); }

void CacheKeeper::start() {
  ways_ = policy::fingerprint_of_ways(snapshots_.share()->config);
  loading_ = true;
  thread_ = std::thread{[this] { run(); }};
}

void CacheKeeper::stop(std::chrono::milliseconds most) {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock{mutex_};
    stopping_ = true;
    give_up_ = base::Clock::now() + most;
    give_up_loading_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CacheKeeper::reconsider() {
  const std::uint64_t ways = policy::fingerprint_of_ways(snapshots_.share()->config);
  {
    // Under the mutex, so that no change falls between a look and a wait.
    const std::scoped_lock lock{mutex_};
    save_wanted_ = save_wanted_ || ways != ways_;  // the next run would not take what is on disk
    ways_ = ways;
  }
  changed_.notify_all();
}

std::uint64_t CacheKeeper::forget(const std::vector<Part>& parts) {
  {
    std::unique_lock lock{mutex_};
    if (loading_) {
      forgotten_.insert(forgotten_.end(), parts.begin(), parts.end());
      complete_ = true;
      // At the next block at the latest none of them is loaded any more, and what was goes below.
      changed_.wait(
          lock, [this, all = forgotten_.size()] { return !loading_ || passed_by_.size() >= all; });
    }
  }
  std::uint64_t count = 0;
  for (const Part& part : parts) count += cache_.flush(part.name, part.below);
  save_now();
  return count;
}

std::uint64_t CacheKeeper::forget_all() {
  {
    std::unique_lock lock{mutex_};
    complete_ = give_up_loading_ = true;
    changed_.wait(lock, [this] { return !loading_; });
  }
  const std::uint64_t count = cache_.flush();
  save_now();
  return count;
}

void CacheKeeper::save_now() {
  const std::uint64_t ways = policy::fingerprint_of_ways(snapshots_.share()->config);
  {
    const std::scoped_lock lock{mutex_};
    ways_ = ways;
    save_wanted_ = true;
  }
  changed_.notify_all();
}

void CacheKeeper::run() {
  const conf::Cache limits = snapshots_.share()->config.cache;
  std::unique_lock lock{mutex_};
  const std::uint64_t ways = ways_;
  lock.unlock();
  limits.save ? attempt([&] { load(limits, ways); }) : remove();
  lock.lock();
  loading_ = false;
  complete_ = complete_ || !cut_short_;
  forgotten_ = passed_by_ = {};
  changed_.notify_all();
  keep_saved(lock, limits.save);
}

/// The time after loading. The mutex is free while it saves and while it waits, and each round
/// looks at everything afresh.
void CacheKeeper::keep_saved(std::unique_lock<std::mutex>& lock, bool saved_before) {
  base::TimePoint last = base::Clock::now();
  for (;;) {
    const conf::Cache now = snapshots_.share()->config.cache;
    if (saved_before && !now.save) remove();
    saved_before = now.save;
    const bool may_save = now.save && complete_;
    const base::TimePoint next = last + now.save_interval;
    const bool ending = stopping_;
    if (may_save && (ending || save_wanted_ || base::Clock::now() >= next)) {
      save_wanted_ = false;
      const std::uint64_t ways = ways_;
      lock.unlock();
      attempt([this, ways] { save(ways); });
      last = base::Clock::now();
      lock.lock();
      if (ending && !save_wanted_) return;  // else much has changed since it began
    } else if (ending) {
      return;
    } else if (may_save) {
      changed_.wait_for(lock, next - base::Clock::now());
    } else {
      save_wanted_ = false;
      changed_.wait(lock);
    }
  }
}

/// Memory may be short; answers are more important than this.
template <class Work>
void CacheKeeper::attempt(Work&& work) {
  try {
    work();
  } catch (const std::exception& error) {
    log_.error("the cache could not be loaded or saved", {{"error", error.what()}});
  }
}

void CacheKeeper::load(const conf::Cache& limits, std::uint64_t ways) {
  const cache::archive::Loaded loaded = cache::archive::load(
      cache_, path_, limits, moment(ways), [this] { return go_on_loading(); },
      [this](dns::NameView name) { return is_wanted(name); });
  if (!loaded.found && loaded.error.empty()) return;
  if (loaded.other_ways) {
    log_.warning("saved cache not used: routes or upstreams are others than those it came from",
                 {{"file", path_}});
    return;
  }
  facts_.loaded = loaded.entries;
  facts_.too_old = loaded.too_old;
  facts_.refused = loaded.refused;
  facts_.damaged = loaded.damaged_blocks + loaded.damaged_entries;
  const bool sound = facts_.damaged == 0 && loaded.error.empty();
  const std::string_view outcome = !sound ? "saved cache is damaged, what is sound was loaded"
                                   : loaded.given_up
                                       ? "saved cache loaded in part: loading was ended"
                                       : "saved cache loaded";
  log_.write(sound ? base::LogLevel::info : base::LogLevel::warning, outcome,
             {{"file", path_},
              {"entries", loaded.entries},
              {"too_old", loaded.too_old},
              {"superseded", loaded.refused},
              {"damaged_blocks", loaded.damaged_blocks},
              {"damaged_entries", loaded.damaged_entries},
              {"clock_went_back", loaded.clock_went_back},
              {"error", loaded.error}});
}

/// Between two blocks.
bool CacheKeeper::go_on_loading() {
  {
    const std::scoped_lock lock{mutex_};
    passed_by_ = forgotten_;
    cut_short_ = give_up_loading_;
    if (cut_short_) return false;
  }
  changed_.notify_all();
  return true;
}

bool CacheKeeper::is_wanted(dns::NameView name) const {
  return std::ranges::none_of(passed_by_, [name](const Part& part) {
    return part.below ? name.is_at_or_below(part.name.view()) : name == part.name.view();
  });
}

void CacheKeeper::save(std::uint64_t ways) {
  const auto go_on = [this] {
    const std::scoped_lock lock{mutex_};
    return !give_up_ || base::Clock::now() < *give_up_;
  };
  const cache::archive::Moment now = moment(ways);
  const auto saved = cache::archive::save(cache_, path_, now, go_on);
  if (!saved) {
    ++facts_.failed_saves;
    if (saved.error() != complaint_)
      log_.error("the cache cannot be saved, answers are not affected", {{"error", saved.error()}});
    complaint_ = saved.error();
    return;
  }
  if (!complaint_.empty()) log_.info("the cache can be saved again");
  complaint_.clear();
  ++facts_.saves;
  facts_.saved_entries = saved->entries;
  facts_.saved_octets = saved->octets;
  facts_.saved_at = now.unix_seconds;
}

void CacheKeeper::remove() {
  if (::unlink(path_.c_str()) == 0)
    log_.info("saved cache removed, for it is not to be kept", {{"file", path_}});
}

}  // namespace gateway
