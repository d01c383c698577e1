// What the verbs that talk to the running gateway have in common: find it, ask it, say why not.
#pragma once

#include <chrono>
#include <expected>
#include <string_view>

#include "gateway/admin/control_client.h"
#include "gateway/cli/verbs.h"

namespace gateway::cli {

struct ControlRequest {
  std::string_view method;
  std::string_view target;
  std::string_view body = {};
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
};

/// The reply, whatever its status; or, after a sentence in `streams.complaints`, the exit code.
std::expected<admin::ControlReply, ExitCode> ask_gateway(const GatewayAddress& gateway,
                                                         const ControlRequest& request,
                                                         Streams streams);

/// A reply that is not a 200 as a sentence; gives ExitCode::failed.
ExitCode refused(const admin::ControlReply& reply, Streams streams);

}  // namespace gateway::cli
