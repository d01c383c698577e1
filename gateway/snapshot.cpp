// Compiling a configuration into what queries are held against, and swapping it.
#include "gateway/snapshot.h"

#include <algorithm>
#include <utility>

namespace gateway {
namespace {

bool is_without_links(const conf::Upstream& upstream) {
  return upstream.protocol == conf::Protocol::udp;
}

}  // namespace

Snapshot::Snapshot(conf::Config from, std::size_t worker_count)
    : config(std::move(from)),
      workers(worker_count),
      homes(std::ranges::all_of(config.upstreams, is_without_links) ? workers : 1),
      allowed(config.server.allow),
      special_names(config.server.forward_special_names) {}

Snapshots::Snapshots(base::Epochs& epochs, std::shared_ptr<const Snapshot> first)
    : epochs_(epochs), owner_(std::move(first)), current_(owner_.get()) {}

std::shared_ptr<const Snapshot> Snapshots::share() const {
  const std::scoped_lock lock{mutex_};
  return owner_;
}

void Snapshots::publish(std::shared_ptr<const Snapshot> next) {
  const std::scoped_lock lock{mutex_};
  current_.store(next.get());
  replaced_.emplace_back(epochs_.retire_stamp(), std::exchange(owner_, std::move(next)));
  const std::uint64_t safe = epochs_.safe_before();
  std::erase_if(replaced_, [safe](const auto& old) { return old.first < safe; });
}

}  // namespace gateway
