// The listener of DNS over HTTP/3: a QUIC endpoint whose connections are HTTP/3 sessions. RFC 8484,
// RFC 9114 §3. Owned by a worker.
#pragma once

#include <cstdint>

#include "transports/http3/server_session.h"
#include "transports/listener.h"
#include "transports/quic/endpoint.h"

namespace transports {

class Doh3Listener final : public Listener, private quic::Service {
 public:
  Doh3Listener(const conf::ListenAddress& address, std::uint16_t index, ListenerContext& context);

  void start() override { endpoint_.start(); }
  Awaitable<void> stop(base::TimePoint drain_until) override { return endpoint_.stop(drain_until); }
  [[nodiscard]] base::Endpoint local_endpoint() const override {
    return endpoint_.local_endpoint();
  }

 private:
  [[nodiscard]] const certs::Alpn& alpn() const override { return certs::alpn_http3; }
  [[nodiscard]] quic::StreamLimits limits() const override;
  std::unique_ptr<quic::Codec> make_codec(quic::Connection& connection) override;

  ListenerContext& context_;
  const std::uint16_t index_;
  http3::Workspace work_;
  quic::Endpoint endpoint_;
};

}  // namespace transports
