// Where an upstream's host is, as far as is known by now. Whoever looks hosts up tells it; links
// read it at each dial, and wait for it without holding a thread up. RFC 8310 §6: the address may
// come from anybody, for the host proves itself by its certificate. Shared by both, and by threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "conf/config.h"
#include "transports/awaitable.h"
#include "transports/upstreams/timer.h"

namespace transports {

class KnownHost {
 public:
  using Addresses = std::vector<base::Address>;

  /// `unreachable` is called on any thread when a dial has failed at every known address.
  KnownHost(std::string ignorance, std::function<void()> unreachable)
      : unreachable_(std::move(unreachable)), ignorance_(std::move(ignorance)) {}
  KnownHost(const KnownHost&) = delete;
  KnownHost& operator=(const KnownHost&) = delete;

  /// In the order to be tried; none when nothing is known yet.
  [[nodiscard]] Addresses addresses() const;
  /// Another number whenever the addresses are others; 0: nothing is known yet.
  [[nodiscard]] std::uint64_t version() const { return version_.load(); }
  /// Why nothing is known yet, and who was asked: a clause.
  [[nodiscard]] std::string ignorance() const;

  // ---- for who looks it up

  /// Not none: what is known stays until better is known. True when they are others than before.
  bool tell(Addresses addresses);
  void tell_ignorance(std::string clause);

 private:
  friend class HostListener;
  friend class HostWaiter;
  struct Listening {
    Executor executor;
    std::function<void()> told;  // null once nobody listens
  };

  const std::function<void()> unreachable_;
  std::atomic<std::uint64_t> version_{0};
  mutable std::mutex mutex_;
  Addresses addresses_;  // these three under the mutex
  std::string ignorance_;
  std::vector<std::shared_ptr<Listening>> listening_;
};

/// Who looks hosts up, or knows who does. Outlives the upstreams.
class Hosts {
 public:
  /// The host of an upstream that has `bootstrap_resolvers`; from any thread.
  virtual std::shared_ptr<KnownHost> find(const conf::Upstream& upstream) = 0;

 protected:
  ~Hosts() = default;
};

/// Where the upstream is, if that has to be looked up; null where its configuration says it.
std::shared_ptr<KnownHost> host_of(const conf::Upstream& upstream, Hosts* hosts);

/// Where an upstream is by now; `host` is null for one whose configuration says it.
std::vector<base::Endpoint> places_of(const conf::Upstream& upstream, const KnownHost* host);

/// Is told, on its own loop, whenever the host's addresses are others than before.
class HostListener {
 public:
  HostListener(const Executor& executor, std::shared_ptr<KnownHost> host,
               std::function<void()> told);
  ~HostListener();
  HostListener(const HostListener&) = delete;
  HostListener& operator=(const HostListener&) = delete;

 private:
  std::shared_ptr<KnownHost> host_;
  std::shared_ptr<KnownHost::Listening> listening_;
};

/// A dial's view of its upstream's places. Owned by the connection that is dialled.
class HostWaiter {
 public:
  HostWaiter(const Executor& executor, std::shared_ptr<KnownHost> host);
  ~HostWaiter() = default;
  HostWaiter(const HostWaiter&) = delete;
  HostWaiter& operator=(const HostWaiter&) = delete;

  /// Waits for the first of them until `limit` at the latest; none then, and after give_up().
  Awaitable<std::vector<base::Endpoint>> places(const conf::Upstream& upstream,
                                                base::TimePoint limit);
  void give_up();
  [[nodiscard]] std::string ignorance() const {
    return host_ ? host_->ignorance() : "nobody looks its address up";
  }
  /// None of the places could be reached: others may be right by now.
  void unreachable() const {
    if (host_) host_->unreachable_();
  }

 private:
  std::shared_ptr<KnownHost> host_;
  std::shared_ptr<Timer> woken_;  // null when nothing has to be looked up
  std::optional<HostListener> listener_;
  bool given_up_ = false;
};

}  // namespace transports
