// A worker: one thread, one io_context, and everything that lives on them. Owned by App; ends with
// it.
#pragma once

#include <cstddef>
#include <expected>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "base/counters.h"
#include "base/epoch.h"
#include "base/log.h"
#include "gateway/home.h"
#include "gateway/mailbox.h"
#include "gateway/network_watch.h"
#include "gateway/pipeline.h"
#include "gateway/pipeline_counters.h"
#include "gateway/snapshot.h"
#include "transports/channel.h"
#include "transports/doh_service.h"
#include "transports/listeners/listeners.h"
#include "transports/listeners/udp_batch.h"
#include "transports/quic/workspace.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"
#include "transports/transport_counters.h"
#include "transports/upstreams/random.h"
#include "transports/upstreams/upstreams.h"

namespace gateway {

/// What all workers share; App owns it.
struct SharedParts {
  base::Log& log;
  base::MetricRegistry& metrics;
  base::Epochs& epochs;
  cache::AnswerCache& cache;
  Snapshots& snapshots;
  Flights& flights;
  const dns::ServerCookies& cookies;
  const certs::Store* certificates;  ///< null when nothing is encrypted
  certs::Authorities& authorities;
  transports::SessionRegistry& sessions;
  transports::WaitingBudget& waiting;
  transports::quic::Process& quic;
  std::span<const HomePort> homes;
  transports::Hosts& hosts;
  QueryObserver* observer = nullptr;
};

class Worker {
 public:
  /// Binds its listeners; throws a sentence when it cannot. Workers are made in the order of their
  /// numbers.
  Worker(const SharedParts& shared, const conf::Config& config, std::uint8_t number);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// The thread runs; queries are taken from open() on.
  void start();
  void open();
  /// Listeners take no more; ready when what was accepted is answered. From any thread. The
  /// worker's home goes on: other workers may still wait for its flights.
  std::future<void> drain(base::TimePoint drain_until);
  /// Links are closed and the thread ends; to be called when every worker has drained, and then
  /// join().
  void finish(base::TimePoint drain_until);
  void join();

  using Prepared = std::expected<void, std::string>;
  // A configuration comes in two steps, so that all workers take it or none. From any thread.
  /// Makes its upstreams for this worker's home; an upstream that cannot be made is a sentence.
  /// Nothing changes before take_prepared(), which every good prepare() is followed by, or
  /// drop_prepared().
  std::future<Prepared> prepare(std::shared_ptr<const Snapshot> snapshot);
  /// The home asks these upstreams from now on, and the listeners have the new limits.
  std::future<void> take_prepared();
  void drop_prepared();
  /// Has `work(home, promise)` done on the worker's thread; it keeps the promise then or later.
  template <class Told, class Work>
  std::future<Told> at_home(Work work) {
    std::promise<Told> promise;
    auto told = promise.get_future();
    mailbox_.push([this, work = std::move(work), promise = std::move(promise)]() mutable {
      work(home_, std::move(promise));
    });
    return told;
  }

  [[nodiscard]] HomePort port() { return {&home_, &mailbox_}; }
  [[nodiscard]] std::vector<base::Endpoint> local_endpoints() const;

 private:
  void take(const Snapshot& snapshot, std::shared_ptr<upstreams::Sets> sets);
  void retire(std::shared_ptr<upstreams::Sets> sets, base::TimePoint drain_until);
  void network_changed();
  std::expected<std::shared_ptr<upstreams::Sets>, std::string> make_upstreams(
      const Snapshot& snapshot);
  void stop_listeners(base::TimePoint drain_until, std::promise<void> done);
  transports::Awaitable<void> end(base::TimePoint drain_until);

  const SharedParts& shared_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<transports::Executor> work_{context_.get_executor()};
  base::MetricSheet& sheet_;
  base::EpochReader epoch_;
  Mailbox mailbox_{context_};
  Home home_;
  PipelineCounters counters_;
  Pipeline pipeline_;
  conf::Limits limits_;         // of the newest configuration
  conf::Proxy proxy_;           // likewise
  transports::DohService doh_;  // likewise
  transports::TimerWheel timers_{context_};
  transports::UdpBatch udp_batch_;
  transports::StreamWorkspace streams_;
  transports::DropCounters drops_;
  std::unique_ptr<transports::quic::Workspace> quic_;  // null where no QUIC is spoken
  transports::ListenerContext listener_context_;
  transports::Random random_;
  transports::ChannelBuffers receive_buffer_;
  transports::quic::QlogPlace qlogs_;  // of connections to upstreams
  transports::UpstreamContext upstream_context_;
  std::unique_ptr<NetworkWatch> network_;  // null when nobody wants to know
  base::Counter& network_changes_;
  std::shared_ptr<const Snapshot> next_;  // prepared; else null, as its upstreams
  std::shared_ptr<upstreams::Sets> next_upstreams_;
  std::vector<std::unique_ptr<transports::Listener>> listeners_;
  std::jthread thread_;
};

}  // namespace gateway
