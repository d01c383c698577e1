// Messages with their lengths over a client's stream: TCP and DoT. Pipelined, answered as answers
// get ready. RFC 7766 §6.2.1 and §8, RFC 7858 §3.3. Owned by its session.
#pragma once

#include <vector>

#include "transports/framing.h"
#include "transports/session_codec.h"

namespace transports {

class FramedSession final : public SessionCodec {
 public:
  explicit FramedSession(Carrier& carrier) : SessionCodec(carrier) {}

  void take(base::Bytes octets, base::TimePoint now) override;
  void go_on(base::TimePoint now) override;
  [[nodiscard]] bool wants_more() const override { return may_answer(); }
  [[nodiscard]] bool has_work() const override { return under_way() != 0 || !late_.empty(); }
  [[nodiscard]] base::TimePoint owed_since() const override;
  [[nodiscard]] std::size_t kept() const override { return late_.size(); }
  void drain() override { draining_ = true; }

 private:
  void answer_whole_messages(base::TimePoint now);
  void answer(base::Bytes message, base::TimePoint now);
  void on_answer(std::uint64_t ticket, Answer answer) override;
  void refuse_the_rest();
  [[nodiscard]] bool may_answer() const {
    return !draining_ && !carrier_.is_stalled() && may_ask();
  }

  FrameReader frames_;
  std::vector<std::uint8_t> late_;  // frames of answers that had to be waited for
  base::TimePoint begun_at_{};      // the message that is not whole yet
  bool advanced_ = false;           // a message has come to its end in this call
  bool draining_ = false;
};

}  // namespace transports
