// `sallyport explain`: the life of a query, in the words of the README's picture.
#include <boost/json.hpp>
#include <chrono>
#include <format>
#include <ostream>
#include <string>

#include "gateway/admin/inspection_json.h"
#include "gateway/cli/ask_gateway.h"
#include "gateway/cli/inquiry.h"
#include "gateway/cli/upstream_text.h"

namespace gateway::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds explain_most{40};  // a query's timeout is 30 s at most

std::string_view text_of(const json::value& object, std::string_view key) {
  return object.at(key).as_string();
}

std::uint64_t number_of(const json::value& object, std::string_view key) {
  return object.at(key).to_number<std::uint64_t>();
}

/// How long a step took that waits for nobody.
std::string took(const json::value& step) {
  return std::format("{:.1f} us", static_cast<double>(number_of(step, "took_ns")) / 1e3);
}

/// "sallyport.toml:12", which is where to look for why.
std::string place(const json::value& told, std::uint64_t line) {
  if (line == 0) return "built in";
  return std::format("{}:{}", text_of(told.at("judge"), "file"), line);
}

std::string found(const json::value& find) {
  const std::string_view state = text_of(find, "state");
  if (state == "absent") return "absent: the cache does not know it";
  if (state == "stale") {
    return std::format("stale: {}, {} s old, may be served for {} s more while nobody knows better",
                       text_of(find, "rcode"), number_of(find, "age"),
                       number_of(find, "usable_for"));
  }
  if (state == "failure") {
    return std::format("{} is remembered for {} s more: nobody is asked until then",
                       text_of(find, "rcode"), number_of(find, "ttl_left"));
  }
  if (state == "cut") {
    return std::format("cut: a name above does not exist, {} s old, {} s left (RFC 8020)",
                       number_of(find, "age"), number_of(find, "ttl_left"));
  }
  return std::format("{}: {}, {} s old, {} s left", state, text_of(find, "rcode"),
                     number_of(find, "age"), number_of(find, "ttl_left"));
}

void print_access(const json::value& told, std::ostream& out) {
  const json::value& judge = told.at("judge");
  const std::string where = place(told, number_of(judge, "line"));
  if (judge.at("allowed").as_bool()) {
    out << std::format("judge      {} may ask: {} of `allow` ({})\n", text_of(judge, "client"),
                       text_of(judge, "allowed_by"), where);
  } else {
    out << std::format("judge      {} may not ask: it is in no range of `allow` ({})\n",
                       text_of(judge, "client"), where);
  }
}

void print_route(const json::value& told, std::ostream& out) {
  const json::value& route = told.at("route");
  const std::string_view name = text_of(route, "name");
  out << std::format(
      "route      {} -> set {}: {}, hedges {} % ({})\n",
      name.empty() ? "none" : std::format("{} ({})", name, place(told, number_of(route, "line"))),
      text_of(route, "set"), text_of(route, "strategy"), number_of(route, "hedge_percent"),
      took(route));
}

void print_exchange(const json::value& told, std::ostream& out) {
  const json::value& exchange = told.at("exchange");
  if (!exchange.at("asked").as_bool()) {
    out << "exchange   nobody is asked (--ask asks all the same)\n";
    return;
  }
  out << std::format("exchange   by worker {}\n", number_of(exchange, "worker"));
  for (const json::value& attempt : exchange.at("attempts").as_array()) {
    out << std::format("  at {:>8}  {} ({}), {}: {} after {}\n",
                       milliseconds_text(attempt.at("began_us")), text_of(attempt, "url"),
                       place(told, number_of(attempt, "line")), text_of(attempt, "why"),
                       text_of(attempt, "outcome"), milliseconds_text(attempt.at("took_us")));
  }
}

void print_lifetime(const json::value& store, std::ostream& out) {
  const std::uint64_t fresh = number_of(store, "fresh_for");
  if (fresh == 0) {
    out << "store      a client's would not be kept\n";
  } else {
    out << std::format("store      a client's would be kept for {} s, and stale for {} s at most\n",
                       fresh, number_of(store, "stale_for"));
  }
}

void print(const json::value& told, std::ostream& out) {
  out << text_of(told, "name") << ' ' << text_of(told, "type") << '\n';
  const std::string_view here = text_of(told.at("judge"), "answered_here");
  const json::value& answer = told.at("answer");
  print_access(told, out);
  if (!here.empty()) out << std::format("           answered here: {}\n", here);
  if (!here.empty() || !told.at("judge").at("allowed").as_bool()) {
    out << std::format("answer     {}\n", text_of(answer, "rcode"));
    return;
  }
  out << std::format("           forwarded ({})\n", took(told.at("judge")));
  print_route(told, out);
  const json::value& find = told.at("find");
  out << std::format("find       {} ({})\n", found(find), took(find));
  if (find.at("under_way").as_bool())
    out << "join       another client waits for the same answer: a query would wait with it\n";
  out << "upstreams  in the order to be asked\n";
  for (const json::value& upstream : told.at("upstreams").as_array()) print_upstream(upstream, out);
  print_exchange(told, out);
  if (!told.at("exchange").at("asked").as_bool()) {
    out << std::format("answer     {} from the cache\n", text_of(told.at("find"), "rcode"));
  } else if (!text_of(answer, "rcode").empty()) {
    print_lifetime(told.at("store"), out);
    out << std::format("answer     {} after {}; nothing of it was kept\n", text_of(answer, "rcode"),
                       milliseconds_text(answer.at("took_us")));
  } else {
    out << std::format("answer     none after {}: {}\n", milliseconds_text(answer.at("took_us")),
                       text_of(answer, "error"));
  }
}

}  // namespace

ExitCode explain(const ExplainOptions& options, Streams streams) {
  const auto inquiry = inquiry_from_words(options.words);
  if (!inquiry) {
    streams.complaints << "sallyport: " << inquiry.error() << '\n';
    return ExitCode::usage;
  }
  if (!inquiry->servers.empty()) {
    streams.complaints << "sallyport: it is the gateway here that is asked: no @URL\n";
    return ExitCode::usage;
  }
  const auto from = base::Address::from_text(options.from);
  if (!from) {
    streams.complaints << std::format("sallyport: `{}` is no address\n", options.from);
    return ExitCode::usage;
  }
  const std::string body = to_json(
      admin::ExplainOrder{.question = inquiry->question, .ask = options.ask, .from = *from});
  const auto reply = ask_gateway(
      options.gateway,
      {.method = "POST", .target = "/explain", .body = body, .timeout = explain_most}, streams);
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
