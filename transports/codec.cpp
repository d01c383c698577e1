// Asking for a session that may be gone when the answer comes.
#include "transports/codec.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <utility>

namespace transports {

Codec::~Codec() {
  if (home_) *home_ = nullptr;
}

Codec::Asked Codec::ask(const Query& query, Reply& reply, std::uint64_t ticket) {
  ListenerContext& context = carrier_.context();
  if (context.answerer.answer_now(query, reply)) return Asked::answered;
  WaitingPlace place(context.waiting);
  if (!place) {
    context.answerer.answer_overload(query, reply);
    return Asked::answered;
  }
  if (!home_) home_ = std::make_shared<Codec*>(this);
  ++under_way_;
  boost::asio::co_spawn(
      context.io,
      answer_later(home_, context.answerer, context.drops, std::move(place), query, ticket),
      boost::asio::detached);
  return Asked::later;
}

Awaitable<void> Codec::answer_later(std::shared_ptr<Codec*> home, Answerer& answerer,
                                    DropCounters& drops, WaitingPlace place, Query query,
                                    std::uint64_t ticket) {
  Answer answer = co_await answerer.answer(query);
  if (*home != nullptr) {
    --(*home)->under_way_;
    (*home)->on_answer(ticket, std::move(answer));
    (*home)->carrier_.schedule();
  } else {
    drops.client_gone.add();  // RFC 7766 §6.2.4: nothing is sent to a client that left
  }
}

void Codec::count_gone() { carrier_.context().drops.client_gone.add(); }

}  // namespace transports
