// Work handed to another worker: pushed under a short lock, and the receiver is woken once per
// burst.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace gateway {

/// Owned by its worker. push() from any thread; the work runs on the worker's.
class Mailbox {
 public:
  using Work = std::move_only_function<void()>;

  explicit Mailbox(boost::asio::io_context& context) : context_(context) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  [[nodiscard]] boost::asio::io_context::executor_type executor() const {
    return context_.get_executor();
  }

  void push(Work work) {
    bool wake = false;
    {
      const std::scoped_lock lock{mutex_};
      wake = waiting_.empty();
      waiting_.push_back(std::move(work));
    }
    if (wake) boost::asio::post(context_, [this] { drain(); });
  }

 private:
  void drain() {
    std::vector<Work> burst;
    {
      const std::scoped_lock lock{mutex_};
      burst.swap(waiting_);
    }
    for (Work& work : burst) work();
  }

  boost::asio::io_context& context_;
  std::mutex mutex_;
  std::vector<Work> waiting_;
};

}  // namespace gateway
