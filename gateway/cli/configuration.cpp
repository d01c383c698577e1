// Finding and reading the configuration for a verb.
#include "gateway/cli/configuration.h"

#include <sys/stat.h>

#include <cerrno>
#include <format>

#include "gateway/admin/control_socket.h"

namespace gateway::cli {

std::optional<std::string> configuration_path(const std::optional<std::string>& wanted) {
  if (wanted) return wanted;
  struct stat status{};
  const bool absent =
      stat(default_configuration_path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
  if (absent) return std::nullopt;
  return default_configuration_path;
}

std::expected<conf::Config, conf::Complaints> find_configuration(
    const std::optional<std::string>& wanted) {
  if (const auto path = configuration_path(wanted)) return conf::load_file(*path);
  return conf::defaults();
}

std::expected<std::string, std::string> control_socket_of(const GatewayAddress& gateway) {
  if (gateway.socket) return *gateway.socket;
  const auto config = find_configuration(gateway.config);
  if (config) return admin::control_socket_path(config->server.state_directory);
  std::string why = std::format(
      "{} has errors, so it does not tell where the gateway's control socket is; mend them, or "
      "name "
      "the socket by --socket\n",
      configuration_path(gateway.config).value_or("the configuration"));
  for (const conf::Complaint& complaint : config.error()) why += complaint.to_text() + '\n';
  return std::unexpected(std::move(why));
}

}  // namespace gateway::cli
