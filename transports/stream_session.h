// A client's session over a stream, with TLS or without, whatever is spoken over it: handshake,
// reading, deadlines, one write for all that is ready together. RFC 7766, RFC 7858 §3, RFC 9210 §4.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "transports/channel.h"
#include "transports/handshake_counters.h"
#include "transports/listeners/listeners.h"
#include "transports/query.h"
#include "transports/session_codec.h"
#include "transports/session_registry.h"
#include "transports/timer_wheel.h"
#include "transports/turn.h"
#include "transports/waiting_budget.h"

namespace transports {

struct HttpWorkspace;

using ListHook =
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// Owned by its host. Idle, it holds no coroutine, no timer of its own and no buffer but a small
/// one.
class StreamSession final : private TimerWheel::Entry, private Carrier {
 public:
  /// The listener, as its sessions see it; outlives them.
  class Host {
   public:
    Host(ListenerContext& listener_context, conf::Protocol protocol_served,
         std::uint16_t listener_index);
    /// The session is over and does nothing more; to be destroyed here.
    virtual void on_end(StreamSession& session) = 0;

    ListenerContext& context;
    const conf::Protocol protocol;
    const std::uint16_t index;
    HandshakeCounters handshakes;
    Turn& turn;  ///< of the worker's loop

   protected:
    ~Host() = default;
  };

  /// Takes the connected, non-blocking `descriptor`.
  StreamSession(Host& host, int descriptor, const base::Endpoint& client, SessionPlace place);
  ~StreamSession();

  void start(base::TimePoint now);
  /// Takes no more queries, and ends when those under way are answered; at once when there are
  /// none.
  void drain();
  /// Ends now, with close_notify or FIN.
  void end_politely();

  ListHook of_host;  ///< the host's list of all its sessions
  ListHook of_idle;  ///< the worker's list of sessions without work, idle longest first
  ListHook of_due;   ///< the worker's list of sessions that have something to send

 private:
  friend struct StreamWorkspace;
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;

  /// Of the client's octets, as many are received while waiting for them: a query or two. Waiting
  /// for readiness alone would change the socket's registration with epoll at each wake-up.
  static constexpr std::size_t arrival_size = 512;

  void advance(bool readable);
  void on_arrival(const boost::system::error_code& error, std::size_t octets);
  void feed_arrival();
  [[nodiscard]] std::string_view arrived_text() const {
    return base::as_text(base::Bytes{arrival_}.first(arrived_));
  }
  bool shake_hands();
  void converse(bool readable, base::TimePoint now);
  void take(base::Bytes octets, base::TimePoint now);
  void acknowledge();
  [[nodiscard]] bool asks_for_http2() const;
  void begin(bool http2);
  void send(base::TimePoint now);
  ChannelResult write_apart(base::Bytes ready);
  void settle(base::TimePoint now);
  void wait_for_what_is_wanted();
  void set_deadline();
  void on_deadline(base::TimePoint now) override;
  void leave(base::TimePoint now);
  void linger();
  void say_last(void (SessionCodec::*words)(), base::TimePoint now);
  void end();

  [[nodiscard]] bool is_done() const;
  [[nodiscard]] bool may_read() const { return !stalled_ && !read_closed_ && codec_->wants_more(); }
  [[nodiscard]] bool has_work() const {
    return stalled_ || !unsent_.empty() || (codec_ && codec_->has_work());
  }

  // What the codec asks for.
  [[nodiscard]] ListenerContext& context() const override { return host_.context; }
  base::MutableBytes room() override;
  void put(std::size_t octets) override;
  void end_record() override;
  [[nodiscard]] bool is_stalled() const override { return stalled_ || ended_; }
  void schedule() override;
  void heard() override { idle_since_ = now_; }
  void take_no_more() override { draining_ = true; }
  [[nodiscard]] const base::Endpoint& client() const override { return client_; }
  void introduce(Query& query, base::TimePoint now) const override;

  Host& host_;
  std::optional<SessionPlace> place_;
  Socket socket_;
  base::Endpoint client_;
  std::array<std::uint8_t, arrival_size> arrival_;
  std::size_t arrived_ = 0;              // octets of arrival_ that the channel does not have yet
  std::optional<Channel> channel_;       // over TLS, made when the first octet has come
  std::unique_ptr<SessionCodec> codec_;  // once the handshake has said which
  std::vector<std::uint8_t> unsent_;     // frames that wait for the socket
  std::size_t unsent_from_ = 0;          // what of it is sent
  OctetShare share_;                     // for them
  base::TimePoint idle_since_{};
  base::TimePoint now_{};  // of this wake-up
  base::TimePoint stalled_since_{};
  std::size_t sent_since_stall_ = 0;
  std::size_t lingered_ = 0;  // octets
  bool lingering_ = false;    // nothing is said any more
  bool open_ = false;         // the handshake is done
  bool stalled_ = false;      // the socket did not take all
  bool read_closed_ =
      false;  // the client sends no more; it still gets its answers (RFC 7766 §6.2.4)
  bool read_wants_write_ = false;
  bool more_inside_ = false;  // the channel has octets that no readiness will announce
  bool draining_ = false;     // no more queries are taken
  bool had_work_ = false;
  bool ended_ = false;
  bool read_waits_ = false;
  bool write_waits_ = false;
};

/// What a worker's stream sessions share: memory for the wake-up at hand, and their order. Owned by
/// the worker; large, hence on the heap.
struct StreamWorkspace final : Turn::Task {
  StreamWorkspace();
  ~StreamWorkspace();

  static constexpr std::size_t input_size = 16384;
  /// Written out once this is reached, so that there is always room for one more answer.
  static constexpr std::size_t output_flush = 65536;
  static constexpr std::size_t output_size =
      output_flush + Carrier::head_size_max + dns::message_size_max;

  template <ListHook StreamSession::* hook>
  using List = boost::intrusive::list<StreamSession, boost::intrusive::constant_time_size<false>,
                                      boost::intrusive::member_hook<StreamSession, ListHook, hook>>;

  /// Has every session of `due` advance once.
  void at_end_of_turn() override;
  /// Makes room by ending the session that is idle longest; false when none is idle.
  bool evict_one();

  ChannelBuffers received;
  std::array<std::uint8_t, input_size> input;
  RecordEnds input_records;
  std::array<std::uint8_t, output_size> output;
  std::size_t output_used = 0;
  RecordEnds output_records;  ///< where a codec wants it
  Query query;
  std::unique_ptr<HttpWorkspace> http;  ///< made for the first session that speaks it
  List<&StreamSession::of_idle> idle;
  List<&StreamSession::of_due> due;
};

}  // namespace transports
