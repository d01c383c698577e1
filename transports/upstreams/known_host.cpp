// Telling, reading and waiting.
#include "transports/upstreams/known_host.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace transports {

KnownHost::Addresses KnownHost::addresses() const {
  const std::scoped_lock lock{mutex_};
  return addresses_;
}

std::string KnownHost::ignorance() const {
  const std::scoped_lock lock{mutex_};
  return ignorance_;
}

bool KnownHost::tell(Addresses addresses) {
  const std::scoped_lock lock{mutex_};
  if (addresses.empty() || addresses == addresses_) return false;
  addresses_ = std::move(addresses);
  ++version_;
  // It is in the list for as long as it listens, and so its loop lives.
  for (const std::shared_ptr<Listening>& each : listening_) {
    boost::asio::post(each->executor, [each] {
      if (each->told) each->told();
    });
  }
  return true;
}

void KnownHost::tell_ignorance(std::string clause) {
  const std::scoped_lock lock{mutex_};
  ignorance_ = std::move(clause);
}

std::vector<base::Endpoint> places_of(const conf::Upstream& upstream, const KnownHost* host) {
  if (host == nullptr) return upstream.places();
  std::vector<base::Endpoint> places;
  for (const base::Address& address : host->addresses())
    places.push_back({address, upstream.endpoint.port});
  return places;
}

std::shared_ptr<KnownHost> host_of(const conf::Upstream& upstream, Hosts* hosts) {
  if (upstream.bootstrap_resolvers.empty() || hosts == nullptr) return nullptr;
  return hosts->find(upstream);
}

HostListener::HostListener(const Executor& executor, std::shared_ptr<KnownHost> host,
                           std::function<void()> told)
    : host_(std::move(host)),
      listening_(std::make_shared<KnownHost::Listening>(executor, std::move(told))) {
  const std::scoped_lock lock{host_->mutex_};
  host_->listening_.push_back(listening_);
}

HostListener::~HostListener() {
  listening_->told = nullptr;  // what is posted already finds nobody
  const std::scoped_lock lock{host_->mutex_};
  std::erase(host_->listening_, listening_);
}

HostWaiter::HostWaiter(const Executor& executor, std::shared_ptr<KnownHost> host)
    : host_(std::move(host)) {
  if (!host_) return;
  woken_ = std::make_shared<Timer>(executor);
  listener_.emplace(executor, host_, [timer = woken_] { timer->cancel(); });
}

Awaitable<std::vector<base::Endpoint>> HostWaiter::places(const conf::Upstream& upstream,
                                                          base::TimePoint limit) {
  const std::shared_ptr<Timer> woken = woken_;  // a loop that is torn down ends coroutines last
  while (host_ && host_->version() == 0 && !given_up_ && base::Clock::now() < limit)
    co_await sleep_until(*woken, limit);
  co_return places_of(upstream, host_.get());
}

void HostWaiter::give_up() {
  given_up_ = true;
  if (woken_) woken_->cancel();
}

}  // namespace transports
