// What can be said on the command line, verb by verb, as plain values: the seam between CLI11
// (parse.cpp) and the verbs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace gateway::cli {

/// `sallyport run`
struct RunOptions {
  std::optional<std::string> config;
  bool demo = false;
  bool json = false;  ///< log lines, and the demonstration's, as JSON
};

/// `sallyport check`
struct CheckOptions {
  std::optional<std::string> config;
  bool json = false;
};

/// `sallyport query`
struct QueryOptions {
  std::vector<std::string>
      words;  ///< @URL, NAME and TYPE in any order that makes sense, as with dig
  std::optional<std::string> config;
  bool json = false;
  bool dnssec = false;
  bool checking_disabled = false;
  bool padding = false;
  bool no_edns = false;
  bool insecure = false;
  bool short_form = false;
  std::string ca_file;
  std::vector<std::string> pins;
  std::string tls_name;
  bool get = false;
  std::vector<std::string> at;  ///< addresses of the host that an URL names
  std::string resolver;         ///< or who is asked for them
  std::chrono::milliseconds timeout{5000};
  std::uint32_t repeat = 1;
};

/// How a verb finds the gateway that runs: by its socket, else by the state directory that its
/// configuration names.
struct GatewayAddress {
  std::optional<std::string> socket;
  std::optional<std::string> config;
};

/// `sallyport reload`
struct ReloadOptions {
  GatewayAddress gateway;
  bool json = false;
};

/// `sallyport status`
struct StatusOptions {
  GatewayAddress gateway;
  bool json = false;
};

/// `sallyport cache stats`
struct CacheStatsOptions {
  GatewayAddress gateway;
  bool json = false;
};

/// `sallyport cache flush`
struct CacheFlushOptions {
  GatewayAddress gateway;
  std::optional<std::string> name;
  bool below = false;
  bool json = false;
};

/// `sallyport upstream list`
struct UpstreamListOptions {
  GatewayAddress gateway;
  bool json = false;
};

/// `sallyport upstream test`
struct UpstreamTestOptions {
  GatewayAddress gateway;
  std::optional<std::string> url;
  bool json = false;
};

/// `sallyport upstream drain`
struct UpstreamDrainOptions {
  GatewayAddress gateway;
  std::string url;
  bool undo = false;
  bool json = false;
};

/// `sallyport explain`
struct ExplainOptions {
  GatewayAddress gateway;
  std::vector<std::string> words;  ///< NAME and TYPE
  std::string from = "127.0.0.1";  ///< who asks
  bool ask = false;
  bool json = false;
};

/// `sallyport version`
struct VersionOptions {
  bool json = false;
};

using Command =
    std::variant<RunOptions, CheckOptions, QueryOptions, ReloadOptions, StatusOptions,
                 CacheStatsOptions, CacheFlushOptions, UpstreamListOptions, UpstreamTestOptions,
                 UpstreamDrainOptions, ExplainOptions, VersionOptions>;

}  // namespace gateway::cli
