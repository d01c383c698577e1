// An answer that has to be waited for, and who it was promised to: a client that may be gone when
// it comes. RFC 7766 §6.2.4: nothing is sent to a client that left. One thread.
#pragma once

#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "transports/query.h"
#include "transports/waiting_budget.h"

namespace transports {

/// What was promised; there for the call. No octets mean: no answer.
struct LateAnswer {
  const Query& query;
  base::Bytes wire;
  AnswerSummary summary;
};

class Recipient;

/// Kept once, or ended unkept with its worker. Has the query's place among those that wait.
class PromisedAnswer : public boost::intrusive::list_base_hook<
                           boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  PromisedAnswer(Recipient& to, std::uint64_t ticket, WaitingPlace place);
  PromisedAnswer(PromisedAnswer&& other) noexcept;
  PromisedAnswer(const PromisedAnswer&) = delete;
  PromisedAnswer& operator=(const PromisedAnswer&) = delete;
  PromisedAnswer& operator=(PromisedAnswer&&) = delete;
  ~PromisedAnswer() = default;

  void keep(const LateAnswer& answer);

 private:
  friend class Recipient;
  Recipient* to_;  // null: it has ended
  std::uint64_t ticket_;
  WaitingPlace place_;
};

/// Gets the answers that it was promised; those that come when it has ended are dropped.
class Recipient {
 public:
  Recipient(const Recipient&) = delete;
  Recipient& operator=(const Recipient&) = delete;

 protected:
  Recipient() = default;
  ~Recipient() {
    promised_.clear_and_dispose([](PromisedAnswer* promised) { promised->to_ = nullptr; });
  }

  /// Perhaps before the asking is over. `ticket` is what the recipient gave.
  virtual void on_promise_kept(std::uint64_t ticket, const LateAnswer& answer) = 0;

 private:
  friend class PromisedAnswer;
  boost::intrusive::list<PromisedAnswer, boost::intrusive::constant_time_size<false>> promised_;
};

inline PromisedAnswer::PromisedAnswer(Recipient& to, std::uint64_t ticket, WaitingPlace place)
    : to_(&to), ticket_(ticket), place_(std::move(place)) {
  to.promised_.push_back(*this);
}

inline PromisedAnswer::PromisedAnswer(PromisedAnswer&& other) noexcept
    : to_(std::exchange(other.to_, nullptr)),
      ticket_(other.ticket_),
      place_(std::move(other.place_)) {
  other.unlink();
  if (to_ != nullptr) to_->promised_.push_back(*this);
}

inline void PromisedAnswer::keep(const LateAnswer& answer) {
  unlink();
  place_.give_back();
  if (to_ != nullptr) to_->on_promise_kept(ticket_, answer);
}

}  // namespace transports
