// Asking the Answerer for a client that may be gone when the answer comes. Base of whatever reads
// queries from sessions; one thread.
#pragma once

#include <cstdint>
#include <memory>

#include "transports/listeners/listeners.h"
#include "transports/query.h"

namespace transports {

class Inquirer {
 public:
  Inquirer(const Inquirer&) = delete;
  Inquirer& operator=(const Inquirer&) = delete;

 protected:
  explicit Inquirer(ListenerContext& context) : context_(context) {}
  virtual ~Inquirer();

  enum class Asked : std::uint8_t {
    answered,  ///< `reply` has it
    later,     ///< on_late_answer() has it, with the same ticket, perhaps already
    too_many,  ///< too much is under way: `reply` is SERVFAIL, for protocols that know no better
  };
  Asked ask(const Query& query, Reply& reply, std::uint64_t ticket);
  /// Called from the loop, in no batch.
  virtual void on_late_answer(std::uint64_t ticket, Answer answer) = 0;
  /// Those too that nobody waits for any more: they cost as much.
  [[nodiscard]] std::uint32_t under_way() const { return under_way_; }

  ListenerContext& context_;

 private:
  static Awaitable<void> answer_later(std::shared_ptr<Inquirer*> home, Answerer& answerer,
                                      DropCounters& drops, WaitingPlace place, Query query,
                                      std::uint64_t ticket);

  std::shared_ptr<Inquirer*> home_;  // made for the first answer that has to wait
  std::uint32_t under_way_ = 0;
};

}  // namespace transports
