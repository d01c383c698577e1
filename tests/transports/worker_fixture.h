// A worker for listener tests: a loop on a thread of its own, everything a listener needs, and an
// answerer whose behaviour the asked name decides. Owned by the test; the thread ends with it.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "base/counters.h"
#include "base/log.h"
#include "certs/store.h"
#include "transports/coroutine_answerer.h"
#include "transports/doh_service.h"
#include "transports/listeners/listeners.h"
#include "transports/listeners/udp_batch.h"
#include "transports/quic/workspace.h"
#include "transports/session_registry.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"

namespace transports::test {

using Octets = std::vector<std::uint8_t>;

/// A query for `name`. type 65280 and no EDNS unless said.
Octets query_for(std::string_view name, std::uint16_t id, bool edns = false);
/// The same behind its length, as streams carry it.
Octets framed(const Octets& message);
Octets operator+(Octets left, const Octets& right);
std::uint16_t id_of(const Octets& message);
dns::Rcode rcode_of(const Octets& message);

/// "now.": NOERROR at once. "big.": 60,000 octets of rdata at once. "wait.": held until the next
/// "go.", or until its deadline, then SERVFAIL. "soon.": the long way, but without waiting.
/// "silent.": no answer.
class FakeAnswerer final : public CoroutineAnswerer {
 public:
  using CoroutineAnswerer::CoroutineAnswerer;

  base::TimePoint begin_batch() override;
  void end_batch() override { --batches_open_; }
  bool answer_now(const Query& query, Reply& reply) override;

  /// What "go." does.
  void release();

  std::atomic<int> asked_now{0};
  std::atomic<int> waiting{0};
  std::atomic<int> waiting_most{0};
  Query last;                                 ///< read it on the worker
  std::atomic<std::uint64_t> allocations{0};  ///< of the worker's thread, as of the last query
  /// Most that a listener did between two queries of one batch; read them on the worker.
  std::uint64_t allocations_between = 0;
  std::uint64_t locks_between = 0;

 private:
  Awaitable<Answer> answer_late(Query query) override;
  bool answer_by_name(const Query& query, Reply& reply);

  using Timer = boost::asio::basic_waitable_timer<base::Clock,
                                                  boost::asio::wait_traits<base::Clock>, Executor>;
  std::list<Timer*> held_;
  int batches_open_ = 0;
  bool first_of_batch_ = true;
  std::uint64_t allocations_seen_ = 0;
  std::uint64_t locks_seen_ = 0;
};

class Worker {
 public:
  /// `certificates` for tls:// listeners.
  explicit Worker(conf::Limits worker_limits = {}, const certs::Store* certificates = nullptr);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// "udp://127.0.0.1:0"; started. The endpoint has the port that the kernel chose.
  base::Endpoint listen(std::string_view url);
  /// Runs on the worker's thread and gives the result.
  template <class F>
  auto on_worker(F function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    boost::asio::post(io, [&task] { task(); });
    return result.get();
  }
  /// Stops all listeners; ready when the last has drained.
  std::future<void> stop_listeners(std::chrono::milliseconds drain);

  [[nodiscard]] double drops(std::string_view reason) const;
  /// Waits, ten seconds at most, until it holds.
  static bool eventually(const std::function<bool()>& holds);

  base::MetricRegistry registry;
  WaitingBudget
      waiting;  // before the loop: queries that still wait when it ends give their places back
  boost::asio::io_context io{1};
  conf::Limits limits;             ///< before the first listen(), or on the worker
  conf::Proxy proxy;               ///< likewise
  DohService doh{conf::Config{}};  ///< likewise
  FakeAnswerer answerer{io};
  SessionRegistry sessions;
  TimerWheel timers{io};
  UdpBatch udp_batch;
  std::unique_ptr<StreamWorkspace> streams = std::make_unique<StreamWorkspace>();
  base::Log log{{.level = base::LogLevel::off}};
  base::MetricSheet& sheet;
  DropCounters drop_counters{sheet};
  quic::Process process;
  std::unique_ptr<quic::Workspace> quic_work;
  ListenerContext context;
  std::vector<std::unique_ptr<Listener>> listeners;

 private:
  Awaitable<void> stop_all(base::TimePoint drain_until);

  boost::asio::executor_work_guard<Executor> work_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace transports::test
