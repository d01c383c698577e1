// What a cache hit over DoQ and DoH3 costs above the packets, counted: from the octets of a stream
// to the octets of its answer nothing is allocated once a session is warm.
#include "transports/quic/doq_session.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/allocation_count.h"
#include "tests/support/pipeline_fixture.h"
#include "transports/base64url.h"
#include "transports/doh_service.h"
#include "transports/http3/server_session.h"
#include "transports/listeners/udp_batch.h"
#include "transports/session_registry.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"

namespace gateway {
namespace {

namespace quic = transports::quic;
namespace http3 = transports::http3;
using test_support::PipelineTest;
using test_support::question_of;

/// One stream after the other, and none of them costs memory.
class FewStreams final : public quic::Streams {
 public:
  quic::Stream* current = nullptr;
  std::uint64_t closed_with = UINT64_MAX;

  void close(std::uint64_t code) override { closed_with = code; }
  void schedule() override {}
  void release(std::size_t) override {}
  void release(quic::Stream&, std::size_t) override {}
  void grant_stream() override {}
  [[nodiscard]] std::uint64_t streams_left() const override { return 0; }
  [[nodiscard]] bool open(quic::Stream&) override { return false; }
  [[nodiscard]] bool open_unidirectional(quic::Stream& stream) override {
    stream.id = next_of_ours_;
    next_of_ours_ += 4;
    return true;
  }
  void reset(quic::Stream&, std::uint64_t) override {}
  void reset_writing(quic::Stream&, std::uint64_t) override {}
  void stop_reading(quic::Stream&, std::uint64_t) override {}
  [[nodiscard]] quic::Stream* find(quic::StreamId id) const override {
    return current != nullptr && current->id == id ? current : nullptr;
  }
  [[nodiscard]] base::Endpoint peer() const override {
    return {base::Address::v4({127, 0, 0, 1}), 5353};
  }

 private:
  quic::StreamId next_of_ours_ = 3;
};

class QuicHitTest : public PipelineTest {
 protected:
  /// What comes on one new stream; gives how much went back.
  std::size_t exchange(quic::Codec& codec, base::Bytes octets) {
    const transports::Batch batch{pipeline};
    streams.current = codec.accept(next_);
    streams.current->id = next_;
    next_ += 4;
    codec.received(*streams.current, octets, true, false);
    std::size_t size = 0;
    for (;;) {
      const quic::Output output = codec.next_output();
      if (output.stream == nullptr) break;
      std::size_t some = 0;
      for (std::size_t i = 0; i < output.count; ++i) some += output.parts[i].len;
      codec.sent(*output.stream, some);
      codec.acknowledged(*output.stream, some);
      if (output.stream == streams.current) size += some;
    }
    quic::Stream& done = *std::exchange(streams.current, nullptr);
    EXPECT_TRUE(codec.closed(done));
    return size;
  }
  void check(quic::Codec& codec, base::Bytes octets) {
    answer(query(question_of("www.example.")));
    for (int i = 0; i < 20; ++i) EXPECT_GT(exchange(codec, octets), 12U);
    const std::uint64_t before = test::allocations_of_this_thread();
    for (int i = 0; i < 200; ++i) exchange(codec, octets);
    EXPECT_EQ(test::allocations_of_this_thread() - before, 0U);
    EXPECT_EQ(streams.closed_with, UINT64_MAX);
  }
  static std::vector<std::uint8_t> message() {
    std::vector<std::uint8_t> wire(512);
    dns::OutgoingOptions options;
    options.padding_block = 128;
    wire.resize(dns::compose_query(question_of("www.example."), options, wire));
    return wire;
  }

  conf::Limits limits;
  conf::Proxy proxy;
  transports::DohService doh{conf::Config{}};
  transports::WaitingBudget waiting{100};
  transports::SessionRegistry sessions;
  transports::TimerWheel timers{context};
  transports::UdpBatch udp_batch;
  std::unique_ptr<transports::StreamWorkspace> workspace =
      std::make_unique<transports::StreamWorkspace>();
  base::MetricSheet& sheet = metrics.add_sheet();
  transports::DropCounters drops{sheet};
  transports::ListenerContext listener_context{context,    pipeline, limits,   proxy,  doh,
                                               nullptr,    waiting,  sessions, timers, udp_batch,
                                               *workspace, sheet,    drops,    log};
  FewStreams streams;
  quic::StreamId next_ = 0;
};

TEST_F(QuicHitTest, OverDoqNothingIsAllocated) {
  quic::DoqWorkspace work;
  quic::DoqSession session(streams, listener_context, work, conf::Protocol::doq, 0);
  const std::vector<std::uint8_t> wire = message();
  std::vector<std::uint8_t> framed(2);
  base::store_u16(framed.data(), static_cast<std::uint16_t>(wire.size()));
  framed.insert(framed.end(), wire.begin(), wire.end());
  check(session, framed);
}

TEST_F(QuicHitTest, OverHttp3NothingIsAllocated) {
  http3::Workspace work(waiting.octets, sheet);
  http3::ServerSession session(streams, listener_context, work, 0);
  session.opened();
  // GET https://a/dns-query?dns=..., with QPACK's static table alone.
  const std::vector<std::uint8_t> wire = message();
  std::string path = "/dns-query?dns=";
  const std::size_t begin = path.size();
  path.resize(begin + transports::base64url_size(wire.size()));
  transports::to_base64url(wire, path.data() + begin);
  ASSERT_GE(path.size(), 127U);
  ASSERT_LT(path.size(), 127U + 128U);
  std::string fields(
      "\0\0\xd1\xd7\x50\x01"
      "a\x51\x7f",
      9);
  fields += static_cast<char>(path.size() - 127);
  fields += path;
  ASSERT_LT(fields.size(), 16384U);
  std::string request("\x01", 1);
  request += static_cast<char>(0x40 | (fields.size() >> 8));
  request += static_cast<char>(fields.size() & 0xff);
  check(session, base::as_bytes(request + fields));
}

}  // namespace
}  // namespace gateway
