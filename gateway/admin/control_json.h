// The JSON that the control socket speaks, in both directions: what the gateway says is also what
// `--json` prints.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/admin/control.h"

namespace gateway::admin {

std::string to_json(const Status& status);
std::string to_json(const CacheStatus& cache);
std::string to_json(const ReloadOutcome& outcome);
/// {"flushed": 3}
std::string flushed_to_json(std::uint64_t count);

/// What POST /cache/flush carries: {"name": "example.org.", "below": true}; both may be missing,
/// nothing else may be there.
struct FlushOrder {
  std::optional<dns::Name> name;
  bool below = false;
};
std::string to_json(const FlushOrder& order);
/// The error is one sentence.
std::expected<FlushOrder, std::string> flush_order_from_json(std::string_view text);

/// "2026-11-23T10:53:06Z".
std::string to_text(std::chrono::system_clock::time_point when);

}  // namespace gateway::admin
