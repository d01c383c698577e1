// One HTTP/2 connection in either role, over octets that its owner reads and writes: nghttp2
// inside, with the limits that a library does not enforce. RFC 9113, RFC 7541. Owned by a session's
// or link's codec; one thread.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "transports/allowance.h"
#include "transports/http2/frame_heads.h"
#include "transports/http2/memory.h"
#include "transports/http_message.h"

namespace transports::http2 {

enum class Role : std::uint8_t { server, client };

/// RFC 9113 §7.
enum class Code : std::uint32_t {
  no_error = 0x0,
  protocol_error = 0x1,
  internal_error = 0x2,
  stream_closed = 0x5,
  refused_stream = 0x7,
  cancel = 0x8,
  enhance_your_calm = 0xb,
};

/// Why we ended a connection: a label of metrics.
enum class Abuse : std::uint8_t {
  none,
  protocol,  ///< what nghttp2 refused
  resets,    ///< streams opened and reset, by either side (CVE-2023-44487, CVE-2025-8671)
  frames,    ///< frames that bring nothing on: PING, SETTINGS, empty DATA, PRIORITY and others
  fields,    ///< header lists beyond all bounds (CVE-2026-49975)
};

struct Settings {
  std::uint32_t concurrent_streams = 100;  ///< of the peer
  std::uint32_t window = 65'535;           ///< of a stream; that of the connection stays as it is
};

/// What the owner keeps for a stream derives from this; it lives from on_open() or request() until
/// on_closed() has returned.
class Stream {
 public:
  [[nodiscard]] std::int32_t id() const { return id_; }
  /// Of the body that respond() or request() was given: what is not written yet, in the memory that
  /// it was given in.
  [[nodiscard]] base::Bytes unsent() const { return unsent_; }
  /// The same octets, in memory that stays.
  void move_unsent(base::Bytes elsewhere) { unsent_ = elsewhere; }

 protected:
  Stream() = default;
  ~Stream() = default;

 private:
  friend class Session;
  base::Bytes unsent_;
  std::int32_t id_ = 0;
  FieldTally fields_;
};

class Session {
 public:
  /// Whose session it is. Called from within take() and write_to() alone; may call respond() and
  /// reset() meanwhile, nothing else.
  class Owner {
   public:
    /// The peer opens a stream; null refuses it. Servers only.
    virtual Stream* on_open() = 0;
    /// In the order received, pseudo-fields (":path") included; names are in lower case. A
    /// request's trailers are left out; a response may begin anew with another ":status" after a
    /// 1xx.
    virtual void on_field(Stream& stream, std::string_view name, std::string_view value) = 0;
    /// The list is beyond HttpLimits; once, and no more fields of it come.
    virtual void on_too_many_fields(Stream& stream) = 0;
    virtual void on_content(Stream& stream, base::Bytes octets) = 0;
    /// The message is whole.
    virtual void on_whole(Stream& stream) = 0;
    /// Nothing is sent or comes any more on it; it is no more the session's. `code` is no_error
    /// when both sides had come to their end. Not called for streams that are open when the session
    /// is destroyed.
    virtual void on_closed(Stream& stream, std::uint32_t code) = 0;
    /// The peer processes no streams above `last` and takes no new ones.
    virtual void on_goaway(std::int32_t /*last*/, std::uint32_t /*code*/) {}
    /// An answer to ping().
    virtual void on_pong() {}

   protected:
    ~Owner() = default;
  };

  /// Where octets go that are to be written.
  class Output {
   public:
    /// Has it room for two of the largest frames (frame_size_max)?
    [[nodiscard]] virtual bool has_room() const = 0;
    virtual void put(base::Bytes octets) = 0;

   protected:
    ~Output() = default;
  };
  static constexpr std::size_t frame_size_max = FrameHeads::size + 16'384;

  /// Its first octets (SETTINGS, and a client's preface) are to be written at once.
  Session(Role role, Owner& owner, Memory& memory, const Settings& settings);
  ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Octets of the peer. What comes of them is told to the owner; then write_to() is to be called,
  /// even when the session is over.
  void take(base::Bytes octets, base::TimePoint now);
  /// Everything that is ready, as far as there is room.
  void write_to(Output& output);
  [[nodiscard]] bool wants_write() const;
  /// Nothing is left to do: GOAWAY was sent or received and the last stream is closed, or it broke.
  [[nodiscard]] bool over() const;
  [[nodiscard]] Abuse abuse() const { return abuse_; }

  /// Answers a stream. `body` is borrowed until written, or as move_unsent() says. Values that are
  /// not lasting are copied.
  void respond(Stream& stream, std::uint16_t status, std::span<const HttpField> fields,
               base::Bytes body, bool body_left_out = false);
  /// Asks; fields as they shall be sent, pseudo-fields first. False when no stream can be opened
  /// any more.
  bool request(Stream& stream, std::span<const HttpField> fields, base::Bytes body);
  /// How many more requests may be open now: as the peer lets us (RFC 9113 §5.1.2), none after a
  /// GOAWAY or when the stream ids are used up.
  [[nodiscard]] std::size_t room_for_requests() const;

  void reset(Stream& stream, Code code);
  /// Null when it is closed.
  [[nodiscard]] Stream* find(std::int32_t id) const { return stream_of(id); }
  void ping();
  /// No new streams; those that are open go on (RFC 9113 §6.8).
  void go_away();
  /// Ends the connection, with all streams.
  void terminate(Code code);

 private:
  struct Thunks;
  struct Delete {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };

  void on_frame_head(const FrameHead& head);
  [[nodiscard]] Code objection(const FrameHead& head);
  [[nodiscard]] Code objection_to_stream(std::int32_t id);
  int on_begin_fields(const nghttp2_frame& frame);
  int on_field(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  int on_frame(const nghttp2_frame& frame);
  void on_frame_sent(const nghttp2_frame& frame);
  int on_closed(std::int32_t id, std::uint32_t code);
  int send_content(const nghttp2_frame& frame, const std::uint8_t* head, std::size_t size,
                   Stream& stream);
  void write_last_words(Output& output);
  void end_over(Abuse abuse);
  [[nodiscard]] Stream* stream_of(std::int32_t id) const;

  Owner& owner_;
  std::unique_ptr<nghttp2_session, Delete> session_;
  Output* output_ = nullptr;  // inside write_to()
  base::TimePoint now_{};
  FrameHeads heads_;
  Allowance resets_;
  Allowance frames_;
  const Role role_;
  Abuse abuse_ = Abuse::none;
  bool broken_ = false;  // nghttp2 must not be called again
  bool said_last_words_ = false;
  std::size_t requests_open_ = 0;

  // Streams of which a client may say nothing any more (RFC 9113 §5.1): nghttp2 forgets a stream
  // with its end, and would ignore it.
  std::array<std::int32_t, 4> ended_{};  // by the client, those that were the last to be
  std::size_t ended_next_ = 0;
  std::int32_t newest_ = -1;
  std::int32_t skipped_from_ = 0;  // left out when it went on with `skipped_to_`
  std::int32_t skipped_to_ = 0;
};

}  // namespace transports::http2
