// Work handed to a worker: by another one under a short lock, by itself without; either way it is
// done once the loop comes round, and the worker is woken once per burst.
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

  void push(Work work) {
    const bool at_home = context_.get_executor().running_in_this_thread();
    if (at_home ? own_.put(std::move(work)) : put_from_outside(std::move(work)))
      boost::asio::post(context_, [this, at_home] { drain(at_home); });
  }

 private:
  /// Two rows, so that their memory is used again.
  struct Burst {
    /// True for the first: somebody has to see to it.
    bool put(Work work) {
      waiting.push_back(std::move(work));
      return waiting.size() == 1;
    }
    void run() {
      for (Work& work : running) work();
      running.clear();
    }
    std::vector<Work> waiting;
    std::vector<Work> running;
  };

  bool put_from_outside(Work work) {
    const std::scoped_lock lock{mutex_};
    return others_.put(std::move(work));
  }

  void drain(bool own) {
    if (own) {
      own_.waiting.swap(own_.running);
      return own_.run();
    }
    {
      const std::scoped_lock lock{mutex_};
      others_.waiting.swap(others_.running);
    }
    others_.run();
  }

  boost::asio::io_context& context_;
  Burst own_;  // the worker's thread alone touches it
  std::mutex mutex_;
  Burst others_;  // `waiting` under the lock, `running` on the worker's thread
};

}  // namespace gateway
