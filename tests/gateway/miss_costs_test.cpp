// What a miss over UDP costs that is asked of an upstream over UDP, counted from packet to packet:
// allocations for each miss, and system calls for a burst of them.
#include "transports/upstreams/plain.h"

#include <gtest/gtest.h>

#include <chrono>
#include <format>
#include <thread>
#include <vector>

#include "tests/support/system_call_count.h"
#include "tests/support/udp_pipeline_fixture.h"
#include "transports/channel.h"

namespace gateway {
namespace {

using test_support::packet_for;
using test_support::question_of;

class UdpMissTest : public test_support::UdpPipelineTest {
 protected:
  UdpMissTest() {
    server_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_storage address;
    unsigned size = base::Endpoint{base::Address::v4({127, 0, 0, 1}), 0}.to_sockaddr(address);
    EXPECT_EQ(::bind(server_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(server_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    conf::Upstream settings;
    settings.url = "udp://127.0.0.1";
    settings.protocol = conf::Protocol::udp;
    settings.endpoint = base::Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(address));
    std::vector<upstreams::Entrant> entrants;
    entrants.push_back({.upstream = *transports::make_upstream(settings, upstream_context_)});
    auto sets = std::make_shared<upstreams::Sets>(policy::Routes{});
    sets->add(std::make_shared<upstreams::UpstreamSet>(
        conf::Set{.name = std::string{conf::default_set}}, std::move(entrants),
        upstreams::SetContext{context.get_executor(), home.timers(), random, sheet, log}));
    home.replace(std::move(sets));
  }
  ~UdpMissTest() override {
    home.replace(nullptr);
    ::close(server_);
  }

  /// So many questions that were never asked before, from packet to packet.
  void miss(unsigned count) {
    for (unsigned i = 0; i < count; ++i)
      send(packet_for(question_of(std::format("n{}.example.", ++asked_))));
    allocated = locked = 0;
    turn();
    reply_to(count);
    turn();
    expect_answers(count);
  }

 private:
  /// The question again, and an address.
  void reply_to(unsigned count) const {
    std::array<std::uint8_t, 512> message;
    for (unsigned i = 0; i < count; ++i) {
      sockaddr_storage from;
      socklen_t from_size = sizeof from;
      const ssize_t size = ::recvfrom(server_, message.data(), message.size(), MSG_DONTWAIT,
                                      reinterpret_cast<sockaddr*>(&from), &from_size);
      ASSERT_GT(size, 12);
      base::store_u16(&message[2], 0x8180);
      base::store_u16(&message[6], 1);
      base::store_u16(&message[10], 0);  // without OPT
      std::size_t end = 12;
      while (message[end] != 0) end += std::size_t{1} + message[end];
      base::Writer out{std::span{message}.subspan(end + 5)};
      out.u16(0xc00c);
      out.u16(static_cast<std::uint16_t>(dns::RrType::a));
      out.u16(1);
      out.u32(300);
      out.u16(4);
      out.u32(0xc0000201);
      ::sendto(server_, message.data(), end + 5 + out.size(), 0,
               reinterpret_cast<const sockaddr*>(&from), from_size);
    }
  }

  std::unique_ptr<transports::ChannelBuffers> receive_buffer_ =
      std::make_unique<transports::ChannelBuffers>();
  certs::Authorities authorities_;
  transports::UpstreamContext upstream_context_{
      context.get_executor(), random, *receive_buffer_, authorities_, sheet, log, home.timers()};
  int server_ = -1;
  unsigned asked_ = 0;
};

TEST_F(UdpMissTest, AMissAllocatesForItsAnswerAndNotForItsWay) {
  for (int i = 0; i < 10; ++i) miss(16);  // memory that the next ones use again
  miss(16);
  // Reading the answer, keeping its octets and where its TTLs are, what all who wait share, and who
  // is to be told. A coroutine, a copied query or a posted call for each would be seen here.
  EXPECT_LE(allocated, 16 * 6U);
}

TEST_F(UdpMissTest, ABurstOfMissesLeavesAndComesManyToASystemCall) {
  if (!test::system_calls_are_counted()) GTEST_SKIP() << "a sanitizer watches the calls";
  for (int i = 0; i < 10; ++i) miss(16);
  const test::SystemCalls before = test::system_calls_of_this_thread();
  miss(16);
  const test::SystemCalls after = test::system_calls_of_this_thread();
  EXPECT_LE(after.dispatches - before.dispatches, 3U)
      << "two ports to ask from, one answer for all";
  EXPECT_LE(after.receipts - before.receipts, 6U);
}

}  // namespace
}  // namespace gateway
