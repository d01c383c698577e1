// What is counted for one upstream on its worker's sheet, and the failures that are counted by
// reason. Owned by the upstream; used by its worker alone.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "conf/config.h"
#include "dns/codes.h"

namespace transports {

/// Why an exchange brought no reply: the `reason` label of sallyport_upstream_errors_total.
enum class Reason : std::uint8_t {
  timeout,       ///< silence until the limit
  refused,       ///< connection refused, or no way to the host
  unknown_host,  ///< nobody has told where the host is
  closed,        ///< the link ended before the reply
  certificate,   ///< verification failed
  tls,           ///< any other failure of the handshake or of a record
  malformed,     ///< replies that cannot be read, or broken framing
  truncated,     ///< truncated even over TCP
  busy,          ///< all links were full until the limit, or a dial has failed just now
  http,          ///< an HTTP response that is no answer: its status, its type
  closing,       ///< we are shutting down, or were reconfigured
  ours,          ///< no socket to be had, no authorities to trust
};
inline constexpr std::size_t reasons = 12;

std::string_view to_text(Reason reason);

/// An error on its way out of a link, with what to count it as.
struct Failure {
  Reason reason = Reason::timeout;
  base::Error error;
};

/// Blame and advice follow from the reason; `context` is what clients may see of the upstream's
/// URL, and `detail`, a few words.
Failure make_failure(Reason reason, std::string_view upstream, std::string_view detail);

/// Why a link ended: the `reason` label of sallyport_upstream_disconnections_total.
enum class LinkEnd : std::uint8_t {
  idle,
  peer,
  error,
  closing,
  silent,  ///< while a fresh one was answered
  network  ///< another way leads to the upstream now
};
inline constexpr std::size_t link_ends = 6;

class UpstreamMetrics {
 public:
  UpstreamMetrics(base::MetricSheet& sheet, const conf::Upstream& upstream);

  void query() { queries_.add(); }
  void retry() { retries_.add(); }
  void suspected() { suspected_.add(); }
  void mismatch() { mismatches_.add(); }
  void reply(dns::Rcode rcode, base::Clock::duration took);
  void error(Reason reason) { errors_[static_cast<std::size_t>(reason)]->add(); }
  /// Over HTTP: a status other than 200; the peer takes no more questions over a connection.
  void http_status(unsigned status);
  void goaway() {
    if (goaways_ != nullptr) goaways_->add();
  }
  /// Over QUIC: the queries of the first packets were taken, or had to be asked again.
  void early_data(bool accepted) {
    base::Counter* const counter = accepted ? early_accepted_ : early_rejected_;
    if (counter != nullptr) counter->add();
  }
  void connected(bool resumed) { (resumed ? connected_resumed_ : connected_).add(); }
  void connection_failed(Reason reason);
  void disconnected(LinkEnd end) { disconnections_[static_cast<std::size_t>(end)]->add(); }

 private:
  base::Counter& queries_;
  base::Counter& retries_;
  base::Counter& suspected_;
  base::Counter& mismatches_;
  base::Counter& connected_;
  base::Counter& connected_resumed_;
  base::Counter& connection_timeouts_;
  base::Counter& connection_refusals_;
  base::Counter& connection_certificates_;
  base::Counter& connection_failures_;
  base::DurationHistogram& durations_;
  base::Counter* goaways_ = nullptr;         // over HTTP alone
  base::Counter* early_accepted_ = nullptr;  // where it may be sent
  base::Counter* early_rejected_ = nullptr;
  std::array<base::Counter*, 9> http_statuses_{};
  std::array<base::Counter*, reasons> errors_{};
  std::array<base::Counter*, link_ends> disconnections_{};
  /// By the four bits of the header; a reply with an extended code counts as "other".
  std::array<base::Counter*, 7> replies_{};
};

}  // namespace transports
