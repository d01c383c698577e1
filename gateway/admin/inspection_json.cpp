// Inspections and their orders by Boost.JSON.
#include "gateway/admin/inspection_json.h"

#include <boost/json.hpp>
#include <format>

#include "dns/text.h"

namespace gateway::admin {
namespace {

namespace json = boost::json;

json::object object_of(const UpstreamDetail& upstream) {
  json::array views;
  for (const UpstreamView& view : upstream.views) {
    views.emplace_back(json::object{{"worker", view.worker},
                                    {"standing", view.standing},
                                    {"smoothed_us", view.smoothed.count()},
                                    {"p95_us", view.p95.count()},
                                    {"last_error", view.last_error}});
  }
  return {{"set", upstream.set},
          {"strategy", upstream.strategy},
          {"url", upstream.url},
          {"line", upstream.line},
          {"drained", upstream.drained},
          {"queries", upstream.queries},
          {"errors", upstream.errors},
          {"links_open", upstream.links_open},
          {"addresses", json::array(upstream.addresses.begin(), upstream.addresses.end())},
          {"workers", std::move(views)}};
}

json::array array_of(const std::vector<UpstreamDetail>& upstreams) {
  json::array all;
  for (const UpstreamDetail& upstream : upstreams) all.emplace_back(object_of(upstream));
  return all;
}

/// Each member of the object in `text` is taken by `take`, or is one too many.
template <class Take>
std::expected<void, std::string> read_members(std::string_view text, Take take) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::unexpected("the body must be a JSON object");
  for (const auto& [key, member] : value.get_object()) {
    if (!take(std::string_view{key}, member)) {
      return std::unexpected(
          std::format("`{}` is not a key here, or not of the right kind", std::string_view{key}));
    }
  }
  return {};
}

}  // namespace

std::string to_json(const std::vector<UpstreamDetail>& upstreams) {
  return json::serialize(json::object{{"upstreams", array_of(upstreams)}});
}

std::string to_json(const std::vector<TestedUpstream>& tested) {
  json::array all;
  for (const TestedUpstream& one : tested) {
    all.emplace_back(json::object{{"set", one.set},
                                  {"url", one.url},
                                  {"answered", one.answered},
                                  {"outcome", one.outcome},
                                  {"took_us", one.took.count()}});
  }
  return json::serialize(json::object{{"tested", std::move(all)}});
}

std::string to_json(const Explanation& told) {
  json::array attempts;
  for (const Attempt& attempt : told.attempts) {
    attempts.emplace_back(json::object{{"url", attempt.url},
                                       {"line", attempt.line},
                                       {"why", attempt.why},
                                       {"began_us", attempt.began.count()},
                                       {"took_us", attempt.took.count()},
                                       {"outcome", attempt.outcome}});
  }
  return json::serialize(json::object{
      {"name", told.question.name.to_text()},
      {"type", dns::to_text(told.question.type)},
      {"judge", json::object{{"client", told.from.to_text()},
                             {"allowed", told.allowed},
                             {"allowed_by", told.allowed_by},
                             {"file", told.file},
                             {"line", told.allow_line},
                             {"answered_here", told.answered_here},
                             {"took_ns", told.judge_took.count()}}},
      {"route", json::object{{"name", told.route},
                             {"line", told.route_line},
                             {"set", told.set},
                             {"strategy", told.strategy},
                             {"hedge_percent", told.hedge_percent},
                             {"took_ns", told.route_took.count()}}},
      {"find", json::object{{"state", told.cached},
                            {"rcode", told.cached_rcode},
                            {"age", told.age},
                            {"ttl_left", told.ttl_left},
                            {"usable_for", told.usable_for},
                            {"under_way", told.under_way},
                            {"took_ns", told.find_took.count()}}},
      {"upstreams", array_of(told.upstreams)},
      {"exchange",
       json::object{
           {"asked", told.asked}, {"worker", told.worker}, {"attempts", std::move(attempts)}}},
      {"store", json::object{{"fresh_for", told.fresh_for}, {"stale_for", told.stale_for}}},
      {"answer",
       json::object{{"rcode", told.rcode}, {"error", told.error}, {"took_us", told.took.count()}}},
  });
}

std::string to_json(const ExplainOrder& order) {
  return json::serialize(json::object{{"name", order.question.name.to_text()},
                                      {"type", dns::to_text(order.question.type)},
                                      {"ask", order.ask},
                                      {"from", order.from.to_text()}});
}

std::expected<ExplainOrder, std::string> explain_order_from_json(std::string_view text) {
  ExplainOrder order;
  order.question.type = dns::RrType::a;
  bool named = false;
  const auto read = read_members(text, [&](std::string_view key, const json::value& member) {
    if (key == "name" && member.is_string()) {
      const auto name = dns::Name::from_text(member.get_string());
      if (name) order.question.name = *name;
      named = name.has_value();
      return named;
    }
    if (key == "type" && member.is_string()) {
      const auto type = dns::type_from_text(member.get_string());
      if (type) order.question.type = *type;
      return type.has_value();
    }
    if (key == "from" && member.is_string()) {
      const auto from = base::Address::from_text(member.get_string());
      if (from) order.from = *from;
      return from.has_value();
    }
    if (key != "ask" || !member.is_bool()) return false;
    order.ask = member.get_bool();
    return true;
  });
  if (!read) return std::unexpected(read.error());
  if (!named) return std::unexpected("`name` is missing");
  return order;
}

std::string to_json(const UpstreamOrder& order) {
  json::object object{{"drained", order.drained}};
  if (order.url) object.emplace("url", *order.url);
  return json::serialize(object);
}

std::expected<UpstreamOrder, std::string> upstream_order_from_json(std::string_view text) {
  UpstreamOrder order;
  if (text.empty()) return order;
  const auto read = read_members(text, [&](std::string_view key, const json::value& member) {
    if (key == "url" && member.is_string()) {
      order.url = member.get_string();
      return true;
    }
    if (key != "drained" || !member.is_bool()) return false;
    order.drained = member.get_bool();
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return order;
}

}  // namespace gateway::admin
