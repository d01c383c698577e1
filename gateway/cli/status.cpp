// `sallyport status`.
#include <boost/json.hpp>
#include <format>
#include <ostream>

#include "gateway/cli/ask_gateway.h"

namespace gateway::cli {
namespace {

namespace json = boost::json;

std::string_view text_of(const json::value& object, std::string_view key) {
  return object.at(key).as_string();
}

std::uint64_t number_of(const json::value& object, std::string_view key) {
  return object.at(key).to_number<std::uint64_t>();
}

void print(const json::value& status, std::ostream& out) {
  out << std::format("sallyport {} runs since {} (process {}, workers {})\n",
                     text_of(status, "version"), text_of(status, "started"),
                     number_of(status, "process_id"), number_of(status, "workers"));
  out << std::format("configuration  {}\nstate          {}\n", text_of(status, "configuration"),
                     text_of(status, "state_directory"));
  out << std::format("queries        {}, sessions open {}\n", number_of(status, "queries"),
                     number_of(status, "sessions"));
  out << "\nlisteners\n";
  for (const json::value& listener : status.at("listeners").as_array()) {
    out << std::format("  {:<40} queries {}\n", text_of(listener, "url"),
                       number_of(listener, "queries"));
  }
  out << "\nupstreams\n";
  for (const json::value& upstream : status.at("upstreams").as_array()) {
    out << std::format("  {:<40} {}, queries {}, errors {}, links {}\n", text_of(upstream, "url"),
                       upstream.at("usable").as_bool() ? "usable" : "passed over",
                       number_of(upstream, "queries"), number_of(upstream, "errors"),
                       number_of(upstream, "links_open"));
    if (const auto error = text_of(upstream, "last_error"); !error.empty())
      out << "    last error: " << error << '\n';
  }
}

}  // namespace

ExitCode status(const StatusOptions& options, Streams streams) {
  const auto reply = ask_gateway(options.gateway, {.method = "GET", .target = "/status"}, streams);
  if (!reply) return reply.error();
  if (reply->status != 200) return refused(*reply, streams);
  if (options.json) {
    streams.out << reply->body << '\n';
  } else {
    print(json::parse(reply->body), streams.out);
  }
  return ExitCode::ok;
}

}  // namespace gateway::cli
