// What a cache hit over UDP costs, counted: no allocation, no lock. From the octets of a packet to
// the octets of its answer, and then with the socket in between.
#include "transports/listeners/listeners.h"

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <array>
#include <memory>
#include <vector>

#include "tests/support/allocation_count.h"
#include "tests/support/lock_count.h"
#include "tests/support/pipeline_fixture.h"
#include "tests/support/system_call_count.h"
#include "transports/doh_service.h"
#include "transports/listeners/udp_batch.h"
#include "transports/session_registry.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"

namespace gateway {
namespace {

using test_support::PipelineTest;
using test_support::question_of;

std::vector<std::uint8_t> packet_for(const dns::Question& question) {
  std::vector<std::uint8_t> packet(512);
  dns::OutgoingOptions options;
  options.id = 99;
  packet.resize(dns::compose_query(question, options, packet));
  return packet;
}

TEST_F(PipelineTest, AHitAllocatesNothingAndTakesNoLock) {
  const std::vector<std::uint8_t> packet = packet_for(question_of("www.example."));
  answer(query(question_of("www.example.")));
  std::vector<std::uint8_t> room(4096);
  transports::Query hit = query(question_of("www.example."));
  std::size_t answered = 0;
  const std::uint64_t allocations = test::allocations_of_this_thread();
  const std::uint64_t locks = test::locks_of_this_thread();
  for (int i = 0; i < 1000; ++i) {
    const transports::Batch batch{pipeline};
    hit.verdict = dns::parse_request(packet, hit.request);
    transports::Reply reply{room, 0, {}};
    answered += pipeline.answer_now(hit, reply) ? 1 : 0;
  }
  const std::uint64_t allocated = test::allocations_of_this_thread() - allocations;
  const std::uint64_t locked = test::locks_of_this_thread() - locks;
  EXPECT_EQ(answered, 1000U);
  EXPECT_EQ(allocated, 0U);
  EXPECT_EQ(locked, 0U);
}

/// The listener with everything it needs, on the fixture's io_context.
class UdpHitTest : public PipelineTest {
 protected:
  UdpHitTest() {
    const conf::ListenAddress address{
        conf::Protocol::udp, {base::Address::v4({127, 0, 0, 1}), 0}, "udp://127.0.0.1"};
    listener = transports::make_listener(address, 0, listener_context);
    listener->start();
    client = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_storage to;
    const unsigned size = listener->local_endpoint().to_sockaddr(to);
    EXPECT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&to), size), 0);
  }
  ~UdpHitTest() override { ::close(client); }

  /// Sends so many packets, lets the listener answer them, and takes the answers. Gives the locks
  /// that were taken.
  std::uint64_t exchange(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(::send(client, packet.data(), packet.size(), 0),
                static_cast<ssize_t>(packet.size()));
    }
    const std::uint64_t allocations = test::allocations_of_this_thread();
    const std::uint64_t locks = test::locks_of_this_thread();
    context.poll();
    const std::uint64_t locked = test::locks_of_this_thread() - locks;
    allocated = test::allocations_of_this_thread() - allocations;
    std::array<std::uint8_t, 4096> answer;
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_GT(::recv(client, answer.data(), answer.size(), MSG_DONTWAIT), 12);
    return locked;
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
  std::vector<std::uint8_t> packet = packet_for(question_of("www.example."));
  std::uint64_t allocated = 0;
};

TEST_F(UdpHitTest, OverASocketAHitAllocatesNothingAndLocksDoNotGrowWithHits) {
  answer(query(question_of("www.example.")));
  context.restart();
  exchange(1);  // Asio keeps the memory of its first operation
  const std::uint64_t locks_of_one = exchange(1);
  EXPECT_EQ(allocated, 0U);
  const std::uint64_t locks_of_many = exchange(20);
  EXPECT_EQ(allocated, 0U);
  EXPECT_EQ(locks_of_many, locks_of_one) << "a wake-up's own, and none for each hit";
}

TEST_F(UdpHitTest, ABatchOfHitsIsOneWaitOneReadOneWriteAndALookForMore) {
  if (!test::system_calls_are_counted()) GTEST_SKIP() << "a sanitizer watches the calls";
  answer(query(question_of("www.example.")));
  context.restart();
  exchange(1);
  const auto cost_of = [this](std::size_t count) {
    const test::SystemCalls before = test::system_calls_of_this_thread();
    exchange(count);
    const test::SystemCalls after = test::system_calls_of_this_thread();
    EXPECT_LE(after.waits - before.waits, 2U) << "one that finds the batch, one that finds nothing";
    EXPECT_EQ(after.preparations - before.preparations, 1U);
    EXPECT_EQ(after.dispatches - before.dispatches, 1U);
    return after.receipts - before.receipts;
  };
  EXPECT_EQ(cost_of(1), 1U);
  EXPECT_EQ(cost_of(20), 2U);
}

}  // namespace
}  // namespace gateway
