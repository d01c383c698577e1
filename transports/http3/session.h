// One HTTP/3 connection in either role, as a codec of a QUIC connection: nghttp3 inside, with the
// limits that a library does not enforce. RFC 9114; RFC 9204 without a dynamic table. What is asked
// over it is a derived class's. Owned by its connection.
#pragma once

#include <nghttp3/nghttp3.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "transports/allowance.h"
#include "transports/http_message.h"
#include "transports/library_memory.h"
#include "transports/quic/codec.h"

namespace transports::http3 {

enum class Role : std::uint8_t { server, client };

/// RFC 9114 §8.1.
enum class Code : std::uint64_t {
  no_error = 0x100,
  general_protocol_error = 0x101,
  internal_error = 0x102,
  excessive_load = 0x107,
  request_rejected = 0x10b,
  request_cancelled = 0x10c,
  request_incomplete = 0x10d,
  message_error = 0x10e,
};
constexpr std::uint64_t number_of(Code code) { return static_cast<std::uint64_t>(code); }

/// Why we ended a connection: a label of metrics.
enum class Abuse : std::uint8_t {
  none,
  protocol,  ///< what nghttp3 refused
  resets,    ///< requests opened and reset
  load,      ///< frames that bring nothing on, and more memory than any honest peer needs
  fields,    ///< header lists beyond all bounds
};

/// What is kept for a request derives from this. It lives from on_open() or request() until
/// on_closed() has returned.
class Stream : public quic::Stream {
 protected:
  Stream() = default;
  ~Stream() = default;

 private:
  friend class Session;
  base::Bytes body_;  // what was given to send
  FieldTally fields_;
};

/// What one connection makes nghttp3 keep, within bounds: a peer needs two octets only to announce
/// a header field of 64 KiB, for which room is made at once.
class SessionMemory {
 public:
  SessionMemory(LibraryMemory& shared, std::size_t most)
      : shared_(shared), functions_(library_functions<nghttp3_mem>(*this)), most_(most) {}
  SessionMemory(const SessionMemory&) = delete;
  SessionMemory& operator=(const SessionMemory&) = delete;
  [[nodiscard]] const nghttp3_mem* functions() const { return &functions_; }
  [[nodiscard]] std::size_t held() const { return held_; }

  // ---- for nghttp3
  void* allocate(std::size_t size);
  void release(void* block);
  void* resize(void* block, std::size_t size);

 private:
  LibraryMemory& shared_;
  nghttp3_mem functions_;
  const std::size_t most_;
  std::size_t held_ = 0;
};

class Session : public quic::Codec {
 public:
  /// `memory` is shared by the sessions of a worker or an upstream.
  Session(Role role, quic::Streams& streams, LibraryMemory& memory, std::uint32_t requests_at_once);
  ~Session() override;

  /// Streams that a peer may open beside its requests: its control stream, two of QPACK, and others
  /// that we do not know (RFC 9114 §6.2).
  static constexpr std::size_t peers_streams_max = 8;

  void opened() final;
  quic::Stream* accept(quic::StreamId id) final;
  void received(quic::Stream& stream, base::Bytes octets, bool fin, bool early) final;
  void reset_by_peer(quic::Stream& stream, std::uint64_t code) final;
  void stopped_by_peer(quic::Stream& stream) final;
  void acknowledged(quic::Stream& stream, std::uint64_t octets) final;
  bool closed(quic::Stream& stream) final;
  quic::Output next_output() final;
  void sent(quic::Stream& stream, std::size_t octets) final;
  void blocked(quic::Stream& stream) final;
  void unblocked(quic::Stream& stream) final;
  void unwritable(quic::Stream& stream) final;
  void drain() override;
  [[nodiscard]] std::uint64_t no_error() const final { return number_of(Code::no_error); }

  [[nodiscard]] Abuse abuse() const { return abuse_; }
  [[nodiscard]] std::size_t memory_held() const { return memory_.held(); }

 protected:
  // ---- what a derived class does

  /// The peer opens a request; null refuses it. Servers only.
  virtual Stream* on_open() = 0;
  /// In the order received, pseudo-fields (":path") included; names are in lower case. Trailers are
  /// left out; a response may begin anew with another ":status" after a 1xx.
  virtual void on_field(Stream& stream, std::string_view name, std::string_view value) = 0;
  /// The list is beyond HttpLimits; once, and no more fields of it come.
  virtual void on_too_many_fields(Stream& stream) = 0;
  virtual void on_content(Stream& stream, base::Bytes octets) = 0;
  /// The message is whole.
  virtual void on_whole(Stream& stream) = 0;
  /// The message will not become whole, or its answer is not wanted: the peer has reset the stream.
  virtual void on_reset(Stream& stream, std::uint64_t code) = 0;
  /// Nothing is sent or comes any more; what was to be sent may be freed. True: as
  /// quic::Codec::closed().
  virtual bool on_closed(Stream& stream) = 0;
  /// The peer takes no new requests; those from `first` on it has not begun with. Clients only.
  virtual void on_goaway(quic::StreamId /*first*/) {}
  /// The connection was ended over what abuse() says.
  virtual void on_abuse() {}

  // ---- what it may call

  /// `body` stays where it is until on_closed(). Values are copied. False: it cannot be sent.
  bool respond(Stream& stream, std::uint16_t status, std::span<const HttpField> fields,
               base::Bytes body, bool body_left_out);
  /// Pseudo-fields first. False: no stream can be opened.
  bool request(Stream& stream, std::span<const HttpField> fields, base::Bytes body);
  /// How many more requests the peer takes now.
  [[nodiscard]] std::uint64_t room_for_requests() const;
  /// One more request for the peer, whose credit on_closed() has kept back.
  void grant();
  /// Both directions.
  void reset(Stream& stream, Code code);
  [[nodiscard]] Stream* find(quic::StreamId id) const;

  /// What is being received may be a replay.
  [[nodiscard]] bool is_early() const { return early_; }

  quic::Streams& streams_;

 private:
  struct Thunks;
  /// One that is no request: its kind is nghttp3's to know.
  struct Unidirectional final : quic::Stream {};
  struct Delete {
    void operator()(nghttp3_conn* library) const { nghttp3_conn_del(library); }
  };

  static bool is_request(quic::StreamId id) { return (id & 3) == 0; }
  static Stream& request_of(quic::Stream& stream) { return static_cast<Stream&>(stream); }
  [[nodiscard]] quic::Stream* stream_of(quic::StreamId id);
  /// What a callback returns.
  [[nodiscard]] int go_on() const { return over_ ? NGHTTP3_ERR_CALLBACK_FAILURE : 0; }
  void tally(Stream& stream, std::string_view name, std::string_view value, bool trailer);
  void count_grant();
  void end_over(Abuse abuse, Code code);
  void fail(std::int64_t error);

  SessionMemory memory_;
  std::unique_ptr<nghttp3_conn, Delete> library_;
  const Role role_;
  Abuse abuse_ = Abuse::none;
  bool early_ = false;
  bool over_ = false;        // nghttp3 must not be called again, and is not
  bool going_away_ = false;  // no new requests: GOAWAY was received, or sent
  std::uint64_t may_open_;   // requests of the peer, since the connection began
  Allowance resets_;
  Unidirectional control_;
  Unidirectional encoder_;
  Unidirectional decoder_;
  std::array<Unidirectional, peers_streams_max> peers_;  // id -1: free
};

}  // namespace transports::http3
