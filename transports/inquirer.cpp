// The short way, and the long one.
#include "transports/inquirer.h"

#include <utility>

namespace transports {

/// RFC 7766 §6.2.4: nothing is sent to a client that left.
Inquirer::~Inquirer() { context_.drops.client_gone.add(under_way_); }

Inquirer::Asked Inquirer::ask(const Query& query, Reply& reply, std::uint64_t ticket) {
  if (context_.answerer.answer_now(query, reply)) return Asked::answered;
  return ask_later(query, reply, ticket);
}

Inquirer::Asked Inquirer::ask_later(const Query& query, Reply& reply, std::uint64_t ticket) {
  WaitingPlace place(context_.waiting);
  if (!place) {
    context_.answerer.answer_overload(query, reply);
    return Asked::too_many;
  }
  ++under_way_;
  context_.answerer.answer(query, {*this, ticket, std::move(place)});
  return Asked::later;
}

void Inquirer::on_promise_kept(std::uint64_t ticket, const LateAnswer& answer) {
  --under_way_;
  on_late_answer(ticket, answer);
}

}  // namespace transports
