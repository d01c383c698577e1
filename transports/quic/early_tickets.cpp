// A ring of bits, which the newest ticket's number goes round.
#include "transports/quic/early_tickets.h"

namespace transports::quic {

std::uint64_t EarlyTickets::issue() {
  const std::scoped_lock lock(mutex_);
  if (used_.empty()) used_.resize(remembered / bits);
  word_of(next_) &= ~bit_of(next_);
  return next_++;
}

EarlyTickets::Use EarlyTickets::use(std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  if (number >= next_ || next_ - number > remembered) return Use::forgotten;
  if ((word_of(number) & bit_of(number)) != 0) return Use::again;
  word_of(number) |= bit_of(number);
  return Use::first;
}

}  // namespace transports::quic
