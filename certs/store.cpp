// Building what is served, watching it, putting it in place.
#include "certs/store.h"

#include <ifaddrs.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <ranges>
#include <utility>

namespace certs {

namespace {

constexpr std::size_t addresses_max = 64;  // in one leaf, on a machine with very many

/// Addresses of this machine's interfaces: what a listener on a wildcard address may be asked at.
std::vector<base::Address> interface_addresses(base::Family family) {
  std::vector<base::Address> found;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return found;
  const std::unique_ptr<ifaddrs, OpensslDelete<&::freeifaddrs>> all(first);
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const int wanted = family == base::Family::v4 ? AF_INET : AF_INET6;
    if (entry->ifa_addr->sa_family != wanted) continue;
    const base::Address address = base::Endpoint::from_sockaddr(*entry->ifa_addr).address;
    if (!address.is_link_local()) found.push_back(address);
  }
  return found;
}

LeafNames names_of(const conf::Server& server) {
  LeafNames names;
  if (!server.name.empty()) names.dns_names.push_back(server.name);
  names.dns_names.emplace_back("localhost");
  for (const conf::ListenAddress& listen : server.listen) {
    if (!conf::row_of(listen.protocol).encrypted) continue;
    const base::Address& address = listen.endpoint.address;
    if (!address.is_unspecified()) {
      names.addresses.push_back(address);
    } else {
      std::ranges::copy(interface_addresses(address.family()), std::back_inserter(names.addresses));
    }
  }
  std::ranges::sort(names.addresses);
  const auto repeated = std::ranges::unique(names.addresses);
  names.addresses.erase(repeated.begin(), repeated.end());
  if (names.addresses.size() > addresses_max) names.addresses.resize(addresses_max);
  return names;
}

bool encrypts(const conf::Server& server) {
  return std::ranges::any_of(server.listen, [](const conf::ListenAddress& listen) {
    return conf::row_of(listen.protocol).encrypted;
  });
}

bool past_two_thirds(const Identity& identity, std::time_t now) {
  return now >= identity.not_after - (identity.not_after - identity.not_before) / 3;
}

}  // namespace

std::expected<std::unique_ptr<Store>, std::vector<std::string>> Store::open(
    const conf::Config& config, base::Log& log, Wall wall) {
  std::unique_ptr<Store> store(new Store(config.tls.ticket_rotation, log, std::move(wall)));
  if (auto replaced = store->replace(config); !replaced)
    return std::unexpected(std::move(replaced.error()));
  return store;
}

Store::Store(std::chrono::seconds ticket_rotation, base::Log& log, Wall wall)
    : log_(log),
      wall_(std::move(wall)),
      tickets_(std::make_shared<TicketKeys>(ticket_rotation)),
      served_(std::make_shared<Served>()) {}

Store::~Store() {
  {
    const std::scoped_lock lock(watch_mutex_);
    watch_ending_ = true;
  }
  watch_ends_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

SslPtr Store::make_session(const Alpn& alpn) const {
  const std::shared_ptr<const Served> now = served();
  return now->context ? make_server_session(*now->context, alpn) : nullptr;
}

std::expected<void, std::vector<std::string>> Store::replace(const conf::Config& config) {
  const std::scoped_lock lock(change_mutex_);
  if (tickets_->rotation() != config.tls.ticket_rotation) {
    tickets_ = std::make_shared<TicketKeys>(config.tls.ticket_rotation);
  }
  auto built = build(config);
  if (!built) return std::unexpected(std::move(built.error()));
  put_in_place(std::move(*built));
  return {};
}

std::expected<Store::Served, std::vector<std::string>> Store::build(
    const conf::Config& config) const {
  Served next;
  next.tls = config.tls;
  std::vector<std::string> complaints;
  for (const conf::Certificate& files : config.certificates) {
    Pair pair{.files = files, .mark = mark_of(files), .identity = nullptr};
    auto identity = read_identity(files.chain_file, files.key_file, wall_());
    if (identity) {
      pair.identity = std::make_shared<Identity>(std::move(*identity));
      next.pairs.push_back(std::move(pair));
    } else {
      complaints.push_back(identity.error());
    }
  }
  if (config.certificates.empty() && encrypts(config.server)) {
    next.state_directory = config.server.state_directory;
    auto leaf = InternalCa(next.state_directory).leaf_for(names_of(config.server), wall_());
    if (leaf) {
      next.internal = std::make_shared<InternalLeaf>(std::move(*leaf));
    } else {
      complaints.push_back(leaf.error());
    }
  }
  if (complaints.empty()) {
    if (auto made = make_contexts(next); !made) complaints.push_back(made.error());
  }
  if (!complaints.empty()) return std::unexpected(std::move(complaints));
  return next;
}

/// The first identity's context is the one that handshakes begin with; it knows all of them.
std::expected<void, std::string> Store::make_contexts(Served& served) const {
  std::vector<std::shared_ptr<const Identity>> identities;
  for (const Pair& pair : served.pairs) identities.push_back(pair.identity);
  if (served.internal) {
    identities.push_back({served.internal, &served.internal->identity});
  }
  served.context.reset();
  std::vector<NamedContext> others;
  for (const std::shared_ptr<const Identity>& identity : identities) {
    auto context = make_server_context(served.tls, *identity, tickets_);
    if (!context) return std::unexpected(context.error());
    if (!served.context) {
      served.context = std::shared_ptr<SSL_CTX>(std::move(*context));
    } else {
      others.push_back({identity, std::move(*context)});
    }
  }
  if (!others.empty())
    choose_by_server_name(*served.context, identities.front(), std::move(others));
  return {};
}

void Store::look_again() {
  const std::scoped_lock lock(change_mutex_);
  Served next = *served();
  const bool pairs_changed = look_at_pairs(next);
  const bool internal_changed = look_at_internal(next);
  if (!pairs_changed && !internal_changed) return;
  if (auto made = make_contexts(next); !made) {
    log_.error("certificates not taken", {{"reason", made.error()}});
    return;
  }
  put_in_place(std::move(next));
}

bool Store::look_at_pairs(Served& next) {
  bool changed = false;
  for (Pair& pair : next.pairs) {
    const PairMark mark = mark_of(pair.files);
    const auto refused = refused_.find(pair.files.chain_file);
    if (mark == pair.mark || (refused != refused_.end() && mark == refused->second)) continue;
    auto identity = read_identity(pair.files.chain_file, pair.files.key_file, wall_());
    // Renewal tools write two files, one after the other: what changed while it was read is looked
    // at again.
    if (mark_of(pair.files) != mark) continue;
    if (!identity) {
      refused_[pair.files.chain_file] = mark;
      log_.error("certificate refused, the one before stays in use",
                 {{"reason", identity.error()}});
      continue;
    }
    log_.info("certificate taken",
              {{"name", identity->name}, {"fingerprint", identity->fingerprint}});
    pair.mark = mark;
    pair.identity = std::make_shared<Identity>(std::move(*identity));
    changed = true;
  }
  return changed;
}

bool Store::look_at_internal(Served& next) const {
  if (!next.internal || !past_two_thirds(next.internal->identity, wall_())) return false;
  auto leaf = InternalCa(next.state_directory).leaf_for(next.internal->names, wall_());
  if (!leaf) {
    log_.error("internal certificate not renewed", {{"reason", leaf.error()}});
    return false;
  }
  log_.info("internal certificate renewed", {{"fingerprint", leaf->identity.fingerprint}});
  next.internal = std::make_shared<InternalLeaf>(std::move(*leaf));
  return true;
}

void Store::watch(std::chrono::milliseconds interval) {
  watcher_ = std::thread([this, interval] {
    std::unique_lock lock(watch_mutex_);
    while (!watch_ends_.wait_for(lock, interval, [this] { return watch_ending_; })) {
      lock.unlock();
      look_again();
      lock.lock();
    }
  });
}

std::vector<Store::Facts> Store::facts() const {
  const std::shared_ptr<const Served> now = served();
  std::vector<Facts> all;
  for (const Pair& pair : now->pairs) {
    all.push_back(
        {pair.identity->name, pair.identity->not_after, pair.identity->fingerprint, false});
  }
  if (now->internal) {
    const Identity& identity = now->internal->identity;
    all.push_back({identity.name, identity.not_after, identity.fingerprint, true});
  }
  return all;
}

std::string Store::authority_file() const {
  const std::shared_ptr<const Served> now = served();
  return now->internal ? InternalCa(now->state_directory).authority_file() : std::string{};
}

void Store::put_in_place(Served next) {
  auto shared = std::make_shared<const Served>(std::move(next));
  const std::scoped_lock lock(served_mutex_);
  served_.swap(shared);
}

std::shared_ptr<const Store::Served> Store::served() const {
  const std::scoped_lock lock(served_mutex_);
  return served_;
}

std::time_t Store::wall_clock() {
  return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

Store::PairMark Store::mark_of(const conf::Certificate& files) {
  const auto mark = [](const std::string& file) -> FileMark {
    struct stat found{};
    if (::stat(file.c_str(), &found) != 0) return {};
    constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;
    return {.device = found.st_dev,
            .inode = found.st_ino,
            .size = found.st_size,
            .changed_ns = found.st_mtim.tv_sec * nanoseconds_per_second + found.st_mtim.tv_nsec};
  };
  return {mark(files.chain_file), mark(files.key_file)};
}

}  // namespace certs
