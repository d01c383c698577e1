// A worker's world for tests of upstreams: loop, randomness, counters, log. Everything that runs in
// it is bounded in time.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/counters.h"
#include "base/log.h"
#include "conf/config.h"
#include "transports/upstreams/upstreams.h"

namespace test_support {

class UpstreamLoop {
 public:
  UpstreamLoop();

  [[nodiscard]] transports::UpstreamContext context();
  [[nodiscard]] boost::asio::io_context& loop() { return loop_; }

  /// Runs the loop until `work` has ended; fails the test program after ten seconds.
  template <class T>
  T run(transports::Awaitable<T> work) {
    std::optional<T> result;
    start(std::move(work), result);
    run_until([&result] { return result.has_value(); });
    return std::move(*result);
  }
  void run(transports::Awaitable<void> work);

  /// Begins `work`; `result` is filled when it ends.
  template <class T>
  void start(transports::Awaitable<T> work, std::optional<T>& result) {
    boost::asio::co_spawn(loop_, std::move(work),
                          [&result](const std::exception_ptr& error, T value) {
                            if (error) std::rethrow_exception(error);
                            result.emplace(std::move(value));
                          });
  }

  template <class Condition>
  void run_until(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!condition()) {
      if (std::chrono::steady_clock::now() >= limit)
        throw std::runtime_error("the loop did not get there in time");
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds{20});
    }
  }

  /// The sum of a family's counters on this worker's sheet.
  [[nodiscard]] double total(std::string_view family, const base::Labels& labels = {}) const {
    return registry_.total(family, labels);
  }

 private:
  base::MetricRegistry registry_;
  base::MetricSheet& sheet_;
  base::Log log_;
  transports::Random random_;
  std::unique_ptr<transports::ChannelBuffers> receive_buffer_ =
      std::make_unique<transports::ChannelBuffers>();
  certs::Authorities authorities_;
  boost::asio::io_context loop_{1};
  transports::TimerWheel timers_{loop_, std::chrono::milliseconds{2}};
};

/// "www.example.com" of type A in class IN.
transports::Ask ask_for(std::string_view name, dns::RrType type = dns::RrType::a);
base::TimePoint in(std::chrono::milliseconds time);
/// The last octet of the first A record of answer_to().
int last_octet(const dns::KeptAnswer& answer);

}  // namespace test_support
