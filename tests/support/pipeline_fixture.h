// A whole pipeline on one io_context: the real cache, flights and home, above an upstream that does
// as it is told.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "dns/compose.h"
#include "gateway/admin/metrics_table.h"
#include "gateway/pipeline.h"
#include "tests/support/told_upstream.h"

namespace test_support {

inline dns::Question question_of(const std::string& name, dns::RrType type = dns::RrType::a) {
  dns::Question question;
  question.name = dns::Name::from_text(name).value();
  question.type = type;
  return question;
}

/// A response with one A record, or with an SOA in the authority section when the rcode is
/// NXDOMAIN.
inline dns::KeptAnswer response(const dns::Question& question, std::uint32_t ttl,
                                dns::Rcode rcode = dns::Rcode::noerror) {
  std::vector<std::uint8_t> wire(512);
  base::Writer out{wire};
  const bool positive = rcode == dns::Rcode::noerror;
  const bool negative = rcode == dns::Rcode::nxdomain;
  out.u16(0);
  out.u16(static_cast<std::uint16_t>(dns::flag::qr | dns::flag::ra |
                                     static_cast<std::uint16_t>(rcode)));
  for (const bool count : {true, positive, negative, false}) out.u16(count ? 1 : 0);
  out.bytes(question.name.view().wire());
  out.u16(static_cast<std::uint16_t>(question.type));
  out.u16(1);
  if (positive || negative) {
    out.u16(0xc00c);
    out.u16(static_cast<std::uint16_t>(positive ? dns::RrType::a : dns::RrType::soa));
    out.u16(1);
    out.u32(ttl);
  }
  if (positive) {
    out.u16(4);
    out.u32(0xc0000201);
  } else if (negative) {
    out.u16(22);
    out.u16(0);  // the root twice: MNAME and RNAME
    for (int i = 0; i < 5; ++i) out.u32(ttl);
  }
  wire.resize(out.size());
  return dns::keep_answer(wire).value();
}

/// Takes what it is promised.
struct LateAnswers final : transports::Recipient {
  void on_promise_kept(std::uint64_t /*ticket*/, const transports::LateAnswer& late) override {
    answers.push_back({{late.wire.begin(), late.wire.end()}, late.summary});
  }
  std::vector<transports::Answer> answers;
};

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() {
    told.replies.emplace_back(response(question_of("www.example."), 300));
    home.replace(sets_with(told));
  }

  /// One set of one upstream.
  std::shared_ptr<gateway::upstreams::Sets> sets_with(Told& upstream) {
    std::vector<gateway::upstreams::Entrant> entrants;
    entrants.push_back({.upstream = std::make_unique<ToldUpstream>(upstream)});
    auto sets = std::make_shared<gateway::upstreams::Sets>(gateway::policy::Routes{});
    sets->add(std::make_shared<gateway::upstreams::UpstreamSet>(
        conf::Set{.name = std::string{conf::default_set}}, std::move(entrants),
        gateway::upstreams::SetContext{context.get_executor(), home.timers(), random,
                                       metrics.add_sheet(), log}));
    return sets;
  }

  static conf::Config config() {
    conf::Config config;
    for (const char* allowed : {"127.0.0.0/8", "::1"}) {
      config.server.allow.push_back(base::Prefix::from_text(allowed).value());
    }
    config.server.listen.push_back({conf::Protocol::udp, {}, "udp://127.0.0.1:53"});
    config.upstreams.emplace_back();
    return config;
  }

  static transports::Query query(const dns::Question& question,
                                 conf::Protocol protocol = conf::Protocol::udp) {
    transports::Query query;
    std::vector<std::uint8_t> wire(512);
    dns::OutgoingOptions options;
    options.id = 4711;
    wire.resize(dns::compose_query(question, options, wire));
    query.verdict = dns::parse_request(wire, query.request);
    query.protocol = protocol;
    query.client = {base::Address::from_text("127.0.0.1").value(), 4000};
    query.received = base::Clock::now();
    query.deadline = query.received + std::chrono::seconds{4};
    return query;
  }

  std::optional<std::vector<std::uint8_t>> answer_now(const transports::Query& query) {
    const transports::Batch batch{pipeline};
    std::vector<std::uint8_t> memory(4096);
    transports::Reply reply{memory, 0, {}};
    if (!pipeline.answer_now(query, reply)) return std::nullopt;
    summary = reply.summary;
    memory.resize(reply.size);
    return memory;
  }

  std::vector<std::uint8_t> answer(const transports::Query& query) {
    if (auto now = answer_now(query)) return *now;
    LateAnswers late;
    answer_late(query, late);
    context.restart();
    while (late.answers.empty() && context.run_one() != 0) {
    }
    summary = late.answers.at(0).summary;
    return late.answers[0].wire;
  }

  void answer_late(const transports::Query& query, LateAnswers& to) {
    pipeline.answer(query, {to, 0, transports::WaitingPlace{waiting}});
  }

  static std::uint16_t flags(const std::vector<std::uint8_t>& wire) {
    return base::load_u16(&wire.at(2));
  }

  base::Log log{{.level = base::LogLevel::off}};
  base::MetricRegistry metrics{gateway::admin::metric_families};
  base::Epochs epochs;
  boost::asio::io_context context{1};
  cache::AnswerCache cache{{.budget = 4 << 20, .threads = 1, .seed = {1, 2}}, epochs};
  gateway::Snapshots snapshots{epochs, std::make_shared<const gateway::Snapshot>(config(), 1)};
  gateway::Flights flights;
  base::EpochReader epoch{epochs};
  gateway::Mailbox mailbox{context};
  transports::WaitingBudget waiting{100};
  Told told;
  transports::Random random;
  gateway::Home home{{context, flights, cache, snapshots, epoch, log}};
  const dns::ServerCookies cookies{dns::CookieSecret{}};
  const std::vector<gateway::HomePort> homes{{&home, &mailbox}};
  gateway::PipelineCounters counters{metrics.add_sheet(), snapshots.current().config.server.listen};
  gateway::Pipeline pipeline{
      {snapshots, cache, flights, epoch, cookies, homes, homes.front(), nullptr}, counters};
  transports::AnswerSummary summary;
};

}  // namespace test_support
