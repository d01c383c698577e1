// A client's DoQ session: one query per stream, its answer back on it. RFC 9250 §4.2-4.3, §5.5.
// Owned by its connection.
#pragma once

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "transports/inquirer.h"
#include "transports/quic/codec.h"
#include "transports/quic/connection.h"
#include "transports/quic/doq.h"
#include "transports/timer_wheel.h"
#include "transports/waiting_budget.h"

namespace transports::quic {

/// One query and its answer. Kept in a stock between uses.
struct DoqStream final : Stream {
  std::vector<std::uint8_t> query;   ///< what has come of it, while it is not whole
  std::vector<std::uint8_t> answer;  ///< framed; until the peer has it
  std::size_t sent = 0;
  base::TimePoint since;  ///< its query began, or its answer was ready
  bool asked = false;
  bool answered = false;
  bool abandoned = false;  ///< by the client: nothing is sent any more
  ListHook of_session;
  ListHook of_sending;
  ListHook of_patience;
};

/// What a worker's sessions of one listener share: memory for the query at hand, and streams for
/// their next use. Owned by the listener.
struct DoqWorkspace {
  DoqWorkspace() { reply.resize(doq_frame_max); }
  std::unique_ptr<DoqStream> take();
  void put(std::unique_ptr<DoqStream> stream);

  std::vector<std::uint8_t> reply;
  Query query;
  std::vector<std::unique_ptr<DoqStream>> stock;
};

class DoqSession final : public Codec, private Inquirer, private TimerWheel::Entry {
 public:
  DoqSession(Streams& connection, ListenerContext& context, DoqWorkspace& work,
             conf::Protocol protocol, std::uint16_t listener);
  ~DoqSession() override;

  void opened() override {}
  Stream* accept(StreamId id) override;
  void received(Stream& stream, base::Bytes octets, bool fin, bool early) override;
  void reset_by_peer(Stream& stream, std::uint64_t code) override;
  void stopped_by_peer(Stream& stream) override;
  void acknowledged(Stream&, std::uint64_t) override {}
  bool closed(Stream& stream) override;
  Output next_output() override;
  void sent(Stream& stream, std::size_t octets) override;
  void blocked(Stream& stream) override;
  void unblocked(Stream& stream) override;
  void unwritable(Stream& stream) override;
  [[nodiscard]] bool idle() const override { return streams_.empty() && under_way() == 0; }
  [[nodiscard]] std::uint64_t no_error() const override { return code_of(DoqError::no_error); }

 private:
  template <ListHook DoqStream::* hook>
  using List = boost::intrusive::list<DoqStream, boost::intrusive::constant_time_size<false>,
                                      boost::intrusive::member_hook<DoqStream, ListHook, hook>>;
  enum class Whole : std::uint8_t { no, yes, wrong };

  static DoqStream& of(Stream& stream) { return static_cast<DoqStream&>(stream); }
  static Whole judge(base::Bytes frame, bool fin);
  void ask(DoqStream& stream, base::Bytes message, bool early);
  void on_late_answer(std::uint64_t ticket, Answer answer) override;
  void give(DoqStream& stream, base::Bytes message);
  void abandon(DoqStream& stream);
  void drop_query(DoqStream& stream);
  void end(DoqStream& stream, DoqError error);
  void close(DoqError error) { connection_.close(code_of(error)); }
  void be_patient(DoqStream& stream);
  void on_deadline(base::TimePoint now) override;

  Streams& connection_;
  DoqWorkspace& work_;
  const conf::Protocol protocol_;
  const std::uint16_t listener_;
  List<&DoqStream::of_session> streams_;  // owned
  List<&DoqStream::of_sending> sending_;
  List<&DoqStream::of_patience>
      patience_;            // unfinished ones that the client holds up, oldest first
  std::size_t unsent_ = 0;  // octets of answers that the client has not taken
  OctetShare share_;        // for them
};

}  // namespace transports::quic
