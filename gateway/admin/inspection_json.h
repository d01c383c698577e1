// JSON of what is told of upstreams and names, and of the orders for it. Keys stay: scripts read
// them.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/admin/inspection.h"

namespace gateway::admin {

std::string to_json(const std::vector<UpstreamDetail>& upstreams);
std::string to_json(const std::vector<TestedUpstream>& tested);
std::string to_json(const Explanation& explanation);

/// POST /explain: {"name": "www.example.org.", "type": "AAAA", "ask": true}; all but the name may
/// be missing.
std::string to_json(const ExplainOrder& order);
std::expected<ExplainOrder, std::string> explain_order_from_json(std::string_view text);

/// POST /upstreams/test: {"url": "tls://192.0.2.1"}, or nothing for all of them. POST
/// /upstreams/drain: the same, and {"drained": false} takes it back.
struct UpstreamOrder {
  std::optional<std::string> url;
  bool drained = true;
};
std::string to_json(const UpstreamOrder& order);
std::expected<UpstreamOrder, std::string> upstream_order_from_json(std::string_view text);

}  // namespace gateway::admin
