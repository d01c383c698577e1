// One TCP connection to an upstream, with TLS or without, straight or through a proxy: dialled,
// verified, then a stream of octets. RFC 7858 §3.1 and RFC 8310 §5.1: over TLS nothing is sent
// before the peer has proved who it is, and there is no way back to cleartext. Owned by a link, or
// by whoever asks once.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "certs/tls_context.h"
#include "conf/config.h"
#include "transports/awaitable.h"
#include "transports/channel.h"
#include "transports/upstreams/known_host.h"
#include "transports/upstreams/metrics.h"
#include "transports/upstreams/timer.h"

namespace transports {

/// How an upstream is reached. Shared by its connections, and outlives them.
struct Reach {
  const conf::Upstream& upstream;
  std::shared_ptr<certs::ClientContext> tls{};  ///< empty for TCP
  std::string proxy_login{};
  std::shared_ptr<KnownHost> host{};  ///< null when the configuration says where it is
  std::size_t first_place = 0;        ///< of its places: where it was found last
  bool verify = true;  ///< false for people who look for what is wrong, never for a link
};

class Connection {
 public:
  Connection(Executor executor, Reach& reach, ChannelBuffers& buffer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Connects and shakes hands, by `limit`; with the next place of the upstream when that fails.
  /// Nothing on success.
  Awaitable<std::optional<Failure>> open(base::TimePoint limit);
  [[nodiscard]] bool is_open() const { return channel_.has_value() && ready_; }

  /// As Channel's; `failed` once closed.
  ChannelResult read(base::MutableBytes out);
  ChannelResult write(base::Bytes data);
  /// Why the last call failed.
  [[nodiscard]] std::string failure_text() const;

  /// Return when the socket is ready, at `until`, or after close(). One waiter each.
  Awaitable<void> readable(base::TimePoint until);
  Awaitable<void> writable(base::TimePoint until);

  /// Says goodbye as far as the socket takes it at once, and gives the descriptor back. Wakes who
  /// waits.
  void close();

  /// Octets are on their way, and the peer's system has confirmed none since then.
  [[nodiscard]] bool unacknowledged(base::TimePoint since);

  /// Once open.
  [[nodiscard]] TlsFacts tls_facts() const { return channel_->facts(); }
  [[nodiscard]] SSL* tls() const { return channel_ ? channel_->tls() : nullptr; }
  [[nodiscard]] base::Clock::duration connect_took() const { return connect_took_; }
  [[nodiscard]] base::Clock::duration handshake_took() const { return handshake_took_; }

 private:
  using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

  Awaitable<std::optional<Failure>> open_at(const base::Endpoint* place, base::TimePoint limit);
  Awaitable<std::optional<Failure>> connect(const base::Endpoint& endpoint, base::TimePoint limit);
  std::optional<Failure> forget_writability();
  Awaitable<std::optional<Failure>> pass_proxy(const base::Endpoint* place, base::TimePoint limit);
  Awaitable<std::optional<Failure>> shake_hands(base::TimePoint limit);
  void start_again();
  [[nodiscard]] Failure handshake_failure();
  [[nodiscard]] Failure fail(Reason reason, std::string_view detail) const {
    return make_failure(reason, reach_.upstream.url, detail);
  }

  Reach& reach_;
  ChannelBuffers& buffer_;
  Descriptor descriptor_;
  std::optional<Channel> channel_;
  HostWaiter host_;
  Timer read_timer_;
  Timer write_timer_;
  bool ready_ = false;
  bool closed_ = false;
  base::Clock::duration connect_took_{};
  base::Clock::duration handshake_took_{};
};

}  // namespace transports
