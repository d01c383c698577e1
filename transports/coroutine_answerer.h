// For answerers that seldom have to wait, and then do it in a coroutine. Owned as they are.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <utility>

#include "transports/answerer.h"
#include "transports/awaitable.h"

namespace transports {

class CoroutineAnswerer : public Answerer {
 public:
  explicit CoroutineAnswerer(boost::asio::io_context& io) : io_(io) {}

  void answer(const Query& query, PromisedAnswer promise) final {
    boost::asio::co_spawn(io_, answer_and_keep(query, std::move(promise)), boost::asio::detached);
  }

 protected:
  /// Never throws.
  virtual Awaitable<Answer> answer_late(Query query) = 0;

  boost::asio::io_context& io_;

 private:
  Awaitable<void> answer_and_keep(Query query, PromisedAnswer promise) {
    const Answer answer = co_await answer_late(query);
    promise.keep({query, answer.wire, answer.summary});
  }
};

}  // namespace transports
