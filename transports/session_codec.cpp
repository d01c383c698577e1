// Asking for a session that may be gone when the answer comes.
#include "transports/session_codec.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <utility>

namespace transports {

SessionCodec::~SessionCodec() {
  if (home_) *home_ = nullptr;
}

SessionCodec::Asked SessionCodec::ask(const Query& query, Reply& reply, std::uint64_t ticket) {
  ListenerContext& context = carrier_.context();
  if (context.answerer.answer_now(query, reply)) return Asked::answered;
  WaitingPlace place(context.waiting);
  if (!place) {
    context.answerer.answer_overload(query, reply);
    return Asked::too_many;
  }
  if (!home_) home_ = std::make_shared<SessionCodec*>(this);
  ++under_way_;
  boost::asio::co_spawn(
      context.io,
      answer_later(home_, context.answerer, context.drops, std::move(place), query, ticket),
      boost::asio::detached);
  return Asked::later;
}

Awaitable<void> SessionCodec::answer_later(std::shared_ptr<SessionCodec*> home, Answerer& answerer,
                                           DropCounters& drops, WaitingPlace place, Query query,
                                           std::uint64_t ticket) {
  Answer answer = co_await answerer.answer(query);
  if (*home != nullptr) {
    SessionCodec& codec = **home;
    --codec.under_way_;
    codec.on_answer(ticket, std::move(answer));
    codec.carrier_.schedule();
  } else {
    drops.client_gone.add();  // RFC 7766 §6.2.4: nothing is sent to a client that left
  }
}

}  // namespace transports
