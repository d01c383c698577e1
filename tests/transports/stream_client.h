// A client of stream listeners for tests: blocking, bounded in time, in the clear or over TLS.
// Owned by the test.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "certs/openssl.h"
#include "tests/transports/worker_fixture.h"

namespace transports::test {

struct TlsWish {
  std::string server_name{};
  std::string alpn{};  ///< in wire format
  std::string groups{};
  std::string authority_file{};  ///< given: verified, by `server_name`
  int most_version = 0;
  SSL_SESSION* session = nullptr;
};

class StreamClient {
 public:
  /// Connects; with `tls`, shakes hands, too. See connected().
  explicit StreamClient(const base::Endpoint& server, std::optional<TlsWish> tls = std::nullopt);
  ~StreamClient();
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  /// False once the server is gone.
  bool send(const Octets& octets);
  /// Octets on the socket itself, below TLS.
  void send_raw(const Octets& octets) const;
  /// The next message; nothing at the end of the stream, or after ten seconds.
  std::optional<Octets> receive();
  /// The next octets as they come; none at the end of the stream, or after ten seconds.
  Octets receive_some();
  /// Nothing comes any more but the end.
  bool ends();
  /// Sends no more: FIN, or close_notify.
  void half_close();
  /// The same for the socket alone: over TLS the server misses close_notify.
  void cut_off() const;
  /// Closes so that the server gets a reset.
  void reset();

  [[nodiscard]] SSL* tls() const { return tls_.get(); }
  [[nodiscard]] int alert() const { return alert_; }
  /// Application-data records that came.
  [[nodiscard]] int records() const { return records_; }
  [[nodiscard]] certs::SessionPtr& session() { return session_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  void shake_hands(const TlsWish& wish);
  std::ptrdiff_t read_some(std::uint8_t* out, std::size_t size);

  int descriptor_ = -1;
  bool connected_ = false;
  int alert_ = 0;
  int records_ = 0;
  certs::SslContextPtr context_;
  certs::SslPtr tls_;
  certs::SessionPtr session_;
};

}  // namespace transports::test
