// Notices that the machine's addresses or routes change: the kernel's rtnetlink(7) notices, of
// which a burst counts once. Owned by its worker, on whose loop it runs.
#pragma once

#include <chrono>
#include <functional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "base/log.h"
#include "transports/awaitable.h"
#include "transports/upstreams/timer.h"

namespace gateway {

class NetworkWatch {
 public:
  /// A change comes as several notices: this long after the first it is told.
  static constexpr std::chrono::milliseconds settling{200};

  NetworkWatch(boost::asio::io_context& context, base::Log& log, std::function<void()> changed);
  NetworkWatch(const NetworkWatch&) = delete;
  NetworkWatch& operator=(const NetworkWatch&) = delete;

  /// `changed` is called from now on, until the loop ends. Where the system gives no such notices
  /// there are none, and the log says so.
  void start();

 private:
  /// So many notices are read in one turn; the loop has other things to do.
  static constexpr unsigned notices_most = 64;

  transports::Awaitable<void> run();
  /// Whether there was any. They are read and not believed: who is told looks for himself.
  bool take_notices();

  base::Log& log_;
  std::function<void()> changed_;
  boost::asio::posix::basic_stream_descriptor<transports::Executor> notices_;
  transports::Timer timer_;
};

}  // namespace gateway
