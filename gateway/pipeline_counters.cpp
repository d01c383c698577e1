// Registering the rows, and finding the row of a query.
#include "gateway/pipeline_counters.h"

#include <algorithm>
#include <string_view>

namespace gateway {
namespace {

using dns::Rcode;
using dns::RrType;

constexpr std::array counted_types{RrType::a,      RrType::aaaa, RrType::https, RrType::svcb,
                                   RrType::mx,     RrType::txt,  RrType::ptr,   RrType::srv,
                                   RrType::ns,     RrType::soa,  RrType::cname, RrType::ds,
                                   RrType::dnskey, RrType::caa,  RrType::any};
constexpr std::array counted_rcodes{Rcode::noerror,  Rcode::formerr, Rcode::servfail,
                                    Rcode::nxdomain, Rcode::notimp,  Rcode::refused,
                                    Rcode::badvers};

/// The row of a value: its place in the list, or the row behind the last for all others.
template <class List, class Value>
std::size_t row_of(const List& list, const Value& value) {
  return static_cast<std::size_t>(std::ranges::find(list, value) - list.begin());
}

template <class List>
std::string label_of(const List& list, std::size_t row) {
  return row < list.size() ? dns::to_text(list[row]) : "other";
}

}  // namespace

PipelineCounters::PipelineCounters(base::MetricSheet& sheet,
                                   std::span<const conf::ListenAddress> listeners)
    : hits_fresh_(sheet.counter("sallyport_cache_hits_total", {{"state", "fresh"}})),
      hits_stale_(sheet.counter("sallyport_cache_hits_total", {{"state", "stale"}})),
      misses_(sheet.counter("sallyport_cache_misses_total")),
      stale_answers_{
          &sheet.counter("sallyport_cache_stale_answers_total", {{"reason", "slow"}}),
          &sheet.counter("sallyport_cache_stale_answers_total", {{"reason", "failed"}}),
          &sheet.counter("sallyport_cache_stale_answers_total", {{"reason", "failed_before"}})},
      prefetches_put_off_(
          sheet.counter("sallyport_cache_prefetches_total", {{"result", "put_off"}})),
      cookies_{&sheet.counter("sallyport_cookies_total", {{"state", "none"}}),
               &sheet.counter("sallyport_cookies_total", {{"state", "good"}}),
               &sheet.counter("sallyport_cookies_total", {{"state", "old"}}),
               &sheet.counter("sallyport_cookies_total", {{"state", "bad"}})} {
  static_assert(counted_types.size() + 1 == type_rows && counted_rcodes.size() + 1 == rcode_rows);
  for (const conf::ListenAddress& listener : listeners) {
    ListenerRows& rows = queries_.emplace_back();
    for (std::size_t family = 0; family < 2; ++family) {
      for (std::size_t type = 0; type < type_rows; ++type) {
        rows.by_family[family][type] =
            &sheet.counter("sallyport_queries_total",
                           {{"listener", listener.text},
                            {"transport", std::string{conf::row_of(listener.protocol).name}},
                            {"family", family == 0 ? "ipv4" : "ipv6"},
                            {"qtype", label_of(counted_types, type)}});
      }
    }
  }
  for (const conf::ProtocolRow& protocol : conf::protocols) {
    const std::size_t at = static_cast<std::size_t>(protocol.protocol);
    for (std::size_t source = 0; source < source_rows; ++source) {
      const std::string source_label{transports::to_text(static_cast<transports::Source>(source))};
      durations_[at][source] =
          &sheet.histogram("sallyport_response_duration_seconds",
                           {{"transport", std::string{protocol.name}}, {"source", source_label}});
      for (std::size_t rcode = 0; rcode < rcode_rows; ++rcode) {
        responses_[at][rcode][source] =
            &sheet.counter("sallyport_responses_total", {{"transport", std::string{protocol.name}},
                                                         {"rcode", label_of(counted_rcodes, rcode)},
                                                         {"source", source_label}});
      }
    }
  }
}

void PipelineCounters::query(const transports::Query& query) {
  if (query.listener >= queries_.size()) return;
  const std::size_t family = query.client.address.is_v4() ? 0 : 1;
  queries_[query.listener]
      .by_family[family][row_of(counted_types, query.request.question.type)]
      ->add();
}

void PipelineCounters::response(conf::Protocol protocol, const transports::AnswerSummary& summary,
                                std::chrono::nanoseconds took) {
  const std::size_t at = static_cast<std::size_t>(protocol);
  const std::size_t source = static_cast<std::size_t>(summary.source);
  responses_[at][row_of(counted_rcodes, summary.rcode)][source]->add();
  durations_[at][source]->observe(std::chrono::duration<double>(took).count());
}

}  // namespace gateway
