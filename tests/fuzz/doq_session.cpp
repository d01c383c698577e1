// Fuzz target: whatever comes on the streams of a DoQ session, however it is cut: each stream gets
// one answer, to a query that was whole, or none; the session ends over anything else, and all
// memory and credit come back. Pieces follow each other, each with its stream, what happens to
// that, and its size. RFC 9250 §4.2-4.3.
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include "base/log.h"
#include "gateway/admin/metrics_table.h"
#include "tests/support/stream_pair.h"
#include "transports/coroutine_answerer.h"
#include "transports/doh_service.h"
#include "transports/listeners/udp_batch.h"
#include "transports/quic/doq_session.h"
#include "transports/session_registry.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"

namespace {

using namespace transports;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

/// Says the question again: at once, or a little later when its name begins with an `l`.
class Echo final : public CoroutineAnswerer {
 public:
  using CoroutineAnswerer::CoroutineAnswerer;

  base::TimePoint begin_batch() override { return base::Clock::now(); }
  void end_batch() override {}
  bool answer_now(const Query& query, Reply& reply) override {
    must(query.request.id == 0, "an id that is not 0");
    must(query.protocol == conf::Protocol::doq, "over what?");
    const base::Bytes name = query.request.question.name.view().wire();
    if (name.size() > 1 && name[1] == 'l') return false;
    reply.size = answer_of(query, reply.out);
    return true;
  }

 private:
  Awaitable<Answer> answer_late(Query query) override {
    Answer answer;
    answer.wire.resize(64);
    answer.wire.resize(answer_of(query, answer.wire));
    co_return answer;
  }
  static std::size_t answer_of(const Query&, base::MutableBytes out) {
    constexpr std::size_t size = 40;
    std::ranges::fill(out.first(size), std::uint8_t{0x5a});
    return size;
  }
};

/// What a session needs of its worker; made once, for it costs much.
struct Worker {
  boost::asio::io_context io{1};
  Echo answerer{io};
  conf::Limits limits;
  conf::Proxy proxy;
  DohService doh{conf::Config{}};
  WaitingBudget waiting{100};
  SessionRegistry sessions;
  TimerWheel timers{io};
  UdpBatch udp_batch;
  std::unique_ptr<StreamWorkspace> streams = std::make_unique<StreamWorkspace>();
  base::MetricRegistry metrics{gateway::admin::metric_families};
  base::MetricSheet& sheet = metrics.add_sheet();
  DropCounters drops{sheet};
  base::Log log{{.level = base::LogLevel::off}};
  ListenerContext context{io,       answerer, limits,    proxy,    doh,   nullptr, waiting,
                          sessions, timers,   udp_batch, *streams, sheet, drops,   log};
  quic::DoqWorkspace work;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* const worker = new Worker;
  std::size_t received = 0;
  std::size_t opened = 0;
  {
    test::StreamEnd streams(true);
    quic::DoqSession session(streams, worker->context, worker->work, conf::Protocol::doq, 0);
    streams.codec = &session;
    std::map<quic::StreamId, std::size_t> answered;
    std::vector<std::uint8_t> octets;
    const auto take_answers = [&] {
      quic::StreamId id = 0;
      bool fin = false;
      while (streams.take(id, octets, fin)) {
        must(fin && octets.size() == 42, "an answer that is none");
        must(++answered[id] == 1, "two answers on a stream");
        streams.settle(id);
      }
    };
    base::Reader in({data, size});
    while (in.remaining() != 0 && !streams.closed_with) {
      const std::uint8_t head = in.u8();
      const std::uint8_t length = in.u8();
      const base::Bytes piece = in.bytes(std::min<std::size_t>(length, in.remaining()));
      if (!in.ok()) break;
      const quic::StreamId stream = (head & 7) * 4;
      received += piece.size();
      streams.piece = (head & 8) == 0 ? 65536 : 1;
      {
        const Batch batch(worker->answerer);
        streams.deliver(stream, piece, (head & 16) != 0);
        if ((head & 32) != 0) streams.deliver_reset(stream, 3);
        if ((head & 64) != 0) streams.deliver_stop(stream);
      }
      if ((head & 128) != 0) {
        worker->io.restart();
        worker->io.poll();
      }
      take_answers();
    }
    worker->io.restart();
    worker->io.poll();
    if (!streams.closed_with) take_answers();
    opened = streams.granted + streams.open_streams();
    must(streams.released <= received, "more credit than was used");
    must(opened <= 8, "more credit for streams than there were");
  }
  worker->io.restart();
  worker->io.poll();
  must(worker->waiting.taken() == 0, "waited for behind its end");
  return 0;
}
