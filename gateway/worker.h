// A worker: one thread, one io_context, and everything that lives on them. Owned by App; ends with it.
#pragma once

#include <cstddef>
#include <future>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "base/counters.h"
#include "base/epoch.h"
#include "base/log.h"
#include "gateway/home.h"
#include "gateway/mailbox.h"
#include "gateway/pipeline.h"
#include "gateway/pipeline_counters.h"
#include "gateway/snapshot.h"
#include "transports/listeners/listeners.h"
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
  certs::Store& certificates;
  certs::Authorities& authorities;
  transports::SessionRegistry& sessions;
  std::span<const HomePort> homes;
  QueryObserver* observer = nullptr;
};

class Worker {
 public:
  /// Binds its listeners; throws a sentence when it cannot.
  Worker(std::size_t index, const SharedParts& shared, const conf::Config& config);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  /// Listeners take no more, what was accepted is answered, links are closed; then the thread ends. From any thread.
  void stop(base::TimePoint drain_until);
  void join();

  /// New upstreams for this worker's home, and new limits for its listeners. From any thread; ready when done.
  std::future<void> configure(std::shared_ptr<const Snapshot> snapshot);
  std::future<std::vector<UpstreamSet::State>> upstream_states();

  [[nodiscard]] HomePort port() { return {&home_, &mailbox_}; }
  [[nodiscard]] std::vector<base::Endpoint> local_endpoints() const;

 private:
  void take_configuration(const Snapshot& snapshot);
  transports::Awaitable<void> drain(base::TimePoint drain_until);

  std::size_t index_;
  const SharedParts& shared_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<transports::Executor> work_{context_.get_executor()};
  base::MetricSheet& sheet_;
  base::EpochReader epoch_;
  Mailbox mailbox_{context_};
  Home home_;
  PipelineCounters counters_;
  Pipeline pipeline_;
  transports::ListenerContext listener_context_;
  transports::UpstreamContext upstream_context_;
  std::vector<std::unique_ptr<transports::Listener>> listeners_;
  std::jthread thread_;
};

}  // namespace gateway
