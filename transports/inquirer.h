// Asking the Answerer for a client that may be gone when the answer comes. Base of whatever reads
// queries from sessions; one thread.
#pragma once

#include <cstdint>

#include "transports/listeners/listeners.h"
#include "transports/promised_answer.h"
#include "transports/query.h"

namespace transports {

class Inquirer : private Recipient {
 protected:
  explicit Inquirer(ListenerContext& context) : context_(context) {}
  virtual ~Inquirer();

  enum class Asked : std::uint8_t {
    answered,  ///< `reply` has it
    later,     ///< on_late_answer() has it, with the same ticket, perhaps already
    too_many,  ///< too much is under way: `reply` is SERVFAIL, for protocols that know no better
  };
  Asked ask(const Query& query, Reply& reply, std::uint64_t ticket);
  /// The same for what could not be answered at once.
  Asked ask_later(const Query& query, Reply& reply, std::uint64_t ticket);
  virtual void on_late_answer(std::uint64_t ticket, const LateAnswer& answer) = 0;
  /// Those too that nobody waits for any more: they cost as much.
  [[nodiscard]] std::uint32_t under_way() const { return under_way_; }

  ListenerContext& context_;

 private:
  void on_promise_kept(std::uint64_t ticket, const LateAnswer& answer) final;

  std::uint32_t under_way_ = 0;
};

}  // namespace transports
