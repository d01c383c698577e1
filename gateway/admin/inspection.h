// What the control socket tells of upstreams and of a name's way to them, as plain values: filled
// in by the gateway, turned into JSON for `sallyport upstream` and `sallyport explain`.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "dns/request.h"

namespace gateway::admin {

/// An upstream as one of the workers that ask it sees it.
struct UpstreamView {
  std::uint32_t worker = 0;
  std::string standing;  ///< well, suspected, resting
  std::chrono::microseconds smoothed{0};
  std::chrono::microseconds p95{0};
  std::string last_error;
};

/// `sallyport upstream list`: an upstream of a set.
struct UpstreamDetail {
  std::string set;
  std::string strategy;
  std::string url;
  std::size_t line = 0;  ///< of the configuration
  bool drained = false;
  std::uint64_t queries = 0;
  std::uint64_t errors = 0;
  std::uint64_t links_open = 0;
  std::vector<std::string> addresses;  ///< of its host, as far as it was looked up
  std::vector<UpstreamView> views;
};

/// `sallyport upstream test`: what one upstream said when it was asked just now.
struct TestedUpstream {
  std::string set;
  std::string url;
  bool answered = false;
  std::string outcome;  ///< an rcode, or what went wrong
  std::chrono::microseconds took{0};
};

/// One try of a question at one upstream.
struct Attempt {
  std::string url;
  std::size_t line = 0;
  std::string why;
  std::chrono::microseconds began{0};  ///< after the question came
  std::chrono::microseconds took{0};
  std::string outcome;
};

struct ExplainOrder {
  dns::Question question;
  bool ask = false;  ///< the upstreams, although the answer is in the cache
  base::Address from = base::Address::v4({127, 0, 0, 1});  ///< who asks
};

/// `sallyport explain`: the life of a query, told while it is lived. Nothing is kept of it.
struct Explanation {
  dns::Question question;
  std::string file;  ///< the configuration
  base::Address from;
  bool allowed = false;        ///< may ask; if not, nothing of the below is done
  std::string allowed_by;      ///< the range that lets it
  std::size_t allow_line = 0;  ///< 0: built in
  std::string answered_here;   ///< by which rule; then nothing of the below is done
  std::string route;           ///< the name that led to the set; empty: none did
  std::size_t route_line = 0;
  std::string set;
  std::string strategy;
  std::uint32_t hedge_percent = 0;
  std::string cached;  ///< fresh, cut (NXDOMAIN of a name above), stale, absent, failure
  std::string cached_rcode;
  std::uint32_t age = 0;
  std::uint32_t ttl_left = 0;
  std::uint32_t usable_for = 0;  ///< seconds until it may not even serve stale
  bool under_way = false;        ///< somebody has asked an upstream, and waits
  std::uint32_t fresh_for = 0;   ///< seconds for which the answer would be kept; 0: it would not
  std::uint32_t stale_for = 0;   ///< and after these, at most, served while nobody knows better
  std::chrono::nanoseconds judge_took{0};
  std::chrono::nanoseconds find_took{0};
  std::chrono::nanoseconds route_took{0};
  std::uint32_t worker = 0;               ///< that asks
  std::vector<UpstreamDetail> upstreams;  ///< of the set
  bool asked = false;
  std::vector<Attempt> attempts;
  std::string rcode;  ///< of the answer; empty when there was none
  std::string error;
  std::chrono::microseconds took{0};
};

}  // namespace gateway::admin
