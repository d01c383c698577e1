// The demonstration's line per query: what is in it, and that nobody waits for a screen.
#include "gateway/demo/query_lines.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace gateway::demo {
namespace {

using namespace std::chrono_literals;

transports::Query query_for(std::string_view name) {
  transports::Query query;
  query.request.has_question = true;
  query.request.question = {*dns::Name::from_text(name), dns::RrType::aaaa, dns::RrClass::in};
  query.protocol = conf::Protocol::dot;
  return query;
}

constexpr transports::AnswerSummary from_cache{dns::Rcode::nxdomain, transports::Source::cache, 0};

TEST(QueryLine, TellsNameTypeTransportRcodeSourceAndTime) {
  EXPECT_EQ(line_of(query_for("www.demo.test."), from_cache, 1250us, false),
            "www.demo.test.               AAAA   dot  NXDOMAIN  cache     1.25 ms\n");
}

TEST(QueryLine, IsAlsoJson) {
  EXPECT_EQ(
      line_of(query_for("www.demo.test."), from_cache, 1250us, true),
      R"({"name":"www.demo.test.","type":"AAAA","transport":"dot","rcode":"NXDOMAIN","source":"cache",)"
      R"("microseconds":1250})"
      "\n");
}

TEST(QueryLine, ANameCannotMoveTheCursor) {
  EXPECT_TRUE(line_of(query_for("\\027[2J.demo.test."), from_cache, 0us, false)
                  .starts_with("\\027[2J.demo.test."));
}

TEST(QueryLine, AQueryWithoutQuestionHasALineToo) {
  EXPECT_TRUE(line_of(transports::Query{}, from_cache, 0us, false).starts_with("- "));
}

TEST(QueryLines, AFullPipeIsNotWaitedFor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  QueryLines lines(ends[1], false);
  // More than any pipe holds; were one of these to wait, the test would never end.
  for (int i = 0; i < 50'000; ++i) lines.answered(query_for("www.demo.test."), from_cache, 1ms);
  char octets[64];
  ASSERT_GT(read(ends[0], octets, sizeof octets), 0);
  EXPECT_TRUE(std::string_view(octets, sizeof octets).starts_with("www.demo.test. "));
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace gateway::demo
