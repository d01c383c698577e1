// HTTP/3 sessions of both roles, talking to each other in memory and attacked with raw frames. RFC
// 9114, RFC 9204.
#include "transports/http3/session.h"

#include <gtest/gtest.h>

#include <list>
#include <string>
#include <vector>

#include "tests/support/stream_pair.h"

namespace transports::http3 {
namespace {

struct Exchange final : Stream {
  std::string fields;
  std::string content;
  std::string body;
  bool whole = false;
  bool closed = false;
  bool too_many = false;
  std::uint64_t reset_code = 0;
};

Exchange& of(Stream& stream) { return static_cast<Exchange&>(stream); }

class End final : public Session {
 public:
  End(Role role, test::StreamEnd& streams, LibraryMemory& memory)
      : Session(role, streams, memory, 100) {
    streams.codec = this;
    opened();
  }
  using Session::drain;
  using Session::request;
  using Session::reset;
  using Session::respond;
  using Session::room_for_requests;

  Exchange& ask(std::span<const HttpField> fields, std::string body = {}) {
    Exchange& made = exchanges.emplace_back();
    made.body = std::move(body);
    asked = request(made, fields, base::as_bytes(made.body));
    return made;
  }
  [[nodiscard]] bool idle() const override { return false; }

  std::list<Exchange> exchanges;
  bool asked = false;
  bool refuses = false;
  bool answers = true;
  std::string answer = "an answer";
  quic::StreamId first_not_begun = -1;
  std::size_t ended = 0;

 private:
  Stream* on_open() override { return refuses ? nullptr : &exchanges.emplace_back(); }
  void on_field(Stream& stream, std::string_view name, std::string_view value) override {
    of(stream).fields.append(name).append("=").append(value).append(";");
  }
  void on_too_many_fields(Stream& stream) override { of(stream).too_many = true; }
  void on_content(Stream& stream, base::Bytes octets) override {
    of(stream).content.append(base::as_text(octets));
  }
  void on_whole(Stream& stream) override {
    Exchange& exchange = of(stream);
    exchange.whole = true;
    if (!answers) return;
    exchange.body = answer;
    const HttpField type{"content-type", "text/plain", true};
    respond(stream, exchange.too_many ? 431 : 200, {&type, 1}, base::as_bytes(exchange.body),
            exchange.fields.starts_with(":method=HEAD"));
  }
  void on_reset(Stream& stream, std::uint64_t code) override { of(stream).reset_code = code; }
  bool on_closed(Stream& stream) override {
    of(stream).closed = true;
    ++ended;
    return true;
  }
  void on_goaway(quic::StreamId first) override { first_not_begun = first; }
};

constexpr std::array<HttpField, 4> get{{{":method", "GET", true},
                                        {":scheme", "https", true},
                                        {":authority", "dns.example", true},
                                        {":path", "/dns-query?dns=AAAA", false}}};

class Http3 : public testing::Test {
 protected:
  Http3() { client.answers = false; }
  void carry() { test::carry(ours, theirs); }
  /// Octets on a stream that a client made by hand.
  void raw(quic::StreamId id, std::string_view octets, bool fin = false) {
    ours.deliver(id, base::as_bytes(octets), fin);
  }

  LibraryMemory memory;
  test::StreamEnd ours{true};
  test::StreamEnd theirs{false};
  End server{Role::server, ours, memory};
  End client{Role::client, theirs, memory};
};

using namespace std::string_view_literals;
constexpr auto control = "\x00"sv;
constexpr auto settings = "\x04\x00"sv;
// GET https://a/ with QPACK's static table alone.
constexpr auto headers = "\x01\x08\x00\x00\xd1\xd7\x50\x01\x61\xc1"sv;

TEST_F(Http3, AsksAndAnswers) {
  Exchange& asked = client.ask(get);
  EXPECT_TRUE(client.asked);
  carry();
  ASSERT_EQ(server.exchanges.size(), 1U);
  EXPECT_EQ(server.exchanges.front().fields,
            ":method=GET;:scheme=https;:authority=dns.example;:path=/dns-query?dns=AAAA;");
  EXPECT_TRUE(asked.whole);
  EXPECT_EQ(asked.fields, ":status=200;content-type=text/plain;");
  EXPECT_EQ(asked.content, "an answer");
  EXPECT_TRUE(asked.closed);
  EXPECT_TRUE(server.exchanges.front().closed);
  EXPECT_EQ(ours.granted, 1U);
}

TEST_F(Http3, ItComesInPiecesOfAnySize) {
  ours.piece = theirs.piece = 1;
  server.answer.assign(60'000, 'x');
  Exchange& asked = client.ask(get, std::string(30'000, 'q'));
  carry();
  EXPECT_EQ(server.exchanges.front().content.size(), 30'000U);
  EXPECT_EQ(asked.content.size(), 60'000U);
  EXPECT_TRUE(asked.closed);
  EXPECT_GE(ours.released, 30'000U) << "credit that is not given back";
}

TEST_F(Http3, HeadHasNoContent) {
  auto fields = get;
  fields[0].value = "HEAD";
  Exchange& asked = client.ask(fields);
  carry();
  EXPECT_TRUE(asked.whole);
  EXPECT_EQ(asked.content, "");
}

TEST_F(Http3, WarmMemoryIsUsedAgain) {
  const auto ask_some = [this] {
    for (int i = 0; i < 20; ++i) client.ask(get);
    carry();
  };
  for (int i = 0; i < 3; ++i) {
    theirs.may_open = 100;
    ask_some();
  }
  const std::size_t blocks = memory.heap_blocks();
  const std::size_t held = server.memory_held();
  for (int i = 0; i < 10; ++i) {
    theirs.may_open = 100;
    ask_some();
  }
  EXPECT_EQ(memory.heap_blocks(), blocks);
  EXPECT_EQ(server.memory_held(), held);
}

TEST_F(Http3, Rfc9114_5_2_GoingAwayLetsRequestsEnd) {
  server.answers = false;
  Exchange& asked = client.ask(get);
  carry();
  server.drain();
  carry();
  server.drain();
  EXPECT_EQ(client.first_not_begun, 4);
  EXPECT_EQ(client.room_for_requests(), 0U);
  client.ask(get);
  EXPECT_FALSE(client.asked);
  server.respond(server.exchanges.front(), 200, {}, base::as_bytes("late"), false);
  carry();
  EXPECT_EQ(asked.content, "late");
}

TEST_F(Http3, Rfc9114_5_2_WhatCameTooLateIsRejected) {
  carry();
  server.drain();
  Exchange& asked = client.ask(get);
  carry();
  EXPECT_FALSE(asked.whole);
  EXPECT_EQ(asked.reset_code, number_of(Code::request_rejected));
}

TEST_F(Http3, Rfc9114_4_1_1_AResetEndsTheRequest) {
  server.answers = false;
  Exchange& asked = client.ask(get);
  carry();
  client.reset(asked, Code::request_cancelled);
  carry();
  EXPECT_EQ(server.exchanges.front().reset_code, number_of(Code::request_cancelled));
  EXPECT_TRUE(server.exchanges.front().closed);
  EXPECT_TRUE(asked.closed);
}

TEST_F(Http3, Cve2023_44487_RapidResetsEndTheConnection) {
  server.answers = false;
  for (int i = 0; i < 2000 && !ours.closed_with; ++i) {
    theirs.may_open = 1;
    Exchange& asked = client.ask(get);
    carry();
    client.reset(asked, Code::request_cancelled);
    carry();
  }
  EXPECT_EQ(ours.closed_with, number_of(Code::excessive_load));
  EXPECT_EQ(server.abuse(), Abuse::resets);
  EXPECT_GE(server.exchanges.size(), 500U);
}

TEST_F(Http3, Rfc9114_4_2_2_TooManyFieldsAreNoMoreTold) {
  std::vector<HttpField> fields(get.begin(), get.end());
  const std::string large(5000, 'v');
  for (int i = 0; i < 6; ++i) fields.push_back({"x-large", large, false});
  Exchange& asked = client.ask(fields);
  carry();
  EXPECT_TRUE(server.exchanges.front().too_many);
  EXPECT_LT(server.exchanges.front().fields.size(), 17'000U);
  EXPECT_TRUE(asked.fields.starts_with(":status=431;"));
}

TEST_F(Http3, Cve2026_49975_AFloodOfFieldsEndsTheConnection) {
  raw(2, control);
  raw(2, settings);
  std::string flood(2, '\0');
  flood.append("\xd1\xd7\x50\x01\x61\xc1"sv).append(6000, '\xd1');
  raw(0, std::string("\x01\x57\x78"sv) + flood);
  EXPECT_TRUE(ours.closed_with.has_value());
}

TEST_F(Http3, AnnouncedFieldsAreBounded) {
  raw(2, control);
  raw(2, settings);
  // 64 KiB each, of which nothing comes.
  for (quic::StreamId id = 0; id < 400 && !ours.closed_with; id += 4)
    raw(id, "\x01\x80\x01\x00\x10\x00\x00\xd1\xd7\x50\x01\x61\x5f\x09\x7f\xe0\xfe\x03"sv);
  EXPECT_EQ(ours.closed_with, number_of(Code::excessive_load));
  EXPECT_LT(server.memory_held(), 700'000U);
}

TEST_F(Http3, Rfc9204_2_1_ThereIsNoDynamicTable) {
  raw(2, control);
  raw(2, settings);
  raw(0, "\x01\x03\x02\x00\x80"sv);
  EXPECT_EQ(ours.closed_with, 0x200U);  // QPACK_DECOMPRESSION_FAILED
}

TEST_F(Http3, Rfc9114_9_UnknownFramesAndStreamsAreIgnored) {
  raw(2, control);
  raw(2, settings);
  raw(2, "\x21\x03xyz"sv);
  raw(6, "\x21unknown"sv);
  raw(0, std::string("\x21\x00"sv) + std::string(headers), true);
  EXPECT_FALSE(ours.closed_with.has_value());
  ASSERT_EQ(server.exchanges.size(), 1U);
  EXPECT_TRUE(server.exchanges.front().whole);
}

TEST_F(Http3, Rfc9218_7_2_ThePriorityOfARequestMayComeBeforeIt) {
  raw(2, control);
  raw(2, settings);
  raw(2, "\x80\x0f\x07\x00\x07\x00u=0, i"sv);  // as browsers do
  raw(0, headers, true);
  EXPECT_FALSE(ours.closed_with.has_value()) << std::hex << *ours.closed_with;
  EXPECT_TRUE(server.exchanges.front().whole);
  raw(2, "\x80\x0f\x07\x00\x08\x43\xe8u=0, i"sv);
  EXPECT_EQ(ours.closed_with, 0x108U) << "the priority of a request that it may not open";
}

TEST_F(Http3, AFloodOfUnknownFramesEndsTheConnection) {
  raw(2, control);
  raw(2, settings);
  for (int i = 0; i < 3000 && !ours.closed_with; ++i) raw(2, "\x21\x00"sv);
  EXPECT_EQ(ours.closed_with, number_of(Code::excessive_load));
  EXPECT_EQ(server.abuse(), Abuse::load);
}

struct Broken {
  const char* name;
  quic::StreamId stream;
  std::string_view octets;
  bool fin;
  std::uint64_t code;
};

class Http3Errors : public Http3, public testing::WithParamInterface<Broken> {};

TEST_P(Http3Errors, EndTheConnection) {
  if (GetParam().stream != 2) {
    raw(2, control);
    raw(2, settings);
  }
  raw(GetParam().stream, GetParam().octets, GetParam().fin);
  EXPECT_EQ(ours.closed_with, GetParam().code) << std::hex << ours.closed_with.value_or(0);
  EXPECT_EQ(server.abuse(), Abuse::protocol);
  // And nothing of it is answered.
  raw(0, headers, true);
  quic::StreamId id = 0;
  std::vector<std::uint8_t> octets;
  bool fin = false;
  EXPECT_FALSE(ours.take(id, octets, fin));
}

INSTANTIATE_TEST_SUITE_P(
    Rfc9114, Http3Errors,
    testing::Values(Broken{"S4_1_DataBeforeHeaders", 0, "\x00\x01x"sv, false, 0x105},
                    Broken{"S4_1_2_UpperCaseName", 0,
                           "\x01\x0d\x00\x00\xd1\xd7\x50\x01\x61\xc1\x22XY\x01z"sv, false, 0x10e},
                    Broken{"S4_3_1_NoPath", 0, "\x01\x07\x00\x00\xd1\xd7\x50\x01\x61"sv, false,
                           0x10e},
                    Broken{"S6_2_1_TwoControlStreams", 6, "\x00\x04\x00"sv, false, 0x103},
                    Broken{"S6_2_1_TheControlStreamEnds", 2, "\x00\x04\x00"sv, true, 0x104},
                    Broken{"S6_2_1_NoSettingsFirst", 2, "\x00\x0d\x01\x00"sv, false, 0x10a},
                    Broken{"S7_2_4_SettingsTwice", 2, "\x00\x04\x00\x04\x00"sv, false, 0x105},
                    Broken{"S7_2_4_SettingsOnARequest", 0, "\x04\x00"sv, false, 0x105},
                    Broken{"S7_2_4_1_ASettingOfHttp2", 2, "\x00\x04\x02\x02\x00"sv, false, 0x109},
                    Broken{"S7_1_AFrameThatEndsEarly", 0, "\x01\x08\x00\x00\xd1"sv, true, 0x106},
                    Broken{"S7_2_5_PushPromiseOfAClient", 0, "\x05\x01\x00"sv, false, 0x105},
                    Broken{"S6_2_2_APushStreamOfAClient", 6, "\x01\x00"sv, false, 0x103}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace transports::http3
