// From askers to coroutines and back.
#include "transports/upstreams/upstream.h"

#include <exception>
#include <memory>
#include <string>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

namespace transports {

namespace {

using Reply = base::Result<dns::KeptAnswer>;

std::string text_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// A coroutine that somebody waits for. Owned by that coroutine's completion.
class SpawnedExchange final : public Exchange,
                              public std::enable_shared_from_this<SpawnedExchange> {
 public:
  void begin(Awaitable<Reply> work, Asker& asker, const Executor& executor) {
    attach(asker);
    boost::asio::co_spawn(executor, std::move(work),
                          boost::asio::bind_cancellation_slot(
                              cancel_.slot(), [self = shared_from_this()](
                                                  const std::exception_ptr& thrown, Reply reply) {
                                self->ended(thrown, std::move(reply));
                              }));
  }

 private:
  void ended(const std::exception_ptr& thrown, Reply reply) {
    Asker* const asker = detach();
    if (asker == nullptr) return;
    if (thrown)
      reply = std::unexpected(base::Error{base::Blame::us, base::Retry::never, text_of(thrown)});
    asker->replied(std::move(reply));
  }
  void abandoned() override { cancel_.emit(boost::asio::cancellation_type::terminal); }

  boost::asio::cancellation_signal cancel_;
};

/// A coroutine that waits. Owns itself until it has its reply or is cancelled; then the posted call
/// that tells it does.
template <class Handler>
class Waiter final : public Asker {
 public:
  Waiter(Handler handler, Executor executor) : handler_(std::move(handler)), executor_(executor) {}

  static void begin(Handler handler, Upstream& upstream, Ask ask, base::TimePoint deadline,
                    Executor executor) {
    auto* const waiter = new Waiter{std::move(handler), executor};
    auto slot = boost::asio::get_associated_cancellation_slot(waiter->handler_);
    if (slot.is_connected()) {
      slot.assign([waiter](boost::asio::cancellation_type) {
        waiter->let_go();
        waiter->end(boost::asio::error::operation_aborted, {});
      });
    }
    upstream.begin(std::move(ask), deadline, *waiter, executor);
  }

 private:
  void replied(Reply reply) override { end({}, std::move(reply)); }

  /// Through the loop: the coroutine may not have been suspended yet, and the slot may be the one
  /// that calls.
  void end(boost::system::error_code error, Reply reply) {
    if (std::exchange(ended_, true)) return;
    error_ = error;
    reply_ = std::move(reply);
    boost::asio::post(executor_, [self = std::unique_ptr<Waiter>(this)]() mutable {
      auto slot = boost::asio::get_associated_cancellation_slot(self->handler_);
      if (slot.is_connected()) slot.clear();
      Handler handler = std::move(self->handler_);
      const boost::system::error_code how = self->error_;
      Reply what = std::move(self->reply_);
      self.reset();
      std::move(handler)(how, std::move(what));
    });
  }

  Handler handler_;
  Executor executor_;
  bool ended_ = false;
  boost::system::error_code error_;
  Reply reply_;
};

}  // namespace

void Upstream::begin(Ask ask, base::TimePoint deadline, Asker& asker, const Executor& executor) {
  std::make_shared<SpawnedExchange>()->begin(exchange(std::move(ask), deadline), asker, executor);
}

Awaitable<Reply> begin_and_wait(Upstream& upstream, Ask ask, base::TimePoint deadline,
                                Executor executor) {
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<Executor>,
                                                 void(boost::system::error_code, Reply)>(
      [](auto handler, Upstream* asked, Ask wanted, base::TimePoint until, Executor where) {
        Waiter<decltype(handler)>::begin(std::move(handler), *asked, std::move(wanted), until,
                                         where);
      },
      use_awaitable, &upstream, std::move(ask), deadline, executor);
}

}  // namespace transports
