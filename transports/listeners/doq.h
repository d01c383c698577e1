// The DoQ listener: a QUIC endpoint whose connections are DoQ sessions. RFC 9250 §4.1. Owned by a
// worker.
#pragma once

#include <cstdint>

#include "transports/listener.h"
#include "transports/quic/doq_session.h"
#include "transports/quic/endpoint.h"

namespace transports {

class DoqListener final : public Listener, private quic::Service {
 public:
  DoqListener(const conf::ListenAddress& address, std::uint16_t index, ListenerContext& context);

  void start() override { endpoint_.start(); }
  Awaitable<void> stop(base::TimePoint drain_until) override { return endpoint_.stop(drain_until); }
  [[nodiscard]] base::Endpoint local_endpoint() const override {
    return endpoint_.local_endpoint();
  }

 private:
  [[nodiscard]] const certs::Alpn& alpn() const override { return certs::alpn_doq; }
  [[nodiscard]] quic::StreamLimits limits() const override;
  std::unique_ptr<quic::Codec> make_codec(quic::Connection& connection) override;

  ListenerContext& context_;
  const std::uint16_t index_;
  quic::DoqWorkspace work_;
  quic::Endpoint endpoint_;
};

}  // namespace transports
