// Asking the running gateway for a verb.
#include "gateway/cli/ask_gateway.h"

#include <ostream>

#include "gateway/cli/configuration.h"

namespace gateway::cli {

std::expected<admin::ControlReply, ExitCode> ask_gateway(const GatewayAddress& gateway,
                                                         const ControlRequest& request,
                                                         Streams streams) {
  const auto path = control_socket_of(gateway);
  if (!path) {
    streams.complaints << "sallyport: " << path.error() << '\n';
    return std::unexpected(ExitCode::bad_configuration);
  }
  auto reply =
      admin::ask_control(*path, request.method, request.target, request.body, request.timeout);
  if (reply) return *std::move(reply);
  streams.complaints << "sallyport: " << reply.error() << '\n';
  return std::unexpected(ExitCode::unreachable);
}

ExitCode refused(const admin::ControlReply& reply, Streams streams) {
  streams.complaints << "sallyport: the gateway said " << reply.status << ": " << reply.body
                     << (reply.body.ends_with('\n') ? "" : "\n");
  return ExitCode::failed;
}

}  // namespace gateway::cli
