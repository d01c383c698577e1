// Which tickets have been used for early data: each may be once, so that a first flight that
// somebody recorded brings nothing but a handshake when it comes again. RFC 8446 §8.1, RFC 9001
// §9.2, RFC 9250 §10.4. One set for the process, as any worker opens what another has given.
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace transports::quic {

class EarlyTickets {
 public:
  /// One bit each. A ticket that so many younger ones have followed allows no early data any more:
  /// whoever makes us forget tickets only takes a round trip from their owners.
  static constexpr std::uint64_t remembered = 1U << 20;

  enum class Use : std::uint8_t { first, again, forgotten };

  /// The number of a new ticket.
  [[nodiscard]] std::uint64_t issue();
  Use use(std::uint64_t number);

 private:
  using Word = std::uint64_t;
  static constexpr std::uint64_t bits = 64;
  [[nodiscard]] Word& word_of(std::uint64_t number) { return used_[number % remembered / bits]; }
  static Word bit_of(std::uint64_t number) { return Word{1} << (number % bits); }

  std::mutex mutex_;
  std::uint64_t next_ = 0;
  std::vector<Word> used_;  // none before the first ticket
};

}  // namespace transports::quic
