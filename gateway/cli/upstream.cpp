// `sallyport upstream list`, `upstream test` and `upstream drain`.
#include <algorithm>
#include <boost/json.hpp>
#include <format>
#include <ostream>
#include <string>

#include "gateway/admin/inspection_json.h"
#include "gateway/cli/ask_gateway.h"
#include "gateway/cli/upstream_text.h"

namespace gateway::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds test_most{30};  // an upstream's timeout is 10 s at most

void print_list(const json::value& reply, std::ostream& out) {
  std::string_view set;
  for (const json::value& upstream : reply.at("upstreams").as_array()) {
    const std::string_view its_set = upstream.at("set").as_string();
    if (its_set != set) {
      out << std::format("set {} ({})\n", its_set,
                         std::string_view{upstream.at("strategy").as_string()});
    }
    set = its_set;
    print_upstream(upstream, out);
  }
}

void print_tested(const json::value& reply, std::ostream& out) {
  for (const json::value& one : reply.at("tested").as_array()) {
    out << std::format("{:<48} {} after {}\n", std::string_view{one.at("url").as_string()},
                       std::string_view{one.at("outcome").as_string()},
                       milliseconds_text(one.at("took_us")));
  }
}

}  // namespace

ExitCode upstream_list(const UpstreamListOptions& options, Streams streams) {
  const auto reply =
      ask_gateway(options.gateway, {.method = "GET", .target = "/upstreams"}, streams);
  if (!reply) return reply.error();
  if (reply->status != 200) return refused(*reply, streams);
  if (options.json) {
    streams.out << reply->body << '\n';
  } else {
    print_list(json::parse(reply->body), streams.out);
  }
  return ExitCode::ok;
}

ExitCode upstream_test(const UpstreamTestOptions& options, Streams streams) {
  const std::string body = to_json(admin::UpstreamOrder{.url = options.url});
  const auto reply = ask_gateway(
      options.gateway,
      {.method = "POST", .target = "/upstreams/test", .body = body, .timeout = test_most}, streams);
  if (!reply) return reply.error();
  if (reply->status != 200) return refused(*reply, streams);
  const json::value tested = json::parse(reply->body);
  const bool all = std::ranges::all_of(tested.at("tested").as_array(), [](const json::value& one) {
    return one.at("answered").as_bool();
  });
  if (options.json) {
    streams.out << reply->body << '\n';
  } else {
    print_tested(tested, streams.out);
  }
  return all ? ExitCode::ok : ExitCode::failed;
}

ExitCode upstream_drain(const UpstreamDrainOptions& options, Streams streams) {
  const std::string body =
      to_json(admin::UpstreamOrder{.url = options.url, .drained = !options.undo});
  const auto reply = ask_gateway(
      options.gateway, {.method = "POST", .target = "/upstreams/drain", .body = body}, streams);
  if (!reply) return reply.error();
  if (reply->status != 200) return refused(*reply, streams);
  if (options.json) {
    streams.out << reply->body << '\n';
  } else {
    streams.out << std::format(
        "{}: {}\n", options.url,
        options.undo ? "asked again as before" : "no new queries while another upstream is there");
  }
  return ExitCode::ok;
}

}  // namespace gateway::cli
