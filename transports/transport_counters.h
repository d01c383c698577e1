// What a worker's listeners count. Owned by the worker; one thread.
#pragma once

#include "base/counters.h"

namespace transports {

/// `sallyport_drops_total{reason}`: packets and queries that got no answer.
struct DropCounters {
  explicit DropCounters(base::MetricSheet& sheet);

  base::Counter& not_a_query;      ///< shorter than a header, or a response
  base::Counter& no_reply_port;    ///< source port 0
  base::Counter& send_refused;     ///< the kernel did not take the datagram
  base::Counter& proxy_header;     ///< a balancer's PROXY header was not there, wrong, or late
  base::Counter& session_limit;    ///< a connection beyond `limits.sessions`, none being idle
  base::Counter& client_limit;     ///< a connection beyond `limits.sessions_per_client`
  base::Counter& session_evicted;  ///< an idle session that gave way to a new one
  base::Counter& no_descriptors;   ///< accept failed: out of files or memory
  base::Counter& slow_client;      ///< a message begun and not ended, or answers not read, in time
  base::Counter& octet_limit;      ///< more is kept of messages than all of them may take
  base::Counter& http_protocol;    ///< a connection that spoke HTTP wrongly
  base::Counter& http_fields;      ///< ... that sent header fields without end
  base::Counter& http2_resets;     ///< ... that opened and reset streams without end
  base::Counter& http2_frames;     ///< ... that sent frames of no use without end
  base::Counter& http3_resets;     ///< ... that opened and reset requests without end
  base::Counter& http3_load;       ///< ... that made us keep too much, or sent frames of no use
  base::Counter& client_gone;      ///< the answer came when its session had ended
};

}  // namespace transports
