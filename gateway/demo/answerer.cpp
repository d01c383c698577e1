// From a query to the zone's answer, at once, late, or never.
#include "gateway/demo/answerer.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <chrono>

#include "dns/fit.h"

namespace gateway::demo {
namespace {

constexpr std::chrono::milliseconds slow_answer{300};
constexpr std::uint16_t padding_block = 468;  // RFC 8467 §4.1

Manner manner_for(const Zone& zone, const transports::Query& query) {
  return query.verdict == dns::Verdict::accept ? zone.manner_of(query.request.question)
                                               : Manner::at_once;
}

}  // namespace

bool DemoAnswerer::answer_now(const transports::Query& query, transports::Reply& reply) {
  const Manner manner = manner_for(zone_, query);
  if (manner == Manner::slowly) return false;
  reply.size = 0;
  if (manner == Manner::at_once) reply.summary = compose(query, reply.out, reply.size);
  return true;
}

transports::Awaitable<transports::Answer> DemoAnswerer::answer_late(transports::Query query) {
  boost::asio::basic_waitable_timer<base::Clock, boost::asio::wait_traits<base::Clock>,
                                    transports::Executor>
      timer(io_);
  timer.expires_at(std::min(query.received + slow_answer, query.deadline));
  co_await timer.async_wait(boost::asio::as_tuple(transports::use_awaitable));
  transports::Answer answer;
  answer.wire.resize(dns::message_size_max);
  std::size_t size = 0;
  answer.summary = compose(query, answer.wire, size);
  answer.wire.resize(size);
  co_return answer;
}

transports::AnswerSummary DemoAnswerer::compose(const transports::Query& query,
                                                base::MutableBytes out, std::size_t& size) const {
  const bool encrypted = row_of(query.protocol).encrypted;
  dns::FitOptions options;
  options.size_limit = query.size_limit;
  if (!row_of(query.protocol).stream) {
    options.size_limit = std::min<std::size_t>(query.size_limit, query.request.edns.udp_size);
  }
  if (encrypted && query.request.edns.padding) options.padding_block = padding_block;
  transports::AnswerSummary summary;
  summary.source = transports::Source::local;
  if (query.verdict != dns::Verdict::accept) {
    summary.rcode = dns::rcode_of(query.verdict);
    size = dns::fit_empty(query.request, summary.rcode, options, out);
    return summary;
  }
  const dns::KeptAnswer answer = zone_.answer(query.request.question, query.protocol);
  summary.rcode = answer.rcode;
  size = dns::fit(query.request, answer.view(), options, out);
  return summary;
}

}  // namespace gateway::demo
