// An octet stream over a non-blocking socket, with TLS or without: non-blocking calls that say what
// to wait for. The owner waits for readiness of the socket and calls again. Owned by one session or
// link; the socket is its owner's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "certs/openssl.h"

namespace transports {

enum class ChannelStatus : std::uint8_t {
  ok,          ///< done; there may be more at once
  want_read,   ///< call again when the socket is readable
  want_write,  ///< call again when the socket is writable
  closed,      ///< the peer sends no more (FIN or close_notify); writing may still work
  failed,      ///< over for both directions; failure_text() says why
};

/// `octets` counts whatever the status: {want_read, 40} is forty octets and nothing more for now.
struct ChannelResult {
  ChannelStatus status = ChannelStatus::ok;
  std::size_t octets = 0;
};

/// What a TLS handshake agreed on: for metrics and for people. Views live as long as the channel.
struct TlsFacts {
  std::string_view version;  ///< "TLSv1.3"
  std::string_view group;    ///< "X25519MLKEM768"; empty when a TLS 1.2 session was resumed
  std::string_view cipher;
  std::string_view alpn;  ///< empty when none was agreed
  bool resumed = false;
};

/// Of a finished handshake.
TlsFacts facts_of(const SSL& tls);

/// One per worker, shared by its channels, so that none needs a buffer of its own.
struct ChannelBuffers {
  /// A recv takes many TLS records at once. Not larger than what is read at a time: the rest would
  /// have to be copied.
  std::array<std::uint8_t, 16384> octets;
  /// TLS records that leave in one send: one of the largest, or many small ones.
  std::array<std::uint8_t, 16384 + 256> records;
};

/// Where TLS records end in octets that go through a channel; beyond what there is room for, the
/// rest counts as one.
class RecordEnds {
 public:
  void clear() { size_ = 0; }
  void add(std::size_t end) {
    if (size_ != ends_.size()) ends_[size_++] = static_cast<std::uint32_t>(end);
  }
  [[nodiscard]] std::span<const std::uint32_t> all() const { return {ends_.data(), size_}; }

 private:
  std::array<std::uint32_t, 256> ends_;
  std::size_t size_ = 0;
};

class Channel {
 public:
  /// In the clear.
  explicit Channel(int descriptor) : descriptor_(descriptor) {}
  /// Over TLS; `tls` has its role and settings from certs/tls_context.h. `buffer` is the worker's.
  Channel(int descriptor, certs::SslPtr tls, ChannelBuffers& buffer);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Server: `tls` came from make_server_session(). Client: from ClientContext::make_session(). ok
  /// when finished (in the clear: at once); then read() before waiting, for the peer's first octets
  /// may be here already.
  ChannelResult handshake();

  /// What the owner has received itself while it waited, to be read before anything else. Borrowed
  /// until the call that follows returns. `drained`: the socket had no more at that time, and that
  /// call does not try.
  void feed(base::Bytes octets, bool drained);

  /// Fills `out` as far as what has arrived allows, over as many TLS records as there are. ok only
  /// when `out` is full. `ends` is told where they ended.
  ChannelResult read(base::MutableBytes out, RecordEnds* ends = nullptr);

  /// Writes as much as the socket takes: {ok, data.size()} or {want_write, less}. What was not
  /// written must be the beginning of the next call's data; it may have moved in memory. Whole TLS
  /// records of up to 16 KiB. `more`: another call follows at once, and octets leave with its own.
  /// After such calls all may be taken and some wait here, {want_write, data.size()}: the next call
  /// sends them, be it one without data.
  ChannelResult write(base::Bytes data, bool more = false);

  /// Says that nothing more will be written: close_notify, or FIN in the clear. want_write: call
  /// again.
  ChannelResult shutdown();

  /// Octets of TLS records that were made and wait for the socket.
  [[nodiscard]] std::size_t unsent() const { return unsent_.size(); }
  [[nodiscard]] bool encrypted() const { return tls_ != nullptr; }
  /// After the handshake.
  [[nodiscard]] TlsFacts facts() const;
  /// Why it failed, in words: "connection reset by peer", "certificate verify failed: self-signed
  /// certificate".
  [[nodiscard]] std::string failure_text() const;
  [[nodiscard]] SSL* tls() const { return tls_.get(); }

 private:
  friend struct ChannelBio;

  ChannelResult finish_tls_call(int outcome, std::size_t octets);
  void keep_unread();
  ChannelResult read_fed(base::MutableBytes out);
  ChannelResult read_clear(base::MutableBytes out);
  ChannelResult write_clear(base::Bytes data);
  ChannelResult write_records(base::Bytes data);
  bool gather(base::Bytes record);
  bool line_up(base::Bytes record);
  ChannelResult send_gathered();

  int descriptor_;
  int system_error_ = 0;
  unsigned long tls_error_ = 0;
  bool broken_ = false;       // after a fatal error OpenSSL must not be called again
  bool peer_closed_ = false;  // the socket's end of file was seen
  bool drained_ = false;      // the last recv took less than it could have: the socket is empty
  bool fed_all_ = false;      // the next call need not ask the socket
  bool gathers_ = false;      // from a write() with more to follow to the last of them
  std::size_t gathered_ = 0;  // octets of buffer_->records
  ChannelBuffers* buffer_ = nullptr;
  base::Bytes received_;  // not yet taken by OpenSSL or reader: in *buffer_, in unread_, or fed
  std::vector<std::uint8_t> unsent_;  // records that the socket did not take
  std::vector<std::uint8_t> unread_;  // what of received_ was left when a call ended
  certs::SslPtr tls_;
};

}  // namespace transports
