// Where a verb's configuration comes from: --config, else /etc/sallyport/sallyport.toml if it is
// there, else safe defaults.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "conf/load.h"
#include "gateway/cli/options.h"

namespace gateway::cli {

inline constexpr const char* default_configuration_path = "/etc/sallyport/sallyport.toml";

/// The file to be read, or nothing when the built-in defaults are to be used. A default file that
/// is there and cannot be read counts as there: its complaints follow, instead of silence.
std::optional<std::string> configuration_path(const std::optional<std::string>& wanted);

std::expected<conf::Config, conf::Complaints> find_configuration(
    const std::optional<std::string>& wanted);

/// Path of the gateway's control socket. The error is for a person; it says that --socket helps,
/// too.
std::expected<std::string, std::string> control_socket_of(const GatewayAddress& gateway);

}  // namespace gateway::cli
