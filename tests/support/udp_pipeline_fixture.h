// A whole pipeline behind a UDP listener, with a client's socket: what a query costs from packet to
// packet, on the test's own thread.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tests/support/allocation_count.h"
#include "tests/support/lock_count.h"
#include "tests/support/pipeline_fixture.h"
#include "transports/doh_service.h"
#include "transports/listeners/listeners.h"
#include "transports/listeners/udp_batch.h"
#include "transports/session_registry.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"

namespace test_support {

inline std::vector<std::uint8_t> packet_for(const dns::Question& question) {
  std::vector<std::uint8_t> packet(512);
  dns::OutgoingOptions options;
  options.id = 99;
  packet.resize(dns::compose_query(question, options, packet));
  return packet;
}

class UdpPipelineTest : public PipelineTest {
 protected:
  UdpPipelineTest() {
    const conf::ListenAddress address{
        conf::Protocol::udp, {base::Address::v4({127, 0, 0, 1}), 0}, "udp://127.0.0.1"};
    listener = transports::make_listener(address, 0, listener_context);
    listener->start();
    client = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_storage to;
    const unsigned size = listener->local_endpoint().to_sockaddr(to);
    EXPECT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&to), size), 0);
  }
  ~UdpPipelineTest() override { ::close(client); }

  void send(std::span<const std::uint8_t> packet) const {
    EXPECT_EQ(::send(client, packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
  }
  void expect_answers(std::size_t count) const {
    std::array<std::uint8_t, 4096> answer;
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_GT(::recv(client, answer.data(), answer.size(), MSG_DONTWAIT), 12);
  }
  /// What is ready is done; counts what that took.
  void turn() {
    const std::uint64_t allocations = test::allocations_of_this_thread();
    const std::uint64_t locks = test::locks_of_this_thread();
    context.restart();
    context.poll();
    locked += test::locks_of_this_thread() - locks;
    allocated += test::allocations_of_this_thread() - allocations;
  }

  conf::Limits limits;
  conf::Proxy proxy;
  transports::DohService doh;
  transports::SessionRegistry sessions;
  transports::TimerWheel timers{context};
  transports::UdpBatch udp_batch;
  std::unique_ptr<transports::StreamWorkspace> streams =
      std::make_unique<transports::StreamWorkspace>();
  base::MetricSheet& sheet = metrics.add_sheet();
  transports::DropCounters drops{sheet};
  transports::ListenerContext listener_context{context,  pipeline, limits,   proxy,  doh,
                                               nullptr,  waiting,  sessions, timers, udp_batch,
                                               *streams, sheet,    drops,    log};
  std::unique_ptr<transports::Listener> listener;
  int client = -1;
  std::uint64_t allocated = 0;
  std::uint64_t locked = 0;
};

}  // namespace test_support
