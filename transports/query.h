// One query on its way through the gateway, and what comes of it. The same for every transport:
// nothing here knows a socket, and no transport has a member of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "conf/protocol.h"
#include "dns/codes.h"
#include "dns/request.h"

namespace transports {

/// A plain value, no heap: about 450 octets.
struct Query {
  dns::Request request;
  dns::Verdict verdict = dns::Verdict::accept;  ///< never `drop`: listeners do not pass those on
  conf::Protocol protocol = conf::Protocol::udp;
  std::uint16_t listener = 0;  ///< index in the configuration's list, for metrics
  base::Endpoint client;
  std::size_t size_limit = dns::message_size_max;  ///< the transport's; over UDP the pipeline takes
                                                   ///< the client's and ours in
  bool sessions_scarce = false;  ///< clients are asked to leave when they are done (RFC 7828 §3.4)
  base::TimePoint received;
  base::TimePoint deadline;  ///< an answer, be it SERVFAIL, leaves by then

  /// It is there, whole, at `now`.
  void arrive(conf::Protocol over, std::uint16_t at, const base::Endpoint& from,
              base::TimePoint now, base::Clock::duration patience) {
    protocol = over;
    listener = at;
    client = from;
    received = now;
    deadline = now + patience;
  }
};

/// Where an answer came from: the `source` label of metrics, the log's and explain's word.
enum class Source : std::uint8_t { cache, stale, upstream, local, policy, failure };

constexpr std::string_view to_text(Source source) {
  constexpr std::string_view names[] = {"cache", "stale", "upstream", "local", "policy", "failure"};
  return names[static_cast<std::size_t>(source)];
}

/// What an answer is apart from its octets.
struct AnswerSummary {
  dns::Rcode rcode = dns::Rcode::noerror;
  Source source = Source::failure;
  std::uint32_t least_ttl = 0;  ///< seconds; DoH's max-age
};

/// An answer given at once, written into memory that the listener lends.
struct Reply {
  base::MutableBytes
      out;               ///< at least query.size_limit octets over streams, at least 4096 over UDP
  std::size_t size = 0;  ///< 0: do not answer (over UDP, to an address that may not ask, say)
  AnswerSummary summary;
};

/// An answer that had to be waited for. An empty `wire` means: do not answer.
struct Answer {
  std::vector<std::uint8_t> wire;
  AnswerSummary summary;
};

}  // namespace transports
