// The other end of the control socket: one request, one response. Used by the verbs.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

namespace gateway::admin {

struct ControlReply {
  unsigned status = 0;
  std::string body;
};

/// Asks the gateway that listens on `socket_path`. The error is one sentence and means that nobody
/// answered.
std::expected<ControlReply, std::string> ask_control(const std::string& socket_path,
                                                     std::string_view method,
                                                     std::string_view target, std::string_view body,
                                                     std::chrono::milliseconds timeout);

}  // namespace gateway::admin
