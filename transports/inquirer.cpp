// The short way, and the long one.
#include "transports/inquirer.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <utility>

namespace transports {

Inquirer::~Inquirer() {
  if (home_) *home_ = nullptr;
}

Inquirer::Asked Inquirer::ask(const Query& query, Reply& reply, std::uint64_t ticket) {
  if (context_.answerer.answer_now(query, reply)) return Asked::answered;
  WaitingPlace place(context_.waiting);
  if (!place) {
    context_.answerer.answer_overload(query, reply);
    return Asked::too_many;
  }
  if (!home_) home_ = std::make_shared<Inquirer*>(this);
  ++under_way_;
  boost::asio::co_spawn(
      context_.io,
      answer_later(home_, context_.answerer, context_.drops, std::move(place), query, ticket),
      boost::asio::detached);
  return Asked::later;
}

Awaitable<void> Inquirer::answer_later(std::shared_ptr<Inquirer*> home, Answerer& answerer,
                                       DropCounters& drops, WaitingPlace place, Query query,
                                       std::uint64_t ticket) {
  Answer answer = co_await answerer.answer(query);
  if (*home != nullptr) {
    Inquirer& inquirer = **home;
    --inquirer.under_way_;
    inquirer.on_late_answer(ticket, std::move(answer));
  } else {
    drops.client_gone.add();  // RFC 7766 §6.2.4: nothing is sent to a client that left
  }
}

}  // namespace transports
