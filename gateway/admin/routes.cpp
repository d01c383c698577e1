// The admin server's pages. Each function makes one response from one call of Control.
#include "gateway/admin/routes.h"

#include <algorithm>
#include <exception>
#include <format>
#include <optional>

#include "base/address.h"
#include "gateway/admin/control_json.h"
#include "gateway/admin/inspection_json.h"

namespace gateway::admin {
namespace {

constexpr std::string_view json_type = "application/json";

HttpResponse metrics(Control& control, std::string_view) {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = control.scrape(),
          .allow = {}};
}

HttpResponse healthz(Control& control, std::string_view) {
  const Health health = control.healthy();
  HttpResponse response{
      .status = health.ok ? 200U : 503U, .body = health.ok ? "ok\n" : "", .allow = {}};
  if (!health.ok) {
    for (const std::string& reason : health.reasons) response.body += reason + '\n';
  }
  return response;
}

HttpResponse status(Control& control, std::string_view) {
  return {.content_type = json_type, .body = to_json(control.status()), .allow = {}};
}

HttpResponse cache_stats(Control& control, std::string_view) {
  return {.content_type = json_type, .body = to_json(control.cache_stats()), .allow = {}};
}

HttpResponse cache_flush(Control& control, std::string_view body) {
  const auto order = flush_order_from_json(body);
  if (!order) return {.status = 400, .body = order.error() + '\n', .allow = {}};
  return {.content_type = json_type,
          .body = flushed_to_json(control.flush(order->name, order->below)),
          .allow = {}};
}

HttpResponse upstreams(Control& control, std::string_view) {
  return {.content_type = json_type, .body = to_json(control.upstreams()), .allow = {}};
}

HttpResponse no_such_upstream(const std::string& url) {
  return {.status = 404, .body = std::format("no upstream is called `{}`\n", url), .allow = {}};
}

HttpResponse test_upstreams(Control& control, std::string_view body) {
  const auto order = upstream_order_from_json(body);
  if (!order) return {.status = 400, .body = order.error() + '\n', .allow = {}};
  const std::vector<TestedUpstream> tested = control.test_upstreams(order->url);
  if (order->url && tested.empty()) return no_such_upstream(*order->url);
  return {.content_type = json_type, .body = to_json(tested), .allow = {}};
}

HttpResponse drain_upstream(Control& control, std::string_view body) {
  const auto order = upstream_order_from_json(body);
  if (!order) return {.status = 400, .body = order.error() + '\n', .allow = {}};
  if (!order->url) return {.status = 400, .body = "`url` is missing\n", .allow = {}};
  if (!control.drain_upstream(*order->url, order->drained)) return no_such_upstream(*order->url);
  return {.content_type = json_type, .body = to_json(*order), .allow = {}};
}

HttpResponse explain(Control& control, std::string_view body) {
  const auto order = explain_order_from_json(body);
  if (!order) return {.status = 400, .body = order.error() + '\n', .allow = {}};
  return {.content_type = json_type, .body = to_json(control.explain(*order)), .allow = {}};
}

HttpResponse reload(Control& control, std::string_view) {
  const ReloadOutcome outcome = control.reload();
  return {.status = outcome.ok ? 200U : 422U,
          .content_type = json_type,
          .body = to_json(outcome),
          .allow = {}};
}

enum class Waits : bool { no, for_upstreams };

struct Route {
  bool on_tcp;
  std::string_view method;
  std::string_view path;
  HttpResponse (*answer)(Control&, std::string_view body);
  Waits waits = Waits::no;
};

constexpr Route routes[] = {
    {true, "GET", "/metrics", metrics},
    {true, "GET", "/healthz", healthz},
    {false, "GET", "/status", status},
    {false, "GET", "/cache", cache_stats},
    {false, "POST", "/cache/flush", cache_flush},
    {false, "POST", "/reload", reload},
    {false, "GET", "/upstreams", upstreams},
    {false, "POST", "/upstreams/test", test_upstreams, Waits::for_upstreams},
    {false, "POST", "/upstreams/drain", drain_upstream},
    {false, "POST", "/explain", explain, Waits::for_upstreams},
};

HttpResponse not_found(Door door) {
  HttpResponse response{.status = 404, .body = "there is no such page; there are:\n", .allow = {}};
  for (const Route& route : routes) {
    if (door == Door::unix_socket || route.on_tcp)
      response.body += std::format("{} {}\n", route.method, route.path);
  }
  return response;
}

HttpResponse wrong_method(std::string_view right) {
  const std::string allow = right == "GET" ? "GET, HEAD" : std::string(right);
  return {.status = 405, .body = "this page takes " + allow + "\n", .allow = allow};
}

const Route* route_of(Door door, const HttpRequest& request) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const auto* const route = std::ranges::find_if(routes, [&](const Route& row) {
    return row.path == path && (door == Door::unix_socket || row.on_tcp);
  });
  return route == std::end(routes) ? nullptr : route;
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) {
    return dns::to_lower(static_cast<std::uint8_t>(a)) ==
           dns::to_lower(static_cast<std::uint8_t>(b));
  });
}

bool is_port(std::string_view text) {
  return text.size() <= 5 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool waits_for_upstreams(Door door, const HttpRequest& request) {
  const Route* const route = route_of(door, request);
  return route != nullptr && route->method == request.method &&
         route->waits == Waits::for_upstreams;
}

HttpResponse respond(Control& control, Door door, const HttpRequest& request) {
  const std::string_view method = request.method == "HEAD" ? "GET" : request.method;
  const Route* const route = route_of(door, request);
  if (route == nullptr) return not_found(door);
  if (route->method != method) return wrong_method(route->method);
  try {
    return route->answer(control, request.body);
  } catch (const std::exception& error) {
    return {.status = 500, .body = std::string(error.what()) + '\n', .allow = {}};
  }
}

bool host_allowed(std::string_view host, std::string_view server_name) {
  const std::size_t bracket = host.starts_with('[') ? host.find(']') : 0;
  if (bracket == std::string_view::npos) return false;
  const std::size_t colon = host.find(':', bracket);
  if (colon != std::string_view::npos && !is_port(host.substr(colon + 1))) return false;
  std::string_view name = host.substr(0, colon);
  if (name.starts_with('[')) {
    if (!name.ends_with(']')) return false;
    const std::string_view inside = name.substr(1, name.size() - 2);
    return inside.contains(':') && base::Address::from_text(inside);
  }
  if (base::Address::from_text(name)) return true;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (server_name.ends_with('.')) server_name.remove_suffix(1);
  return !name.empty() &&
         (equal_ignoring_case(name, "localhost") || equal_ignoring_case(name, server_name));
}

}  // namespace gateway::admin
