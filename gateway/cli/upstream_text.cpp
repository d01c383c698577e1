// Lines about an upstream.
#include "gateway/cli/upstream_text.h"

#include <boost/json.hpp>
#include <format>
#include <ostream>

namespace gateway::cli {
namespace {

namespace json = boost::json;

std::string_view text_of(const json::value& object, std::string_view key) {
  return object.at(key).as_string();
}

std::string pace_of(const json::value& view) {
  if (view.at("smoothed_us").to_number<std::int64_t>() == 0) return "not measured yet";
  return std::format("{}, the slowest twentieth from {}", milliseconds_text(view.at("smoothed_us")),
                     milliseconds_text(view.at("p95_us")));
}

}  // namespace

std::string milliseconds_text(const json::value& microseconds) {
  return std::format("{:.1f} ms",
                     static_cast<double>(microseconds.to_number<std::int64_t>()) / 1e3);
}

void print_upstream(const json::value& upstream, std::ostream& out) {
  const json::array& views = upstream.at("workers").as_array();
  out << std::format("  {:<46} {}{}; queries {}, errors {}, links {}\n", text_of(upstream, "url"),
                     upstream.at("drained").as_bool() ? "drained, " : "",
                     views.empty() ? "not known yet"
                                   : std::format("{}, {}", text_of(views.front(), "standing"),
                                                 pace_of(views.front())),
                     upstream.at("queries").to_number<std::uint64_t>(),
                     upstream.at("errors").to_number<std::uint64_t>(),
                     upstream.at("links_open").to_number<std::uint64_t>());
  for (const json::value& address : upstream.at("addresses").as_array())
    out << std::format("    found at {}\n", std::string_view{address.as_string()});
  for (const json::value& view : views) {
    if (text_of(view, "standing") != text_of(views.front(), "standing")) {
      out << std::format("    worker {}: {}, {}\n", view.at("worker").to_number<std::uint64_t>(),
                         text_of(view, "standing"), pace_of(view));
    }
    if (!text_of(view, "last_error").empty()) {
      out << std::format("    worker {}, last error: {}\n",
                         view.at("worker").to_number<std::uint64_t>(), text_of(view, "last_error"));
    }
  }
}

}  // namespace gateway::cli
