// The configuration as queries see it: one immutable object behind one atomic pointer. A reload
// builds a whole new one and swaps it, or changes nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/epoch.h"
#include "conf/config.h"
#include "gateway/policy/access.h"
#include "gateway/policy/routes.h"
#include "gateway/policy/special_names.h"

namespace gateway {

struct Snapshot {
  /// `worker_count`: which a reload does not change.
  Snapshot(conf::Config from, std::size_t worker_count);

  conf::Config config;
  std::size_t workers;
  std::size_t homes;  ///< how many workers keep links: all of them when there are no links to keep
  std::vector<conf::Set> sets;  ///< the default one, and every other that has an upstream
  policy::AccessList allowed;
  policy::Routes routes;
  policy::SpecialNames special_names;
};

/// Owned by App. A snapshot that was replaced is kept until no reader's batch can see it.
class Snapshots {
 public:
  Snapshots(base::Epochs& epochs, std::shared_ptr<const Snapshot> first);

  /// Inside a batch, and valid for that long: one load.
  [[nodiscard]] const Snapshot& current() const { return *current_.load(); }
  /// For what outlives a batch; takes a lock.
  [[nodiscard]] std::shared_ptr<const Snapshot> share() const;
  void publish(std::shared_ptr<const Snapshot> next);

 private:
  base::Epochs& epochs_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> owner_;
  std::vector<std::pair<std::uint64_t, std::shared_ptr<const Snapshot>>>
      replaced_;  // with their stamps
  std::atomic<const Snapshot*> current_;
};

}  // namespace gateway
