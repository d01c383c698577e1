// Counters of an upstream: names, labels, and the table of reasons.
#include "transports/upstreams/metrics.h"

#include <algorithm>
#include <utility>

#include "conf/urls.h"

namespace transports {

namespace {

struct ReasonRow {
  Reason reason;
  std::string_view label;
  base::Blame blame;
  base::Retry retry;
  bool broken;
};

using enum base::Blame;
using enum base::Retry;

constexpr std::array<ReasonRow, reasons> reason_rows{{
    {Reason::timeout, "timeout", upstream, other_upstream, false},
    {Reason::refused, "refused", upstream, other_upstream, true},
    {Reason::unknown_host, "unknown_host", upstream, other_upstream, false},
    {Reason::closed, "closed", upstream, fresh_link, true},
    {Reason::certificate, "certificate", upstream, other_upstream, true},
    {Reason::tls, "tls", upstream, other_upstream, true},
    {Reason::malformed, "malformed", upstream, other_upstream, true},
    {Reason::truncated, "truncated", upstream, other_upstream, true},
    {Reason::busy, "busy", upstream, other_upstream, false},
    {Reason::http, "http", upstream, other_upstream, true},
    {Reason::closing, "closing", us, other_upstream, false},
    {Reason::ours, "ours", us, other_upstream, false},
}};

constexpr std::array<std::string_view, link_ends> end_labels{"idle",    "peer",   "error",
                                                             "closing", "silent", "network"};
constexpr std::array<std::string_view, 7> rcode_labels{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                       "NOTIMP",  "REFUSED", "other"};

/// What servers say most often, and the rest by their hundreds; 0 is all else.
struct StatusRow {
  unsigned least;
  unsigned most;
  std::string_view label;
};
constexpr std::array<StatusRow, 9> status_rows{{{400, 400, "400"},
                                                {403, 403, "403"},
                                                {404, 404, "404"},
                                                {429, 429, "429"},
                                                {503, 503, "503"},
                                                {300, 399, "3xx"},
                                                {400, 499, "4xx"},
                                                {500, 599, "5xx"},
                                                {0, 999, "other"}}};

base::Labels labels_of(const conf::Upstream& upstream) {
  return {{"upstream", upstream.url},
          {"protocol", std::string(conf::row_of(upstream.protocol).name)}};
}

base::Labels with(base::Labels labels, std::string_view key, std::string_view value) {
  labels.emplace_back(key, value);
  return labels;
}

base::Counter& connections(base::MetricSheet& sheet, const conf::Upstream& upstream,
                           std::string_view result, std::string_view resumed) {
  return sheet.counter("sallyport_upstream_connections_total",
                       with(with(labels_of(upstream), "result", result), "resumed", resumed));
}

}  // namespace

std::string_view to_text(Reason reason) {
  return reason_rows[static_cast<std::size_t>(reason)].label;
}

Failure make_failure(Reason reason, std::string_view upstream, std::string_view detail) {
  const ReasonRow& row = reason_rows[static_cast<std::size_t>(reason)];
  std::string context = conf::url_without_path(upstream);
  context += ": ";
  context += detail;
  return {reason, {row.blame, row.retry, std::move(context), row.broken}};
}

UpstreamMetrics::UpstreamMetrics(base::MetricSheet& sheet, const conf::Upstream& upstream)
    : queries_(sheet.counter("sallyport_upstream_queries_total", labels_of(upstream))),
      retries_(sheet.counter("sallyport_upstream_retries_total", labels_of(upstream))),
      suspected_(sheet.counter("sallyport_upstream_links_suspected_total", labels_of(upstream))),
      mismatches_(
          sheet.counter("sallyport_upstream_mismatched_replies_total", labels_of(upstream))),
      connected_(connections(sheet, upstream, "ok", "false")),
      connected_resumed_(connections(sheet, upstream, "ok", "true")),
      connection_timeouts_(connections(sheet, upstream, "timeout", "false")),
      connection_refusals_(connections(sheet, upstream, "refused", "false")),
      connection_certificates_(connections(sheet, upstream, "certificate", "false")),
      connection_failures_(connections(sheet, upstream, "failed", "false")),
      durations_(
          sheet.histogram("sallyport_upstream_exchange_duration_seconds", labels_of(upstream))) {
  for (std::size_t i = 0; i < errors_.size(); ++i) {
    errors_[i] = &sheet.counter("sallyport_upstream_errors_total",
                                with(labels_of(upstream), "reason", reason_rows[i].label));
  }
  for (std::size_t i = 0; i < disconnections_.size(); ++i) {
    disconnections_[i] = &sheet.counter("sallyport_upstream_disconnections_total",
                                        with(labels_of(upstream), "reason", end_labels[i]));
  }
  for (std::size_t i = 0; i < replies_.size(); ++i) {
    replies_[i] = &sheet.counter("sallyport_upstream_replies_total",
                                 with(labels_of(upstream), "rcode", rcode_labels[i]));
  }
  if (upstream.early_data) {
    const auto early_data = [&](std::string_view result) {
      return &sheet.counter("sallyport_upstream_early_data_total",
                            with(labels_of(upstream), "result", result));
    };
    early_accepted_ = early_data("accepted");
    early_rejected_ = early_data("rejected");
  }
  if (!conf::row_of(upstream.protocol).http) return;
  goaways_ = &sheet.counter("sallyport_upstream_goaways_total", labels_of(upstream));
  for (std::size_t i = 0; i < http_statuses_.size(); ++i) {
    http_statuses_[i] = &sheet.counter("sallyport_upstream_http_failures_total",
                                       with(labels_of(upstream), "status", status_rows[i].label));
  }
}

void UpstreamMetrics::http_status(unsigned status) {
  const auto row = std::ranges::find_if(status_rows, [status](const StatusRow& each) {
    return status >= each.least && status <= each.most;
  });
  base::Counter* counter = http_statuses_[static_cast<std::size_t>(row - status_rows.begin())];
  if (counter != nullptr) counter->add();
}

void UpstreamMetrics::reply(dns::Rcode rcode, base::Clock::duration took) {
  const auto index = static_cast<std::size_t>(rcode);
  replies_[index < replies_.size() ? index : replies_.size() - 1]->add();
  durations_.observe(std::chrono::duration<double>(took).count());
}

void UpstreamMetrics::connection_failed(Reason reason) {
  switch (reason) {
    case Reason::timeout: return connection_timeouts_.add();
    case Reason::refused: return connection_refusals_.add();
    case Reason::certificate: return connection_certificates_.add();
    default: return connection_failures_.add();
  }
}

}  // namespace transports
