// Names of the drop reasons.
#include "transports/transport_counters.h"

namespace transports {

namespace {

base::Counter& drops(base::MetricSheet& sheet, const char* reason) {
  return sheet.counter("sallyport_drops_total", {{"reason", reason}});
}

}  // namespace

DropCounters::DropCounters(base::MetricSheet& sheet)
    : not_a_query(drops(sheet, "not_a_query")),
      no_reply_port(drops(sheet, "no_reply_port")),
      send_refused(drops(sheet, "send_refused")),
      proxy_header(drops(sheet, "proxy_header")),
      session_limit(drops(sheet, "session_limit")),
      client_limit(drops(sheet, "client_limit")),
      session_evicted(drops(sheet, "session_evicted")),
      no_descriptors(drops(sheet, "no_descriptors")),
      slow_client(drops(sheet, "slow_client")),
      octet_limit(drops(sheet, "octet_limit")),
      http_protocol(drops(sheet, "http_protocol")),
      http_fields(drops(sheet, "http_fields")),
      http2_resets(drops(sheet, "http2_resets")),
      http2_frames(drops(sheet, "http2_frames")),
      http3_resets(drops(sheet, "http3_resets")),
      http3_load(drops(sheet, "http3_load")),
      client_gone(drops(sheet, "client_gone")) {}

}  // namespace transports
