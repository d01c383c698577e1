// What a cache hit over UDP costs, counted: no allocation, no lock. From the octets of a packet to
// the octets of its answer, and then with the socket in between.
#include "transports/listeners/udp.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/system_call_count.h"
#include "tests/support/udp_pipeline_fixture.h"

namespace gateway {
namespace {

using test_support::packet_for;
using test_support::PipelineTest;
using test_support::question_of;

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

class UdpHitTest : public test_support::UdpPipelineTest {
 protected:
  /// Sends so many packets, lets the listener answer them, and takes the answers. Gives the locks
  /// that were taken.
  std::uint64_t exchange(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) send(packet);
    allocated = locked = 0;
    turn();
    expect_answers(count);
    return locked;
  }

  std::vector<std::uint8_t> packet = packet_for(question_of("www.example."));
};

TEST_F(UdpHitTest, OverASocketAHitAllocatesNothingAndLocksDoNotGrowWithHits) {
  answer(query(question_of("www.example.")));
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
