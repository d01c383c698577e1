// Several upstreams in order, and failover inside the query's deadline: the error says whether
// another upstream may help. An upstream that keeps failing is passed over for a while and then
// tried by one query. RFC 9520 §3.1 bounds the tries.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "dns/answer.h"
#include "transports/awaitable.h"
#include "transports/upstreams/upstream.h"

namespace gateway {

/// How one upstream has been doing. Plain values; the set's thread alone touches them.
class UpstreamHealth {
 public:
  static constexpr unsigned failures_before_rest = 3;
  static constexpr std::chrono::seconds rest_least{1};
  static constexpr std::chrono::seconds rest_most{30};

  void succeeded();
  void failed(base::TimePoint now, std::string why);
  /// Passed over now. When a rest has ended, one query may try: the next ones pass over it until
  /// that is decided.
  bool resting(base::TimePoint now);
  [[nodiscard]] bool is_well() const { return failures_ < failures_before_rest; }
  [[nodiscard]] const std::string& last_error() const { return last_error_; }

 private:
  [[nodiscard]] std::chrono::seconds rest() const;

  unsigned failures_ = 0;  // in a row
  base::TimePoint rests_until_{};
  std::string last_error_;
};

/// Owned by its home worker; every call on that worker's thread.
class UpstreamSet {
 public:
  struct Member {
    std::unique_ptr<transports::Upstream> upstream;
    std::chrono::milliseconds timeout;
  };
  struct State {
    std::string name;
    bool well = true;
    std::string last_error;
  };

  UpstreamSet(std::vector<Member> members, base::Log& log);
  UpstreamSet(const UpstreamSet&) = delete;
  UpstreamSet& operator=(const UpstreamSet&) = delete;

  /// The first answer that can be believed: NOERROR or NXDOMAIN; any other rcode is kept in case no
  /// upstream knows better. An error when none replied at all. Ends by the deadline.
  transports::Awaitable<base::Result<dns::KeptAnswer>> resolve(transports::Ask ask,
                                                               base::TimePoint deadline);

  transports::Awaitable<void> close(base::TimePoint drain_until);

  [[nodiscard]] std::vector<State> states() const;

 private:
  struct Watched {
    Member member;
    UpstreamHealth health;
  };
  [[nodiscard]] std::vector<Watched*> order(base::TimePoint now);
  void note_failure(Watched& watched, const base::Error& error);
  void note_success(Watched& watched);

  std::vector<Watched> members_;
  base::Log& log_;
};

}  // namespace gateway
