// The one table of metric families: name, kind, labels, help. The registry, the scrape's HELP lines
// and the list in this folder's README come from it; a family that is not here cannot be counted.
// Prometheus naming conventions.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/counters.h"

namespace gateway::admin {

struct MetricRow {
  base::MetricRegistry::Family family;
  std::string_view labels;  ///< label names, for the documentation; values are a bounded set each
};

namespace metric_rows {
using enum base::MetricRegistry::Kind;

inline constexpr MetricRow rows[] = {
    // What clients ask and get.
    {{"sallyport_queries_total", counter, "Queries received."},
     "listener, transport, family, qtype"},
    {{"sallyport_responses_total", counter, "Answers given, by where they came from."},
     "transport, rcode, source"},
    {{"sallyport_response_duration_seconds", histogram, "From receipt of a query to its answer."},
     "transport, source"},
    {{"sallyport_drops_total", counter, "Packets and queries that were not answered."}, "reason"},
    {{"sallyport_http_refusals_total", counter,
      "Requests over HTTP that got a status instead of an answer."},
     "status"},
    {{"sallyport_queries_waiting", gauge, "Queries that wait for an upstream now."}, ""},
    {{"sallyport_sessions", gauge, "Stream sessions of clients, open now."}, "transport"},
    {{"sallyport_sessions_total", counter, "Stream sessions of clients, accepted."}, "transport"},
    {{"sallyport_tls_handshakes_total", counter, "TLS handshakes with clients that ended."},
     "transport, version, group, resumed, result"},

    // QUIC with clients.
    {{"sallyport_quic_datagrams_total", counter,
      "Datagrams of QUIC listeners: received, sent, not_taken by the kernel, handed_over to "
      "another "
      "worker, unknown."},
     "what"},
    {{"sallyport_quic_stateless_answers_total", counter,
      "Version negotiation, retry, reset and refusal packets sent."},
     "kind"},
    {{"sallyport_quic_connections_ended_total", counter, "QUIC connections of clients that ended."},
     "reason"},
    {{"sallyport_quic_migrations_total", counter,
      "New addresses of QUIC clients that were validated."},
     ""},
    {{"sallyport_quic_early_data_total", counter,
      "QUIC connections of clients with early data, where it may be taken; replayed: the ticket "
      "had been used."},
     "result"},
    {{"sallyport_qlog_left_out_octets_total", counter,
      "Octets of qlog that the disk did not take in time."},
     ""},
    {{"sallyport_cookies_total", counter,
      "Queries with a DNS cookie, by what server cookie came along."},
     "state"},

    // The cache.
    {{"sallyport_cache_entries", gauge, "Answers in the cache."}, ""},
    {{"sallyport_cache_octets", gauge, "Memory of the cache, what waits to be reclaimed included."},
     ""},
    {{"sallyport_cache_budget_octets", gauge, "Memory that the cache may use."}, ""},
    {{"sallyport_cache_hits_total", counter, "Queries answered from the cache."}, "state"},
    {{"sallyport_cache_misses_total", counter, "Queries that the cache had no usable answer for."},
     ""},
    {{"sallyport_cache_stale_answers_total", counter,
      "Stale answers given, by why no fresh one was."},
     "reason"},
    {{"sallyport_cache_prefetches_total", counter,
      "Answers refreshed before they ended; put_off: hits that found no room for another."},
     "result"},
    {{"sallyport_cache_negative_octets", gauge,
      "Memory of answers that say that there is nothing, failures among them."},
     ""},
    {{"sallyport_cache_saves_total", counter, "Times that the cache was saved."}, "result"},
    {{"sallyport_cache_saved_entries", gauge, "Answers that the last save put on disk."}, ""},
    {{"sallyport_cache_save_timestamp_seconds", gauge,
      "When the cache was last saved, in Unix time; 0: not in this run."},
     ""},
    {{"sallyport_cache_loaded_entries", gauge,
      "Answers that the start found on disk, by what became of them."},
     "result"},
    {{"sallyport_cache_inserts_total", counter, "Answers put into the cache."}, ""},
    {{"sallyport_cache_evictions_total", counter, "Answers that left the cache."}, "cause"},

    // Upstreams.
    {{"sallyport_upstream_queries_total", counter, "Queries sent to an upstream."},
     "upstream, protocol"},
    {{"sallyport_upstream_replies_total", counter,
      "Replies of an upstream that matched their question."},
     "upstream, protocol, rcode"},
    {{"sallyport_upstream_errors_total", counter,
      "Exchanges with an upstream that brought no usable reply."},
     "upstream, protocol, reason"},
    {{"sallyport_upstream_retries_total", counter, "Queries sent again to the same upstream."},
     "upstream, protocol"},
    {{"sallyport_upstream_mismatched_replies_total", counter,
      "Replies that were not to the question asked, ignored (RFC 5452)."},
     "upstream, protocol"},
    {{"sallyport_upstream_connections_total", counter, "TCP and TLS connections to an upstream."},
     "upstream, protocol, result, resumed"},
    {{"sallyport_upstream_fallbacks_total", counter,
      "Queries asked over an upstream's fallback, as no QUIC connection to it stood."},
     "upstream"},
    {{"sallyport_upstream_early_data_total", counter,
      "QUIC connections to an upstream with queries in their first packets."},
     "upstream, protocol, result"},
    {{"sallyport_upstream_disconnections_total", counter,
      "TCP and TLS connections to an upstream that ended."},
     "upstream, protocol, reason"},
    {{"sallyport_upstream_links_suspected_total", counter,
      "Connections to an upstream that fell silent, so that a fresh one was tried."},
     "upstream, protocol"},
    {{"sallyport_upstream_http_failures_total", counter,
      "HTTP responses of an upstream with another status than 200."},
     "upstream, protocol, status"},
    {{"sallyport_upstream_goaways_total", counter,
      "Connections over which an upstream took no more queries: HTTP's GOAWAY."},
     "upstream, protocol"},
    {{"sallyport_upstream_exchange_duration_seconds", histogram,
      "From sending a query to its reply."},
     "upstream, protocol"},
    {{"sallyport_bootstrap_lookups_total", counter,
      "Times that an upstream's host was looked up by its bootstrap resolvers."},
     "host, result"},
    {{"sallyport_network_changes_total", counter,
      "Changes of addresses or routes that led to upstreams by other ways."},
     ""},
    {{"sallyport_upstream_hedges_total", counter,
      "Second tries sent to an upstream since another was slow."},
     "upstream"},
    {{"sallyport_upstream_hedges_won_total", counter, "Of those, the ones that answered first."},
     "upstream"},
    {{"sallyport_upstream_hedge_budget_exhausted_total", counter,
      "Second tries that were not sent since the set had sent its share."},
     "set"},
    {{"sallyport_upstream_failovers_total", counter,
      "Tries sent to an upstream since another failed or fell silent."},
     "upstream"},
    {{"sallyport_upstream_probes_total", counter, "Questions that find out whether it answers."},
     "upstream, result"},
    {{"sallyport_upstream_standing", gauge,
      "By how many workers an upstream is taken to be well, suspected or resting now."},
     "upstream, standing"},
    {{"sallyport_upstream_rests_total", counter,
      "How often an upstream was passed over for a while after failures."},
     "upstream"},

    // The gateway itself.
    {{"sallyport_config_reloads_total", counter, "Reloads of the configuration."}, "result"},
    {{"sallyport_certificate_expiry_timestamp_seconds", gauge,
      "When a certificate ends, in Unix time."},
     "name"},
    {{"sallyport_log_lines_dropped_total", counter,
      "Log lines lost because their writer was held up."},
     ""},
    {{"sallyport_build_info", gauge, "Always 1; says which version runs."}, "version"},

    // The process, under the names that every Prometheus dashboard knows.
    {{"process_start_time_seconds", gauge, "When the process started, in Unix time."}, ""},
    {{"process_cpu_seconds_total", counter, "User and system CPU time."}, ""},
    {{"process_resident_memory_bytes", gauge, "Resident memory."}, ""},
    {{"process_open_fds", gauge, "Open file descriptors."}, ""},
    {{"process_max_fds", gauge, "Most file descriptors that may be open."}, ""},
};

constexpr auto families_of_rows() {
  std::array<base::MetricRegistry::Family, std::size(rows)> families{};
  for (std::size_t i = 0; i < families.size(); ++i) families[i] = rows[i].family;
  return families;
}
}  // namespace metric_rows

inline constexpr auto& metric_table = metric_rows::rows;
/// The same without the labels' names, as base::MetricRegistry wants it.
inline constexpr auto metric_families = metric_rows::families_of_rows();

}  // namespace gateway::admin
