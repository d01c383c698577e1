// What is done once before a wake-up ends, whoever asked for it: datagrams leave then, many to a
// system call, and answers that have come are told. Without it each such step would be a posted
// call, and the loop asks the kernel for news before each of those. A service of its loop, which
// makes it when somebody first asks for it; one thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>

namespace transports {

class Turn final : public boost::asio::execution_context::service {
  using Hook =
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

 public:
  using key_type = Turn;
  static inline boost::asio::execution_context::id id;

  explicit Turn(boost::asio::io_context& loop)
      : boost::asio::execution_context::service(loop), loop_(loop) {}
  static Turn& of(boost::asio::io_context& loop) { return boost::asio::use_service<Turn>(loop); }

  /// Is forgotten when it ends, and when it is unlinked: it has been done already.
  class Task : public Hook {
   public:
    Task() = default;
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

   protected:
    ~Task() = default;

   private:
    friend class Turn;
    virtual void at_end_of_turn() = 0;
  };

  /// Has the task run once before this turn ends, however often it is asked for. Outside of any
  /// turn, and for a task that is running: when the loop comes round, so that others have theirs.
  void at_end(Task& task) { add(soon_, task); }
  /// The same, behind all others: nobody waits for it.
  void afterwards(Task& task) { add(later_, task); }

  /// A turn. What is within another's is part of that.
  class Scope {
   public:
    explicit Scope(Turn& turn) : turn_(turn) { ++turn_.depth_; }
    ~Scope() {
      if (turn_.depth_ == 1) turn_.run_tasks();
      --turn_.depth_;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Turn& turn_;
  };

 private:
  using Tasks = boost::intrusive::list<Task, boost::intrusive::base_hook<Hook>,
                                       boost::intrusive::constant_time_size<false>>;

  void add(Tasks& tasks, Task& task);
  void run_tasks();
  void run(Task& task);
  void post();
  void shutdown() override {}

  boost::asio::io_context& loop_;
  Tasks soon_;
  Tasks later_;
  Tasks next_;  // for when the loop comes round
  Task* running_ = nullptr;
  unsigned depth_ = 0;
  bool posted_ = false;
};

}  // namespace transports
