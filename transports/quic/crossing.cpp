// Inboxes: filled under a short lock, emptied by their worker, who is woken once per burst.
#include "transports/quic/crossing.h"

#include <boost/asio/post.hpp>

namespace transports::quic {

Crossing::Inbox::Inbox(Crossing& crossing, std::uint16_t listener, std::uint8_t worker,
                       boost::asio::io_context& io, Receive receive)
    : crossing_(crossing),
      key_(listener, worker),
      state_(std::make_shared<State>(io, std::move(receive))) {
  const std::scoped_lock lock(crossing_.mutex_);
  crossing_.inboxes_[key_] = state_;
}

Crossing::Inbox::~Inbox() {
  {
    const std::scoped_lock lock(crossing_.mutex_);
    crossing_.inboxes_.erase(key_);
  }
  state_->receive = nullptr;
}

bool Crossing::hand_over(std::uint16_t listener, std::uint8_t worker, CarriedDatagram datagram) {
  std::shared_ptr<Inbox::State> inbox;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = inboxes_.find({listener, worker});
    if (found == inboxes_.end()) return false;
    inbox = found->second;
  }
  bool wake = false;
  {
    const std::scoped_lock lock(inbox->mutex);
    if (inbox->octets + datagram.octets.size() > octets_max) return false;
    wake = inbox->waiting.empty();
    inbox->octets += datagram.octets.size();
    inbox->waiting.push_back(std::move(datagram));
  }
  if (wake) boost::asio::post(inbox->io, [inbox] { Inbox::deliver(inbox); });
  return true;
}

void Crossing::Inbox::deliver(const std::shared_ptr<State>& state) {
  std::vector<CarriedDatagram> burst;
  {
    const std::scoped_lock lock(state->mutex);
    burst.swap(state->waiting);
    state->octets = 0;
  }
  if (state->receive) state->receive(std::move(burst));
}

}  // namespace transports::quic
