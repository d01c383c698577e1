// TCP and DoT upstreams against one that lies, stalls and closes: RFC 7766, RFC 7858, RFC 7828, RFC
// 8467.
#include "transports/upstreams/stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "tests/transports/stream_fixture.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;
using conf::Protocol;

class Stream : public StreamFixture {};

INSTANTIATE_TEST_SUITE_P(Transports, Stream, ::testing::Values(Protocol::tcp, Protocol::dot),
                         [](const auto& info) {
                           return std::string(conf::row_of(info.param).name);
                         });

TEST_P(Stream, AnswersOverOneLink) {
  const auto server = fake(answering());
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 5; ++i) {
    const Answer answer = exchange(*upstream);
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ(last_octet(*answer), 1);
  }
  EXPECT_EQ(server->connections(), 1U);
  EXPECT_EQ(server->count(GetParam()), 5U);
  EXPECT_EQ(loop_.total("sallyport_upstream_connections_total", {{"result", "ok"}}), 1);
  EXPECT_EQ(loop_.total("sallyport_upstream_replies_total", {{"rcode", "NOERROR"}}), 5);
}

TEST_P(Stream, SendsNothingButTheQuestionOfTheClient) {
  const auto server = fake(answering());
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream, "WwW.example.com"));
  ASSERT_TRUE(exchange(*upstream));
  const std::vector<Received> queries = server->received();
  EXPECT_EQ(queries[0].request.question.name.to_text(), "WwW.example.com.");
  EXPECT_EQ(queries[0].request.edns.cookie_size, 0);
  EXPECT_FALSE(queries[0].request.edns.subnet);
  EXPECT_TRUE(queries[0].request.edns.keepalive);  // RFC 7828 §3.2.1: the first query
  EXPECT_FALSE(queries[1].request.edns.keepalive);
}

TEST_P(Stream, Rfc8467_4_1_QueriesArePaddedTo128WhenEncrypted) {
  const auto server = fake(answering());
  const auto upstream = make(settings(*server));
  for (const char* name :
       {"a.example", "a-rather-long-name-that-goes-on.for-some-time.and-ends-at-last.example",
        "www.example.com"}) {
    ASSERT_TRUE(exchange(*upstream, name));
  }
  for (const Received& query : server->received()) {
    EXPECT_EQ(query.request.edns.padding, encrypted());  // RFC 7830 §6: never in the clear
    if (encrypted()) EXPECT_EQ(query.wire.size() % 128, 0U);
  }
}

TEST_P(Stream, Rfc7766_6_2_1_1_QueriesAreCoalescedAndPipelined) {
  const auto server =
      fake([](const Received& query) { return send(answer_to(query, number_of(query)), 20ms); });
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream, "q0.example"));
  auto results = begin_exchanges(*upstream, 50);
  finish(results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(*results[i]) << results[i]->error().context;
    EXPECT_EQ(last_octet(**results[i]), static_cast<int>(i));
  }
  EXPECT_EQ(server->connections(), 1U);
  std::set<std::size_t> writes;
  for (const Received& query : server->received()) {
    if (query.number > 0) writes.insert(query.write);
  }
  // Fifty queries of one turn leave together; over TLS each in a record, and a write, of its own.
  if (!encrypted()) {
    EXPECT_EQ(writes.size(), 1U);
  }
}

TEST_P(Stream, Rfc7766_7_RepliesComeInAnyOrder) {
  auto held = std::make_shared<std::vector<Step>>();
  const auto server = fake([held](const Received& query) {
    held->insert(held->begin(), send(answer_to(query, number_of(query))).front());
    return held->size() == 20 ? *held : std::vector<Step>{};
  });
  const auto upstream = make(settings(*server));
  auto results = begin_exchanges(*upstream, 20);
  finish(results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(*results[i]) << results[i]->error().context;
    EXPECT_EQ(last_octet(**results[i]), static_cast<int>(i));
  }
}

TEST_P(Stream, Rfc7766_6_2_1_IdsInFlightAreDistinctAndNotSequential) {
  auto held = std::make_shared<std::vector<Step>>();
  const auto server = fake([held](const Received& query) {
    held->push_back(send(answer_to(query)).front());
    return held->size() == 100 ? *held : std::vector<Step>{};
  });
  const auto upstream = make(settings(*server));
  auto results = begin_exchanges(*upstream, 100);
  finish(results);
  std::set<std::uint16_t> ids;
  int near = 0;
  const std::vector<Received> queries = server->received();
  for (std::size_t i = 0; i < queries.size(); ++i) {
    ids.insert(queries[i].request.id);
    if (i > 0 && std::abs(queries[i].request.id - queries[i - 1].request.id) < 16) ++near;
  }
  EXPECT_EQ(ids.size(), 100U);
  EXPECT_LT(near, 5);
}

TEST_P(Stream, Rfc7766_7_IdAndQuestionMustMatch) {
  const auto server = fake([](const Received& query) {
    std::vector<Step> steps = send(with_other_question(answer_to(query, 66)));
    steps.push_back(
        send(with_id(answer_to(query, 66), static_cast<std::uint16_t>(query.request.id + 1)))
            .front());
    steps.push_back(send(query.wire).front());  // QR is not set
    steps.push_back(send(answer_to(query, 1)).front());
    return steps;
  });
  const auto upstream = make(settings(*server));
  const Answer answer = exchange(*upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 1);
  EXPECT_EQ(loop_.total("sallyport_upstream_mismatched_replies_total"), 3);
}

TEST_P(Stream, DuplicatesAreIgnored) {
  const auto server = fake([](const Received& query) {
    std::vector<Step> steps = send(answer_to(query));
    steps.push_back(steps.front());
    return steps;
  });
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->connections(), 1U);
}

TEST_P(Stream, ManyStraysEndTheLink) {
  const auto server = fake([](const Received& query) {
    std::vector<Step> steps = send(answer_to(query));
    if (query.connection == 0) {
      for (int i = 0; i < 40; ++i) {
        steps.push_back(
            send(with_id(answer_to(query), static_cast<std::uint16_t>(query.request.id + 1)))
                .front());
      }
    }
    return steps;
  });
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream));
  ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->connections(), 2U);
}

TEST_P(Stream, MessagesInPieces) {
  const auto server = fake([](const Received& query) {
    const Octets reply = answer_to(query);
    Octets framed{static_cast<std::uint8_t>(reply.size() >> 8),
                  static_cast<std::uint8_t>(reply.size())};
    framed.insert(framed.end(), reply.begin(), reply.end());
    std::vector<Step> steps;
    for (const std::uint8_t octet : framed) steps.push_back({Step::Kind::raw, {octet}, 0ms});
    steps[3].after = steps[framed.size() - 1].after = 2ms;
    return steps;
  });
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream));
}

// ---- what replies say

TEST_P(Stream, FailuresWithoutTheQuestionAreReplies) {
  const auto server = fake([](const Received& query) {
    Octets header = bare_answer_to(query, dns::Rcode::refused);
    header.resize(dns::header_size);
    base::store_u16(&header[4], 0);
    return send(header);
  });
  const auto upstream = make(settings(*server));
  const Answer answer = exchange(*upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->rcode, dns::Rcode::refused);
  EXPECT_EQ(base::load_u16(&answer->wire[4]), 1);  // the question is put back
}

TEST_P(Stream, Rfc6891_7_FormerrWithoutOptIsAskedWithoutEdnsAndRemembered) {
  const auto server = fake([](const Received& query) {
    if (query.request.edns.present) return send(bare_answer_to(query, dns::Rcode::formerr));
    return send(answer_to(query));
  });
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->count(GetParam()), 4U);
}

TEST_P(Stream, AnswersOfAnySize) {
  const auto server = fake([](const Received& query) {
    Octets reply = answer_to(query);
    const std::size_t opt = reply.size() - 11;
    Octets tail(reply.begin() + static_cast<std::ptrdiff_t>(opt), reply.end());
    reply.resize(opt);
    std::uint16_t records = 1;
    while (reply.size() < 65'000) {
      const std::uint8_t record[] = {0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, 201, 200};
      reply.insert(reply.end(), std::begin(record), std::end(record));
      reply.resize(reply.size() + 200, 'x');
      ++records;
    }
    base::store_u16(&reply[6], records);
    reply.insert(reply.end(), tail.begin(), tail.end());
    return send(reply);
  });
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 3; ++i) {
    const Answer answer = exchange(*upstream);
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_GT(answer->wire.size(), 65'000U);
  }
}

}  // namespace
