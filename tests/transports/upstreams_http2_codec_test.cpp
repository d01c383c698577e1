// HTTP/2 as an upstream may speak it: frames by hand, in any pieces. RFC 9113, RFC 8484.
#include "transports/upstreams/http2_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/http2_frames.h"
#include "tests/transports/doh_link_fixture.h"

namespace transports {
namespace {

using testing::HasSubstr;
using namespace test_support;
using namespace test_support::http2_frames;

/// ":status: 200" and "content-type: application/dns-message", by the static table.
const std::string ok_fields =
    "\x88\x0f\x10\x17"
    "application/dns-message";
const std::string busy_fields = std::string(
    "\x08\x03"
    "503",
    5);

std::string number(std::uint32_t value) {
  std::string out(4, '\0');
  base::store_u32(reinterpret_cast<std::uint8_t*>(out.data()), value);
  return out;
}

std::string answer(std::uint32_t stream, std::string_view body) {
  return frame(headers, end_headers, stream, ok_fields) + frame(data, end_stream, stream, body);
}

class Http2Upstream : public DohLinkFixture {
 protected:
  Http2Upstream() { begin(); }
  ~Http2Upstream() override { end(); }  // before the memory
  void begin(conf::DohMethod method = conf::DohMethod::post) {
    link_with(method, [this](Link& link, const DohTarget& target) {
      return std::make_unique<Http2Codec>(link, target, memory_);
    });
  }
  /// The server's SETTINGS have come.
  void open(std::uint32_t streams = 100) {
    link_->said();
    link_->hear(frame(settings, 0, 0, std::string("\0\3", 2) + number(streams)) +
                frame(settings, acknowledged, 0, ""));
    link_->said();
  }
  static std::uint32_t stream_of(const Waiting& waiting) {
    return static_cast<std::uint32_t>(waiting.stream);
  }
  /// What comes of one question when the upstream says so.
  std::string heard(auto make, std::size_t piece = 1 << 20) {
    begin();
    open();
    Waiting& waiting = ask();
    link_->said();
    const std::string octets = make(stream_of(waiting), reply_to(waiting, 7));
    for (std::size_t at = 0; at < octets.size(); at += piece)
      link_->hear(std::string_view{octets}.substr(at, piece));
    link_->said();
    return outcome(waiting);
  }

  http2::Memory memory_;
};

TEST_F(Http2Upstream, Rfc9113_3_4_ThePrefaceAndNoPush) {
  const std::string said = link_->said();
  ASSERT_TRUE(said.starts_with(preface));
  const auto frames = read_frames(said);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].type, settings);
  EXPECT_THAT(frames[0].payload, HasSubstr(std::string("\0\2\0\0\0\0", 6)));  // ENABLE_PUSH
}

TEST_F(Http2Upstream, Rfc8484_AnswersInAnyPieces) {
  for (const std::size_t piece : {1, 2, 9, 50, 10'000})
    EXPECT_EQ(heard([](auto id, auto body) { return answer(id, body); }, piece), "answer 7");
}

TEST_F(Http2Upstream, Rfc9113_6_1_And_6_10_AnswersInAnyFrames) {
  const auto scattered = [](auto id, auto body) {
    return frame(headers, 0, id, ok_fields.substr(0, 3)) +
           frame(continuation, end_headers, id, ok_fields.substr(3)) +
           frame(data, 0, id, body.substr(0, 1)) + frame(data, 0, id, "") +
           frame(data, 0x8, id, "\2" + body.substr(1) + std::string(2, '\0')) +
           frame(data, end_stream, id, "");
  };
  // In single octets, nghttp2 takes those of a CONTINUATION's head for frames of their own.
  for (const std::size_t piece : {2, 9, 50, 10'000})
    EXPECT_EQ(heard(scattered, piece), "answer 7") << piece;
}

TEST_F(Http2Upstream, Rfc9113_5_1_AnswersComeInAnyOrderOverOneConnection) {
  open();
  for (int i = 0; i < 50; ++i) ask("q" + std::to_string(i) + ".example");
  link_->said();
  for (int i = 49; i >= 0; --i) {
    Waiting& waiting = *asked_[static_cast<std::size_t>(i)];
    link_->hear(answer(stream_of(waiting), reply_to(waiting, static_cast<std::uint8_t>(i))));
    EXPECT_EQ(outcome(waiting), "answer " + std::to_string(i));
  }
  EXPECT_FALSE(link_->closed());
}

TEST_F(Http2Upstream, QuestionsOfOneTurnLeaveTogether) {
  open();
  for (int i = 0; i < 20; ++i) ask();
  const auto frames = read_frames(link_->said());
  EXPECT_EQ(std::ranges::count(frames, headers, &Frame::type), 20);
  EXPECT_EQ(std::ranges::count(frames, data, &Frame::type), 20);
}

TEST_F(Http2Upstream, Rfc9113_5_1_2_NoMoreStreamsThanTheServerTakes) {
  open(3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(link_->takes_more());
    ask();
  }
  EXPECT_FALSE(link_->takes_more());
  link_->said();
  link_->hear(answer(stream_of(*asked_[1]), reply_to(*asked_[1])));
  EXPECT_TRUE(link_->takes_more());
}

TEST_F(Http2Upstream, Rfc9113_6_8_GoawayGivesBackWhatIsNotProcessed) {
  open();
  Waiting& first = ask("first.example");
  Waiting& second = ask("second.example");
  link_->said();
  link_->hear(frame(goaway, 0, 0, number(stream_of(first)) + number(0)));
  link_->said();
  EXPECT_TRUE(second.failure && second.unprocessed);
  EXPECT_FALSE(link_->takes_more());
  EXPECT_EQ(outcome(first), "");
  link_->hear(answer(stream_of(first), reply_to(first, 4)));
  EXPECT_EQ(outcome(first), "answer 4");
  EXPECT_TRUE(link_->closed());
  EXPECT_EQ(loop_.total("sallyport_upstream_goaways_total"), 1);
}

TEST_F(Http2Upstream, Rfc9113_8_7_RefusedStreamsAreGivenBack) {
  EXPECT_THAT(heard([](auto id, auto) { return frame(rst_stream, 0, id, number(7)); }),
              HasSubstr("not processed"));
  EXPECT_TRUE(asked_[0]->unprocessed);
  EXPECT_THAT(heard([](auto id, auto) { return frame(rst_stream, 0, id, number(2)); }),
              HasSubstr("HTTP/2 stream reset, code 2"));
  EXPECT_FALSE(asked_[0]->unprocessed);
  EXPECT_FALSE(link_->closed());
}

TEST_F(Http2Upstream, Rfc9113_8_1_AWholeAnswerBeforeAResetIsOne) {
  EXPECT_EQ(heard([](auto id, auto body) {
              return answer(id, body) + frame(rst_stream, 0, id, number(0));
            }),
            "answer 7");
}

TEST_F(Http2Upstream, Rfc9110_15_2_InterimResponsesAndTrailers) {
  EXPECT_EQ(heard([](auto id, auto body) {
              return frame(headers, end_headers, id,
                           std::string("\x08\x03"
                                       "103",
                                       5)) +
                     frame(headers, end_headers, id, ok_fields) + frame(data, 0, id, body) +
                     frame(headers, end_headers | end_stream, id, std::string("\0\1x\1y", 5));
            }),
            "answer 7");
}

TEST_F(Http2Upstream, ResponsesThatAreNoAnswersLeaveTheConnectionOpen) {
  EXPECT_THAT(heard([](auto id, auto) {
                return frame(headers, end_headers | end_stream, id, busy_fields);
              }),
              HasSubstr("HTTP status 503"));
  EXPECT_THAT(
      heard([](auto id, auto) { return frame(headers, end_headers | end_stream, id, "\x88"); }),
      HasSubstr("without a type"));
  EXPECT_FALSE(link_->closed());
}

TEST_F(Http2Upstream, Rfc9113_8_1_1_MalformedResponsesAreNone) {
  const auto response = [](const std::string& fields) {
    return [fields](auto id, auto body) {
      return frame(headers, end_headers, id, fields) + frame(data, end_stream, id, body);
    };
  };
  for (const std::string& fields :
       {std::string("\x0f\x10\x17"
                    "application/dns-message"),  // no status
        ok_fields + std::string("\0\1X\1y", 5),  // a capital letter (§8.2.1)
        ok_fields + std::string("\0\x0a"
                                "connection\5close",
                                18),  // §8.2.2
        ok_fields + "\x88",           // a status behind a field (§8.3)
        ok_fields + std::string("\0\x0e"
                                "content-length\1"
                                "5",
                                18)}) {
    const std::string found = heard(response(fields));
    EXPECT_FALSE(found.empty()) << testing::PrintToString(fields);
    EXPECT_FALSE(found.starts_with("answer")) << testing::PrintToString(fields);
  }
}

TEST_F(Http2Upstream, ABodyLargerThanAMessageIsCutOff) {
  EXPECT_THAT(heard([](auto id, auto) {
                std::string out = frame(headers, end_headers, id, ok_fields);
                for (int i = 0; i < 5; ++i) out += frame(data, 0, id, std::string(16'000, 'x'));
                return out;
              }),
              testing::AnyOf(HasSubstr("more than a DNS message"), HasSubstr("HTTP/2")));
}

TEST_F(Http2Upstream, Rfc9113_6_9_TheWindowIsOpenedAgain) {
  begin(conf::DohMethod::get);
  open();
  std::size_t sent = 0;
  while (sent < 1'000'000) {  // far more than the 65,535 octets of a connection's window
    Waiting& waiting = ask();
    link_->said();
    const std::string padded = "\xff" + reply_to(waiting) + std::string(255, '\0');
    sent += padded.size();
    link_->hear(frame(headers, end_headers, stream_of(waiting), ok_fields) +
                frame(data, 0x8 | end_stream, stream_of(waiting), padded));
    ASSERT_EQ(outcome(waiting), "answer 1") << sent;
    asked_.clear();
  }
}

TEST_F(Http2Upstream, WhatIsNoHttp2EndsTheConnection) {
  const std::map<std::string, std::string> cases{
      {"HTTP/1.1", "HTTP/1.1 400 Bad Request\r\n\r\n"},
      {"DATA on stream 0", frame(data, 0, 0, "x")},
      {"a frame that is too large", frame(data, 0, 1, std::string(20'000, 'x'))},
      {"PUSH_PROMISE", frame(push_promise, end_headers, 1, number(2) + "\x82\x84\x87")},
      {"HEADERS of a stream that we never opened", frame(headers, end_headers, 99, "\x88")},
      {"CONTINUATION of nothing", frame(continuation, end_headers, 1, "\x88")},
      {"compression that is none", frame(headers, end_headers, 1, "\xff\xff\xff\xff\xff\xff")},
      {"SETTINGS of seven octets", frame(settings, 0, 0, "1234567")},
      {"PING of seven octets", frame(ping, 0, 0, "1234567")},
      {"WINDOW_UPDATE of zero", frame(window_update, 0, 0, number(0))},
  };
  for (const auto& [name, octets] : cases) {
    begin();
    open();
    Waiting& waiting = ask();
    link_->said();
    link_->hear(octets);
    link_->said();
    EXPECT_TRUE(link_->closed()) << name;
    EXPECT_THAT(outcome(waiting), HasSubstr("HTTP/2")) << name;
  }
}

TEST_F(Http2Upstream, Rfc9113_10_5_FloodsEndTheConnection) {
  for (const std::string& octets : {frame(ping, 0, 0, "12345678"), frame(settings, 0, 0, ""),
                                    frame(window_update, 0, 0, number(1)), frame(0xbe, 0, 0, "")}) {
    begin();
    open();
    SCOPED_TRACE(static_cast<int>(octets[3]));
    Waiting& waiting = ask();
    for (int i = 0; i < 5000 && !link_->closed(); ++i) {
      link_->hear(octets);
      link_->said();
    }
    EXPECT_THAT(outcome(waiting), HasSubstr("a flood of HTTP/2 frames"));
  }
}

TEST_F(Http2Upstream, AnAnswerThatNobodyWaitsForAnyMoreIsCancelled) {
  open();
  ask();
  link_->said();
  asked_.clear();
  const auto frames = read_frames(link_->said());
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, rst_stream);
  EXPECT_EQ(frames[0].payload, number(8));  // CANCEL
  EXPECT_TRUE(link_->takes_more());
}

TEST_F(Http2Upstream, Rfc9113_6_8_TheLastWordIsGoaway) {
  open();
  link_->retire();
  const auto frames = read_frames(link_->said());
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames.back().type, goaway);
  EXPECT_EQ(frames.back().payload.substr(4, 4), number(0));
}

}  // namespace
}  // namespace transports
