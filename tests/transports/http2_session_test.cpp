// HTTP/2 sessions of both roles, talking to each other in memory and attacked with raw frames. RFC
// 9113.
#include "transports/http2/session.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/allocation_count.h"
#include "tests/support/http2_frames.h"

namespace transports::http2 {
namespace {

using namespace test_support::http2_frames;

struct Exchange final : Stream {
  std::string fields;
  std::string content;
  bool whole = false;
  bool closed = false;
  bool too_many = false;
  std::uint32_t code = 0;
};

class Buffer final : public Session::Output {
 public:
  [[nodiscard]] bool has_room() const override { return octets.size() < room; }
  void put(base::Bytes more) override { octets.append(base::as_text(more)); }
  std::string take() { return std::exchange(octets, {}); }
  std::string octets;
  std::size_t room = 1 << 20;
};

class Peer final : public Session::Owner {
 public:
  explicit Peer(Role role, Settings settings = {}) : session(role, *this, memory, settings) {}

  Stream* on_open() override {
    if (refuse) return nullptr;
    return exchanges.emplace_back(std::make_unique<Exchange>()).get();
  }
  void on_field(Stream& stream, std::string_view name, std::string_view value) override {
    of(stream).fields.append(name).append(": ").append(value).append("\n");
  }
  void on_too_many_fields(Stream& stream) override { of(stream).too_many = true; }
  void on_content(Stream& stream, base::Bytes octets) override {
    of(stream).content.append(base::as_text(octets));
  }
  void on_whole(Stream& stream) override {
    of(stream).whole = true;
    if (!answer.empty()) {
      const HttpField type{"content-type", "text/plain", true};
      session.respond(stream, 200, {&type, 1}, base::as_bytes(answer), false);
    }
  }
  void on_closed(Stream& stream, std::uint32_t code) override {
    of(stream).closed = true;
    of(stream).code = code;
  }
  void on_goaway(std::int32_t last, std::uint32_t code) override {
    goaway_last = last;
    goaway_code = code;
  }
  void on_pong() override { ++pongs; }

  static Exchange& of(Stream& stream) { return static_cast<Exchange&>(stream); }

  Exchange& ask(std::string_view body = {}) {
    auto& made = *exchanges.emplace_back(std::make_unique<Exchange>());
    const HttpField fields[] = {{":method", body.empty() ? "GET" : "POST", true},
                                {":scheme", "https", true},
                                {":authority", "dns.test", true},
                                {":path", "/dns-query", true}};
    EXPECT_TRUE(session.request(made, fields, base::as_bytes(body)));
    return made;
  }
  std::string output() {
    session.write_to(buffer);
    return buffer.take();
  }
  void take(std::string_view octets) { session.take(base::as_bytes(octets), now); }

  Memory memory;
  Session session;
  Buffer buffer;
  std::vector<std::unique_ptr<Exchange>> exchanges;
  std::string answer;
  base::TimePoint now{std::chrono::seconds(1000)};
  std::int32_t goaway_last = -1;
  std::uint32_t goaway_code = 0;
  int pongs = 0;
  bool refuse = false;
};

class Http2 : public testing::Test {
 protected:
  void talk() {
    for (int i = 0; i < 10; ++i) {
      const std::string there = client.output();
      server.take(there);
      const std::string back = server.output();
      client.take(back);
      if (there.empty() && back.empty()) return;
    }
  }
  Peer client{Role::client};
  Peer server{Role::server};
};

TEST_F(Http2, AsksAndAnswers) {
  server.answer = "the answer";
  Exchange& get = client.ask();
  Exchange& post = client.ask("the question");
  talk();
  EXPECT_TRUE(get.whole && get.closed && post.closed);
  EXPECT_EQ(get.code, 0U);
  EXPECT_EQ(get.fields, ":status: 200\ncontent-type: text/plain\n");
  EXPECT_EQ(get.content, "the answer");
  EXPECT_EQ(server.exchanges[1]->content, "the question");
  EXPECT_EQ(server.exchanges[0]->fields,
            ":method: GET\n:scheme: https\n:authority: dns.test\n:path: /dns-query\n");
  EXPECT_TRUE(server.exchanges[0]->closed && server.exchanges[1]->closed);
}

TEST_F(Http2, AClientKnowsHowMuchItMayAsk) {
  talk();
  EXPECT_EQ(client.session.room_for_requests(), 100U);
  for (int i = 0; i < 100; ++i) client.ask();
  EXPECT_EQ(client.session.room_for_requests(), 0U);
}

TEST_F(Http2, Rfc9113_6_8_GoingAwayLetsStreamsEnd) {
  Exchange& first = client.ask();
  talk();
  server.session.go_away();
  talk();
  EXPECT_EQ(client.goaway_last, first.id());
  EXPECT_EQ(client.session.room_for_requests(), 0U);
  EXPECT_FALSE(server.session.over());
  const HttpField type{"content-type", "text/plain", true};
  server.session.respond(*server.exchanges[0], 200, {&type, 1}, base::as_bytes("late"));
  talk();
  EXPECT_EQ(first.content, "late");
  EXPECT_TRUE(server.session.over());
  EXPECT_EQ(server.session.abuse(), Abuse::none);
}

TEST_F(Http2, ARefusedStreamSaysSo) {
  server.refuse = true;
  Exchange& get = client.ask();
  talk();
  EXPECT_TRUE(get.closed);
  EXPECT_EQ(get.code, static_cast<std::uint32_t>(Code::refused_stream));
}

TEST_F(Http2, AResetEndsTheStreamAtOnce) {
  Exchange& get = client.ask();
  talk();
  client.session.reset(get, Code::cancel);
  talk();
  EXPECT_TRUE(server.exchanges[0]->closed);
  EXPECT_EQ(server.exchanges[0]->code, static_cast<std::uint32_t>(Code::cancel));
}

TEST_F(Http2, PingsAreAnswered) {
  client.session.ping();
  talk();
  EXPECT_EQ(client.pongs, 1);
}

TEST_F(Http2, ABodyBeyondTheWindowWaitsAndMayMove) {
  Peer slow(Role::client, Settings{.concurrent_streams = 100, .window = 10});
  std::string body(1000, 'x');
  server.answer = body;
  Exchange& get = slow.ask();
  server.take(slow.output());
  std::string first = server.output();
  Exchange& served = *server.exchanges[0];
  EXPECT_EQ(served.unsent().size(), 990U);
  const std::string elsewhere(base::as_text(served.unsent()));
  served.move_unsent(base::as_bytes(elsewhere));
  server.answer.assign(1000, 'y');
  for (int i = 0; i < 400 && !get.closed; ++i) {
    slow.take(first);
    server.take(slow.output());
    first = server.output();
  }
  EXPECT_EQ(get.content, body);
}

TEST_F(Http2, OutputStopsWhereThereIsNoRoomAndGoesOn) {
  talk();
  server.answer.assign(60'000, 'z');
  Exchange& get = client.ask();
  server.take(client.output());
  server.buffer.room = 1;
  std::string all;
  int pieces = 0;
  while (server.session.wants_write() && ++pieces < 100) all += server.output();
  EXPECT_GT(pieces, 2);
  client.take(all);
  EXPECT_EQ(get.content.size(), 60'000U);
}

TEST_F(Http2, WarmItAsksTheHeapForNothing) {
  server.answer = "the answer";
  const auto round = [&] {
    client.ask();
    talk();
    client.exchanges.clear();
    server.exchanges.clear();
  };
  for (int i = 0; i < 50; ++i) round();
  const std::size_t blocks = server.memory.heap_blocks() + client.memory.heap_blocks();
  for (int i = 0; i < 200; ++i) round();
  EXPECT_EQ(server.memory.heap_blocks() + client.memory.heap_blocks(), blocks);
}

// ---- raw frames

class Attack : public testing::Test {
 protected:
  Attack() {
    server.take("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings, 0, 0, ""));
    server.output();
  }
  /// Gives it again and again until the server has enough; how often.
  int flood(auto make) {
    for (int i = 1; i <= 100'000; ++i) {
      server.take(make(static_cast<std::uint32_t>((2 * i) - 1)));
      last = server.output();
      server.exchanges.clear();
      if (server.session.over()) return i;
    }
    return 0;
  }
  /// The error code of the GOAWAY that came last.
  [[nodiscard]] Code code() const {
    return static_cast<Code>(base::load_u32(base::as_bytes(last).data() + last.size() - 4));
  }
  Peer server{Role::server};
  std::string last;
};

TEST_F(Attack, RapidResetEndsWithinAThousand) {
  const int times = flood([](std::uint32_t id) {
    return frame(headers, end_stream | end_headers, id, get_fields) +
           frame(rst_stream, 0, id, std::string("\0\0\0\x08", 4));
  });
  EXPECT_GT(times, 100);
  EXPECT_LE(times, 1000);
  EXPECT_EQ(code(), Code::enhance_your_calm);
  EXPECT_EQ(server.session.abuse(), Abuse::resets);
}

TEST_F(Attack, MadeYouResetEndsLikeRapidReset) {
  const int times = flood([](std::uint32_t id) {  // CVE-2025-8671: an overflowing window
    return frame(headers, end_headers, id, "\x83" + get_fields.substr(1)) +
           frame(window_update, 0, id, "\x7f\xff\xff\xff");
  });
  EXPECT_GT(times, 100);
  EXPECT_LE(times, 1000);
  EXPECT_EQ(server.session.abuse(), Abuse::resets);
}

TEST_F(Attack, FloodsOfUselessFramesEnd) {
  const std::pair<const char*, std::string> frames[] = {
      {"PING", frame(ping, 0, 0, "12345678")},
      {"SETTINGS", frame(settings, 0, 0, "")},
      {"PRIORITY", frame(priority, 0, 1, std::string("\0\0\0\0\1", 5))},
      {"WINDOW_UPDATE", frame(window_update, 0, 0, std::string("\0\0\0\1", 4))},
      {"an unknown type", frame(0xbe, 0xff, 0, "12345678")},
      {"PRIORITY_UPDATE", frame(0x10, 0, 0, std::string("\0\0\0\1u=0", 7))},
  };
  for (const auto& [name, octets] : frames) {
    Peer each(Role::server);
    each.take("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings, 0, 0, ""));
    int times = 0;
    std::string out;
    while (!each.session.over() && ++times < 10'000) {
      each.take(octets);
      out = each.output();
    }
    EXPECT_LE(times, 1100) << name;
    EXPECT_EQ(each.session.abuse(), Abuse::frames) << name;
    EXPECT_EQ(base::load_u32(base::as_bytes(out).data() + out.size() - 4), 0xbU) << name;
  }
}

TEST_F(Attack, EmptyDataEnds) {
  server.take(frame(headers, end_headers, 1, "\x83" + get_fields.substr(1)));
  int times = 0;
  while (!server.session.over() && ++times < 10'000) {
    server.take(frame(data, 0, 1, ""));
    server.output();
  }
  EXPECT_LE(times, 1100);
}

TEST_F(Attack, ContinuationsEnd) {
  server.take(frame(headers, end_stream, 1, get_fields));
  int times = 0;
  while (!server.session.over() && ++times < 10'000) {
    server.take(frame(continuation, 0, 1, std::string(100, '\xbe')));
    last = server.output();
  }
  EXPECT_LE(times, 10);
  EXPECT_NE(server.session.abuse(), Abuse::none);
}

TEST_F(Attack, AHeaderListIsCutOffWhereItIsTooLongAndEndsAllWhenItGoesOn) {
  const std::string seed = std::string("\x40\x01x\x64", 4) + std::string(100, 'y');
  server.take(
      frame(headers, end_stream | end_headers, 1, get_fields + seed + std::string(110, '\xbe')));
  ASSERT_EQ(server.exchanges.size(), 1U);
  EXPECT_TRUE(server.exchanges[0]->too_many && server.exchanges[0]->whole);
  EXPECT_FALSE(server.session.over());
  const int times = flood([](std::uint32_t id) {  // the HTTP/2 bomb: an octet for each field
    return frame(headers, end_stream | end_headers, id + 2,
                 "\x82\x84\x87\xbf" + std::string(15'000, '\xbe'));
  });
  EXPECT_EQ(times, 1);
  EXPECT_EQ(server.session.abuse(), Abuse::fields);
  EXPECT_EQ(code(), Code::enhance_your_calm);
}

TEST_F(Attack, GarbageIsAProtocolError) {
  Peer other(Role::server);
  other.take("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  last = other.output();
  EXPECT_TRUE(other.session.over());
  EXPECT_EQ(other.session.abuse(), Abuse::protocol);
  EXPECT_EQ(code(), Code::protocol_error);
}

TEST_F(Attack, Rfc9113_5_1_NothingMoreComesOnAStreamThatTheClientHasEnded) {
  const std::string request = frame(headers, end_stream | end_headers, 1, get_fields);
  const std::string post = frame(headers, end_headers, 1, "\x83" + get_fields.substr(1));
  const std::string cancel = frame(rst_stream, 0, 1, std::string("\0\0\0\x08", 4));
  for (const std::string& ended : {request, post + cancel}) {
    for (const std::string& more : {request, frame(data, 0, 1, "x")}) {
      for (const bool together : {false, true}) {
        Peer each(Role::server);
        each.answer = "x";
        each.take(std::string(preface) + frame(settings, 0, 0, ""));
        if (!together) each.take(ended);
        each.output();
        each.take(together ? ended + more : more);
        last = each.output();
        EXPECT_TRUE(each.session.over());
        EXPECT_EQ(code(), Code::stream_closed);
      }
    }
  }
}

TEST_F(Attack, Rfc9113_5_1_1_StreamsThatWereSkippedCannotBeOpened) {
  server.answer = "x";
  const auto get = [](std::uint32_t id) {
    return frame(headers, end_stream | end_headers, id, get_fields);
  };
  server.take(get(1) + get(9) + get(11) + get(13));
  server.output();
  EXPECT_FALSE(server.session.over());
  server.take(get(5));
  last = server.output();
  EXPECT_TRUE(server.session.over());
  EXPECT_EQ(code(), Code::protocol_error);
}

TEST_F(Attack, Rfc9113_5_1_WhatIsOnItsWayToAStreamThatWeResetIsIgnored) {
  Peer each(Role::server);
  each.refuse = true;
  each.take(std::string(preface) + frame(settings, 0, 0, ""));
  const std::string trailers =
      frame(headers, end_stream | end_headers, 1, std::string("\0\1x\1y", 5));
  each.take(frame(headers, end_headers, 1, "\x83" + get_fields.substr(1)) + frame(data, 0, 1, "x"));
  each.output();
  each.take(frame(data, 0, 1, "y") + trailers);
  each.output();
  EXPECT_FALSE(each.session.over());
  EXPECT_EQ(each.session.abuse(), Abuse::none);
}

TEST_F(Attack, Rfc9113_6_3_PriorityOfTheConnectionIsAnError) {
  server.take(frame(priority, 0, 0, std::string("\0\0\0\1\1", 5)));
  last = server.output();
  EXPECT_TRUE(server.session.over());
  EXPECT_EQ(code(), Code::protocol_error);
}

TEST_F(Attack, RequestsMakeUpForWhatComesWithThem) {
  const int times = flood([&](std::uint32_t id) {
    server.answer = "x";
    return id > 6000 ? frame(settings, 0, 1, "")  // wrong, so that it ends
                     : frame(headers, end_stream | end_headers, id, get_fields) +
                           frame(window_update, 0, 0, std::string("\0\0\0\1", 4)) +
                           frame(ping, 0, 0, "12345678");
  });
  EXPECT_EQ(times, 3001);
  EXPECT_EQ(server.session.abuse(), Abuse::protocol);
}

}  // namespace
}  // namespace transports::http2
