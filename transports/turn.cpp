// The end of a turn.
#include "transports/turn.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace transports {

namespace {
/// What tasks bring about is done in the same turn, but the kernel's news have to be heard, too.
constexpr int tasks_most = 64;
}  // namespace

void Turn::add(Tasks& tasks, Task& task) {
  if (task.is_linked()) return;
  const bool waits = &task == running_;
  (waits ? next_ : tasks).push_back(task);
  if (waits || depth_ == 0) post();
}

void Turn::post() {
  if (std::exchange(posted_, true)) return;
  boost::asio::post(loop_, [this] {
    posted_ = false;
    const Scope turn(*this);
    soon_.splice(soon_.end(), next_);
  });
}

void Turn::run_tasks() {
  for (int i = 0; i < tasks_most; ++i) {
    Tasks& tasks = soon_.empty() ? later_ : soon_;
    if (tasks.empty()) return;
    Task& task = tasks.front();
    tasks.pop_front();
    run(task);
  }
  post();
}

void Turn::run(Task& task) {
  running_ = &task;
  task.at_end_of_turn();
  running_ = nullptr;
}

}  // namespace transports
