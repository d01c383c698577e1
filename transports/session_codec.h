// What is spoken over a client's octet stream: messages with their lengths (TCP, DoT), HTTP/1.1 or
// HTTP/2. The session does the rest: handshake, reading, writing, deadlines. Owned by its session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/clock.h"
#include "transports/inquirer.h"

namespace transports {

/// A session, as its codec sees it; outlives it.
class Carrier {
 public:
  /// What room() has behind a message of any size.
  static constexpr std::size_t head_size_max = 1024;

  [[nodiscard]] virtual ListenerContext& context() const = 0;
  /// Memory of the wake-up at hand, for a message and `head_size_max` octets more.
  virtual base::MutableBytes room() = 0;
  /// So many octets of room() are to be sent. What is ready together leaves in one write.
  virtual void put(std::size_t octets) = 0;
  /// What was put since the last of these leaves in TLS records of its own, in the same write.
  virtual void end_record() = 0;
  /// The socket does not take more for now, or the session is over.
  [[nodiscard]] virtual bool is_stalled() const = 0;
  /// Has the codec go on soon, together with all others that have something to send.
  virtual void schedule() = 0;
  /// A whole message has come: the session is not idle.
  virtual void heard() = 0;
  /// No more is taken; the session ends when what was accepted is answered and sent.
  virtual void take_no_more() = 0;
  /// Who sends; with a PROXY header, whom that named.
  [[nodiscard]] virtual const base::Endpoint& client() const = 0;
  /// Sets what a session knows of its queries.
  virtual void introduce(Query& query, base::TimePoint now) const = 0;

 protected:
  ~Carrier() = default;
};

class SessionCodec : protected Inquirer {
 public:
  explicit SessionCodec(Carrier& carrier) : Inquirer(carrier.context()), carrier_(carrier) {}
  ~SessionCodec() override = default;

  /// Octets of the client, borrowed for the call.
  virtual void take(base::Bytes octets, base::TimePoint now) = 0;
  /// Is what comes in TLS records of its own taken, and answered, record by record? RFC 8446 §5.1
  /// gives records no meaning, and yet there are clients that see one answer in each alone (dnsperf
  /// 2.14, over HTTP/2).
  [[nodiscard]] virtual bool keeps_records_apart() const { return false; }
  /// Goes on with what waits inside: late answers, messages that there was no room for.
  virtual void go_on(base::TimePoint now) = 0;
  /// Shall more be read?
  [[nodiscard]] virtual bool wants_more() const = 0;
  /// Queries under way, or answers that are not on their way to the socket.
  [[nodiscard]] virtual bool has_work() const = 0;
  /// Since when the client owes us the rest of a message, or room for an answer; TimePoint::max():
  /// it owes nothing.
  [[nodiscard]] virtual base::TimePoint owed_since() const = 0;
  /// Octets of answers that are ready and wait inside for the client to take them.
  [[nodiscard]] virtual std::size_t kept() const = 0;
  /// Takes no more queries, and says so where the protocol can.
  virtual void drain() = 0;
  /// What the client owes us has not come in time: last words, where the protocol has some.
  virtual void too_slow() {}
  /// The protocol has come to its end: nothing is to be read or waited for any more.
  [[nodiscard]] virtual bool is_over() const { return false; }

 protected:
  virtual void on_answer(std::uint64_t ticket, Answer answer) = 0;
  [[nodiscard]] bool may_ask() const { return under_way() < context_.limits.queries_per_session; }

  Carrier& carrier_;

 private:
  void on_late_answer(std::uint64_t ticket, const LateAnswer& answer) final;
};

}  // namespace transports
