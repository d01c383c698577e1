// What is spoken on a connection's streams: DoQ, HTTP/3. The connection knows nothing of it, and it
// knows nothing of packets. RFC 9000 §2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/address.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "transports/quic/library.h"

namespace transports::quic {

/// Base of a codec's streams. Owned by its codec, which may free one in closed() at the earliest.
struct Stream {
  StreamId id = -1;

 protected:
  ~Stream() = default;
};

/// Octets of one stream that want to leave; they stay where they are until acknowledged.
struct Output {
  Stream* stream = nullptr;  ///< null: nothing wants to leave
  std::array<ngtcp2_vec, 4> parts{};
  std::size_t count = 0;
  bool fin = false;
};

/// What a codec has around it: its connection, or in tests whatever carries octets to another one.
class Streams {
 public:
  /// Ends the connection with an application error, at the end of this wake-up.
  virtual void close(std::uint64_t application_code) = 0;
  /// The codec has something new to send.
  virtual void schedule() = 0;
  /// The memory of received octets is gone: the peer may send as many more, on the connection; and
  /// on the stream.
  virtual void release(std::size_t octets) = 0;
  virtual void release(Stream& stream, std::size_t octets) = 0;
  /// One more stream for the peer; see Codec::closed().
  virtual void grant_stream() = 0;
  /// How many bidirectional streams we may still open.
  [[nodiscard]] virtual std::uint64_t streams_left() const = 0;
  /// One of ours. False: the peer allows no more.
  [[nodiscard]] virtual bool open(Stream& stream) = 0;
  [[nodiscard]] virtual bool open_unidirectional(Stream& stream) = 0;
  /// RESET_STREAM and STOP_SENDING, as far as the stream is open.
  virtual void reset(Stream& stream, std::uint64_t application_code) = 0;
  /// The first, and the second, alone.
  virtual void reset_writing(Stream& stream, std::uint64_t application_code) = 0;
  virtual void stop_reading(Stream& stream, std::uint64_t application_code) = 0;
  /// The stream of that id, if it is still known.
  [[nodiscard]] virtual Stream* find(StreamId id) const = 0;
  [[nodiscard]] virtual base::Endpoint peer() const = 0;

 protected:
  ~Streams() = default;
};

/// One per connection, owned by it, destroyed before it and after the library has let go of all
/// octets. Called on the worker's thread, inside a batch of the Answerer; the answers to a call are
/// in what next_output() gives at the end of the wake-up.
class Codec {
 public:
  Codec() = default;
  virtual ~Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;

  /// The handshake is done, or early data comes or goes; streams may be opened.
  virtual void opened() = 0;
  /// The peer opened a stream. Null: there is no memory for it, and it is refused.
  virtual Stream* accept(StreamId id) = 0;
  /// The next octets of a stream, in order. `early`: they came as 0-RTT and may be a replay.
  virtual void received(Stream& stream, base::Bytes octets, bool fin, bool early) = 0;
  /// RESET_STREAM: no more will be received.
  virtual void reset_by_peer(Stream& stream, std::uint64_t code) = 0;
  /// STOP_SENDING: nothing of the stream is wanted any more; the library has reset it.
  virtual void stopped_by_peer(Stream& stream) = 0;
  /// The peer has so many octets more.
  virtual void acknowledged(Stream& stream, std::uint64_t octets) = 0;
  /// Both directions have ended and nothing refers to the stream's octets. True: the peer may open
  /// another one for it. False: the codec gives that credit back later (Connection::grant_stream).
  virtual bool closed(Stream& stream) = 0;

  /// What is to be sent next; asked again and again while there is room.
  virtual Output next_output() = 0;
  /// So many octets of that output are on their way, with all of them its FIN.
  virtual void sent(Stream& stream, std::size_t octets) = 0;
  /// The peer gives no more credit for this stream: it is not to be offered until unblocked().
  virtual void blocked(Stream& stream) = 0;
  virtual void unblocked(Stream& stream) = 0;
  /// The stream cannot be written to any more: it is not to be offered again.
  virtual void unwritable(Stream& stream) = 0;

  /// The connection takes no new streams for long: what there is to tell the peer about it.
  virtual void drain() {}
  /// Nothing is under way: a connection that drains may close now.
  [[nodiscard]] virtual bool idle() const = 0;
  /// The code that says goodbye without an error.
  [[nodiscard]] virtual std::uint64_t no_error() const = 0;
};

/// What a codec allows its peer.
struct StreamLimits {
  std::uint64_t bidirectional = 0;  ///< streams at a time
  std::uint64_t unidirectional = 0;
  std::uint64_t stream_octets = 0;  ///< sent and not yet released, on one stream
  std::uint64_t octets = 0;         ///< on all together
};

}  // namespace transports::quic
