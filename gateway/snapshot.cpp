// Compiling a configuration into what queries are held against, and swapping it.
#include "gateway/snapshot.h"

#include <algorithm>
#include <utility>

namespace gateway {
namespace {

bool is_without_links(const conf::Upstream& upstream) {
  return upstream.protocol == conf::Protocol::udp;
}

/// What the file does not say of a set is usual.
std::vector<conf::Set> sets_of(const conf::Config& config) {
  std::vector<conf::Set> sets;
  const auto add = [&](std::string_view name) {
    if (std::ranges::contains(sets, name, &conf::Set::name)) return;
    const auto written = std::ranges::find(config.sets, name, &conf::Set::name);
    conf::Set& set = sets.emplace_back(written == config.sets.end() ? conf::Set{} : *written);
    set.name = name;
  };
  add(conf::default_set);
  for (const conf::Upstream& upstream : config.upstreams) add(upstream.set);
  return sets;
}

}  // namespace

Snapshot::Snapshot(conf::Config from, std::size_t worker_count)
    : config(std::move(from)),
      workers(worker_count),
      homes(std::ranges::all_of(config.upstreams, is_without_links) ? workers : 1),
      sets(sets_of(config)),
      allowed(config.server.allow),
      routes(config.routes),
      special_names(config.server.forward_special_names, routes.names()) {}

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
