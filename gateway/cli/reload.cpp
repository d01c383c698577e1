// `sallyport reload`.
#include <boost/json.hpp>
#include <ostream>

#include "gateway/cli/ask_gateway.h"

namespace gateway::cli {
namespace {

void print_list(const boost::json::value& outcome, std::string_view key, std::ostream& out) {
  for (const boost::json::value& line : outcome.at(key).as_array()) {
    const std::string_view text = line.as_string();
    out << text << (text.ends_with('\n') ? "" : "\n");
  }
}

}  // namespace

ExitCode reload(const ReloadOptions& options, Streams streams) {
  // Reading a configuration may take a while: certificates, lists.
  const ControlRequest request{
      .method = "POST", .target = "/reload", .timeout = std::chrono::seconds(60)};
  const auto reply = ask_gateway(options.gateway, request, streams);
  if (!reply) return reply.error();
  const bool done = reply->status == 200;
  if (!done && reply->status != 422) return refused(*reply, streams);
  if (options.json) {
    streams.out << reply->body << '\n';
  } else {
    const boost::json::value outcome = boost::json::parse(reply->body);
    if (done) {
      streams.out << "reloaded\n";
      print_list(outcome, "changes", streams.out);
    } else {
      print_list(outcome, "complaints", streams.complaints);
      streams.complaints << "nothing was changed\n";
    }
  }
  return done ? ExitCode::ok : ExitCode::bad_configuration;
}

}  // namespace gateway::cli
