// Work handed to a worker: by another one under a short lock, and the worker is woken once per
// burst; by itself without, and it is done before the turn ends.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "transports/turn.h"

namespace gateway {

/// Owned by its worker. push() from any thread; the work runs on the worker's.
class Mailbox final : private transports::Turn::Task {
 public:
  using Work = std::move_only_function<void()>;

  explicit Mailbox(boost::asio::io_context& context)
      : context_(context), turn_(transports::Turn::of(context)) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void push(Work work) {
    if (context_.get_executor().running_in_this_thread()) {
      own_.waiting.push_back(std::move(work));
      turn_.at_end(*this);
    } else if (put_from_outside(std::move(work))) {
      boost::asio::post(context_, [this] { take_from_outside(); });
    }
  }

 private:
  /// Two rows, so that their memory is used again.
  struct Burst {
    void run() {
      for (Work& work : running) work();
      running.clear();
    }
    std::vector<Work> waiting;
    std::vector<Work> running;
  };

  /// True for the first: somebody has to see to it.
  bool put_from_outside(Work work) {
    const std::scoped_lock lock{mutex_};
    others_.waiting.push_back(std::move(work));
    return others_.waiting.size() == 1;
  }

  void at_end_of_turn() override {
    own_.waiting.swap(own_.running);
    own_.run();
  }

  void take_from_outside() {
    const transports::Turn::Scope turn(turn_);
    {
      const std::scoped_lock lock{mutex_};
      others_.waiting.swap(others_.running);
    }
    others_.run();
  }

  boost::asio::io_context& context_;
  transports::Turn& turn_;
  Burst own_;  // the worker's thread alone touches it
  std::mutex mutex_;
  Burst others_;  // `waiting` under the lock, `running` on the worker's thread
};

}  // namespace gateway
