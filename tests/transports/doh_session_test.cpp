// Sessions that speak DNS over HTTP/2, with real sockets: what leaves together, what it costs, and
// what ends them. RFC 8484, RFC 9113.
#include "transports/http2/server_session.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/gateway/temporary_directory.h"
#include "tests/transports/stream_client.h"
#include "tests/transports/worker_fixture.h"
#include "transports/base64url.h"

namespace transports {
namespace {

using namespace std::chrono_literals;
using test::id_of;
using test::Octets;
using test::query_for;
using test::rcode_of;
using test::StreamClient;
using test::TlsWish;
using test::Worker;

struct Asked final : http2::Stream {
  std::string fields;
  Octets body;
  bool whole = false;
  std::uint32_t code = 0;
  bool closed = false;
};

/// A client that asks by our own HTTP/2 session, blocking.
class DohClient final : private http2::Session::Owner, private http2::Session::Output {
 public:
  explicit DohClient(const base::Endpoint& server, std::uint32_t window = 65'535)
      : stream_(server, TlsWish{.alpn = "\x02h2"}),
        session_(http2::Role::client, *this, memory_, {.window = window}) {}

  /// To be sent by flush().
  Asked& ask(const Octets& message, std::vector<HttpField> more = {}) {
    auto& asked = *asked_.emplace_back(std::make_unique<Asked>());
    sent_.push_back(std::make_unique<Octets>(message));
    std::vector<HttpField> fields{{":method", "POST", true},
                                  {":scheme", "https", true},
                                  {":authority", "dns.test", true},
                                  {":path", "/dns-query", true},
                                  {"content-type", "application/dns-message", true}};
    fields.insert(fields.end(), more.begin(), more.end());
    EXPECT_TRUE(session_.request(asked, fields, *sent_.back()));
    return asked;
  }
  bool flush() {
    session_.write_to(*this);
    return out_.empty() || stream_.send(std::exchange(out_, {}));
  }
  /// False when nothing more comes.
  bool read_until(const auto& done) {
    while (!done()) {
      const Octets some = stream_.receive_some();
      if (some.empty()) return false;
      session_.take(some, base::Clock::now());
      flush();
    }
    return true;
  }
  bool finish(const Asked& asked) {
    return flush() && read_until([&asked] { return asked.closed; });
  }
  /// The server's settings have come, and ours have arrived.
  void greet() {
    EXPECT_TRUE(flush());
    session_.ping();
    EXPECT_TRUE(flush());
    EXPECT_TRUE(read_until([this] { return pongs_ != 0; }));
  }
  void reset(Asked& asked) {
    session_.reset(asked, http2::Code::cancel);
    flush();
  }
  [[nodiscard]] StreamClient& stream() { return stream_; }
  [[nodiscard]] std::optional<std::uint32_t> goaway() const { return goaway_; }

 private:
  static Asked& of(http2::Stream& stream) { return static_cast<Asked&>(stream); }
  http2::Stream* on_open() override { return nullptr; }
  void on_field(http2::Stream& stream, std::string_view name, std::string_view value) override {
    of(stream).fields.append(name).append(": ").append(value).append("\n");
  }
  void on_too_many_fields(http2::Stream&) override {}
  void on_content(http2::Stream& stream, base::Bytes octets) override {
    of(stream).body.insert(of(stream).body.end(), octets.begin(), octets.end());
  }
  void on_whole(http2::Stream& stream) override { of(stream).whole = true; }
  void on_closed(http2::Stream& stream, std::uint32_t code) override {
    of(stream).closed = true;
    of(stream).code = code;
  }
  void on_goaway(std::int32_t, std::uint32_t code) override { goaway_ = code; }
  void on_pong() override { ++pongs_; }
  [[nodiscard]] bool has_room() const override { return true; }
  void put(base::Bytes octets) override { out_.insert(out_.end(), octets.begin(), octets.end()); }

  std::vector<std::unique_ptr<Asked>> asked_;
  std::vector<std::unique_ptr<Octets>> sent_;
  Octets out_;
  std::optional<std::uint32_t> goaway_;
  int pongs_ = 0;
  StreamClient stream_;
  http2::Memory memory_;
  http2::Session session_;
};

class DohSessions : public testing::Test {
 protected:
  DohSessions() {
    conf::Config config;
    config.server.state_directory = directory_.file("state");
    config.server.listen.push_back(
        {conf::Protocol::doh, {*base::Address::from_text("127.0.0.1"), 443}, ""});
    certificates_ = *certs::Store::open(config, log_);
  }
  void start() {
    worker_ = std::make_unique<Worker>(limits_, certificates_.get());
    server_ = worker_->listen("https://127.0.0.1:0");
  }
  [[nodiscard]] bool waits(int queries) const {
    return Worker::eventually([&] { return worker_->answerer.waiting == queries; });
  }
  void release() const {
    DohClient other(server_);
    EXPECT_TRUE(other.finish(other.ask(query_for("go.", 0))));
  }
  static bool answered(const Asked& asked) {
    return asked.whole && asked.fields.starts_with(":status: 200\n") && asked.body.size() >= 12 &&
           rcode_of(asked.body) == dns::Rcode::noerror;
  }

  gateway::TemporaryDirectory directory_;
  base::Log log_{{.level = base::LogLevel::off}};
  std::unique_ptr<certs::Store> certificates_;
  conf::Limits limits_;
  std::unique_ptr<Worker> worker_;
  base::Endpoint server_;
};

TEST_F(DohSessions, AnswersThatAreReadyTogetherLeaveInOneRecord) {
  start();
  DohClient client(server_);
  client.greet();
  const int before = client.stream().records();
  std::vector<Asked*> asked;
  for (std::uint16_t id = 0; id < 50; ++id) asked.push_back(&client.ask(query_for("now.", id)));
  ASSERT_TRUE(client.finish(*asked.back()));
  for (std::uint16_t id = 0; id < 50; ++id) {
    EXPECT_TRUE(answered(*asked[id]));
    EXPECT_EQ(id_of(asked[id]->body), id);
  }
  EXPECT_EQ(client.stream().records() - before, 1);
}

TEST_F(DohSessions, LateAnswersThatAreReadyTogetherLeaveInOneRecord) {
  start();
  DohClient client(server_);
  client.greet();
  std::vector<Asked*> asked;
  for (std::uint16_t id = 0; id < 50; ++id) asked.push_back(&client.ask(query_for("wait.", id)));
  ASSERT_TRUE(client.flush());
  ASSERT_TRUE(waits(50));
  const int before = client.stream().records();
  release();
  for (const Asked* each : asked) EXPECT_TRUE(client.finish(*each) && answered(*each));
  EXPECT_EQ(client.stream().records() - before, 1);
}

/// dnsperf 2.14 sees one answer in each record alone.
TEST_F(DohSessions, WhatIsAskedInRecordsOfItsOwnIsAnsweredSo) {
  start();
  DohClient client(server_);
  client.greet();
  for (const char* name : {"now.", "wait."}) {
    const int before = client.stream().records();
    std::vector<Asked*> asked;
    for (std::uint16_t id = 0; id < 20; ++id) {
      asked.push_back(&client.ask(query_for(name, id)));
      ASSERT_TRUE(client.flush());
    }
    if (std::string_view(name) == "wait.") {
      ASSERT_TRUE(waits(20));
      release();
    }
    for (const Asked* each : asked) EXPECT_TRUE(client.finish(*each) && answered(*each));
    EXPECT_EQ(client.stream().records() - before, 20) << name;
  }
}

TEST_F(DohSessions, WarmAHitAllocatesNothingAndLocksNothing) {
  start();
  DohClient client(server_);
  client.greet();
  const auto round = [&client] {
    Asked* last = nullptr;
    for (std::uint16_t id = 0; id < 50; ++id) last = &client.ask(query_for("now.", id));
    ASSERT_TRUE(client.finish(*last));
  };
  for (int i = 0; i < 3; ++i) round();
  worker_->on_worker([this] { worker_->answerer.allocations_between = 0; });
  for (int i = 0; i < 3; ++i) round();
  EXPECT_EQ(worker_->on_worker([this] { return worker_->answerer.allocations_between; }), 0U);
  EXPECT_EQ(worker_->on_worker([this] { return worker_->answerer.locks_between; }), 0U);
}

TEST_F(DohSessions, Rfc9112_9_3_2_PipelinedHitsOverHttp11AllocateNothingAndLeaveInOneRecord) {
  start();
  StreamClient client(server_, TlsWish{.alpn = "\x08http/1.1"});
  const Octets message = query_for("now.", 0);
  std::string encoded(base64url_size(message.size()), '\0');
  to_base64url(message, encoded.data());
  std::string requests;
  for (int i = 0; i < 50; ++i)
    requests += "GET /dns-query?dns=" + encoded + " HTTP/1.1\r\nhost: x\r\n\r\n";
  const auto round = [&] {
    ASSERT_TRUE(client.send({requests.begin(), requests.end()}));
    int answers = 0;
    while (answers < 50) {
      const Octets some = client.receive_some();
      ASSERT_FALSE(some.empty());
      for (std::string_view text = base::as_text(some);;) {
        const std::size_t at = text.find("HTTP/1.1 200 OK\r\n");
        if (at == std::string_view::npos) break;
        text.remove_prefix(at + 1);
        ++answers;
      }
    }
  };
  for (int i = 0; i < 3; ++i) round();
  const int records = client.records();
  worker_->on_worker([this] { worker_->answerer.allocations_between = 0; });
  for (int i = 0; i < 3; ++i) round();
  EXPECT_EQ(worker_->on_worker([this] { return worker_->answerer.allocations_between; }), 0U);
  EXPECT_EQ(client.records() - records, 3);
}

TEST_F(DohSessions, ABigAnswerWaitsForTheWindow) {
  start();
  DohClient client(server_, 1000);
  Asked& big = client.ask(query_for("big.", 0));
  Asked& small = client.ask(query_for("now.", 0));
  ASSERT_TRUE(client.finish(big) && client.finish(small));
  EXPECT_GT(big.body.size(), 60'000U);
  EXPECT_TRUE(answered(big) && answered(small));
  EXPECT_EQ(worker_->waiting.octets.taken(), 0U);
}

TEST_F(DohSessions, WhoGivesNoWindowIsGivenUpAndNothingIsKept) {
  limits_.message_timeout = 300ms;
  start();
  DohClient client(server_, 0);
  client.ask(query_for("big.", 0));
  ASSERT_TRUE(client.flush());
  EXPECT_FALSE(client.read_until([] { return false; }));
  EXPECT_EQ(client.goaway(), static_cast<std::uint32_t>(http2::Code::enhance_your_calm));
  EXPECT_EQ(worker_->drops("slow_client"), 1);
  EXPECT_TRUE(Worker::eventually([this] { return worker_->waiting.octets.taken() == 0; }));
}

TEST_F(DohSessions, NothingIsKeptThatAllTogetherHaveNoMemoryFor) {
  start();
  worker_->waiting.octets.set_most(0);
  DohClient client(server_, 1000);
  Asked& big = client.ask(query_for("big.", 0));
  ASSERT_TRUE(client.finish(big));
  EXPECT_EQ(big.code, static_cast<std::uint32_t>(http2::Code::enhance_your_calm));
  Asked& late = client.ask(query_for("soon.", 0));
  ASSERT_TRUE(client.finish(late));
  EXPECT_TRUE(late.fields.starts_with(":status: 503\n")) << late.fields;
  EXPECT_EQ(worker_->drops("octet_limit"), 2);
  EXPECT_EQ(worker_->waiting.octets.taken(), 0U);
}

TEST_F(DohSessions, MoreThanMayWaitIs503) {
  limits_.queries_waiting = 1;
  start();
  DohClient client(server_);
  Asked& first = client.ask(query_for("wait.", 0));
  ASSERT_TRUE(client.flush() && waits(1));
  Asked& second = client.ask(query_for("wait.", 0));
  ASSERT_TRUE(client.finish(second));
  EXPECT_TRUE(second.fields.starts_with(":status: 503\n")) << second.fields;
  EXPECT_TRUE(second.fields.contains("retry-after: 1\n"));
  release();
  EXPECT_TRUE(client.finish(first) && answered(first));
}

TEST_F(DohSessions, WhatIsResetIsNotAnsweredAndStillCounts) {
  limits_.queries_per_session = 3;
  start();
  DohClient client(server_);
  client.greet();
  for (int i = 0; i < 6; ++i) {
    Asked& asked = client.ask(query_for("wait.", 0));
    ASSERT_TRUE(client.flush());
    if (i < 3) ASSERT_TRUE(waits(i + 1));
    client.reset(asked);
  }
  release();
  EXPECT_TRUE(Worker::eventually([this] { return worker_->drops("client_gone") == 3; }));
  EXPECT_EQ(worker_->answerer.waiting_most, 3);
}

TEST_F(DohSessions, AClientThatLeavesIsNotWaitedFor) {
  start();
  {
    DohClient client(server_);
    client.ask(query_for("wait.", 0));
    ASSERT_TRUE(client.flush() && waits(1));
    client.stream().reset();
  }
  EXPECT_TRUE(
      Worker::eventually([this] { return worker_->sessions.open(conf::Protocol::doh) == 0; }));
  release();
  EXPECT_TRUE(Worker::eventually([this] { return worker_->drops("client_gone") == 1; }));
}

TEST_F(DohSessions, Rfc9113_6_8_GoodbyeIsSaidToTheIdleAndTheDraining) {
  limits_.idle_timeout = 300ms;
  start();
  DohClient idle(server_);
  idle.greet();
  EXPECT_FALSE(idle.read_until([] { return false; }));
  EXPECT_EQ(idle.goaway(), 0U);
  DohClient client(server_);
  Asked& asked = client.ask(query_for("wait.", 0));
  ASSERT_TRUE(client.flush() && waits(1));
  auto stopped = worker_->stop_listeners(10s);
  EXPECT_TRUE(client.read_until([&client] { return client.goaway() == 0U; }));
  worker_->on_worker([this] { worker_->answerer.release(); });
  EXPECT_TRUE(client.finish(asked) && answered(asked));
  EXPECT_FALSE(client.read_until([] { return false; }));
  stopped.wait();
}

TEST_F(DohSessions, AReverseProxyConnectsForMany) {
  limits_.sessions_per_client = 1;
  start();
  DohClient first(server_);
  first.greet();
  EXPECT_FALSE(DohClient(server_).stream().connected());
  worker_->on_worker(
      [this] { worker_->proxy.reverse_proxies = {*base::Prefix::from_text("127.0.0.1")}; });
  DohClient second(server_);
  EXPECT_TRUE(second.finish(second.ask(query_for("now.", 0))));
}

TEST_F(DohSessions, AReverseProxyTellsOnWhoseBehalfItAsks) {
  start();
  const auto client_of_last = [this] {
    return worker_->on_worker([this] { return worker_->answerer.last.client.address.to_text(); });
  };
  DohClient client(server_);
  const std::vector<HttpField> told{{"x-forwarded-for", "203.0.113.9", true}};
  ASSERT_TRUE(client.finish(client.ask(query_for("now.", 0), told)));
  EXPECT_EQ(client_of_last(), "127.0.0.1") << "anybody can say so";
  worker_->on_worker(
      [this] { worker_->proxy.reverse_proxies = {*base::Prefix::from_text("127.0.0.0/8")}; });
  ASSERT_TRUE(client.finish(client.ask(query_for("now.", 0), told)));
  EXPECT_EQ(client_of_last(), "203.0.113.9");
  ASSERT_TRUE(client.finish(client.ask(query_for("now.", 0))));
  EXPECT_EQ(client_of_last(), "127.0.0.1");
}

}  // namespace
}  // namespace transports
