// JSON of the control socket by Boost.JSON; keys are snake_case and stay (scripts read them).
#include "gateway/admin/control_json.h"

#include <boost/json.hpp>
#include <format>

namespace gateway::admin {
namespace {

namespace json = boost::json;

json::array array_of(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

json::object object_of(const ListenerStatus& listener) {
  return {{"url", listener.url}, {"queries", listener.queries}};
}

json::object object_of(const UpstreamStatus& upstream) {
  return {{"url", upstream.url},
          {"usable", upstream.usable},
          {"queries", upstream.queries},
          {"errors", upstream.errors},
          {"links_open", upstream.links_open},
          {"last_error", upstream.last_error}};
}

}  // namespace

std::string to_json(const Status& status) {
  json::array listeners;
  for (const ListenerStatus& listener : status.listeners)
    listeners.emplace_back(object_of(listener));
  json::array upstreams;
  for (const UpstreamStatus& upstream : status.upstreams)
    upstreams.emplace_back(object_of(upstream));
  return json::serialize(json::object{{"version", status.version},
                                      {"process_id", status.process_id},
                                      {"started", to_text(status.started)},
                                      {"configuration", status.configuration},
                                      {"state_directory", status.state_directory},
                                      {"workers", status.workers},
                                      {"queries", status.queries},
                                      {"sessions", status.sessions},
                                      {"listeners", std::move(listeners)},
                                      {"upstreams", std::move(upstreams)}});
}

std::string to_json(const CacheStatus& cache) {
  return json::serialize(json::object{{"entries", cache.stats.entries},
                                      {"octets", cache.stats.octets},
                                      {"budget_octets", cache.stats.budget},
                                      {"hits_fresh", cache.hits_fresh},
                                      {"hits_stale", cache.hits_stale},
                                      {"misses", cache.misses},
                                      {"stale_because_slow", cache.stale_because_slow},
                                      {"prefetched", cache.prefetched},
                                      {"loaded_entries", cache.loaded_entries},
                                      {"saved_entries", cache.saved_entries},
                                      {"saved_at", cache.saved_at},
                                      {"negative_octets", cache.stats.negative_octets},
                                      {"inserts", cache.stats.inserts},
                                      {"replaced", cache.stats.replaced},
                                      {"evicted_expired", cache.stats.evicted_expired},
                                      {"evicted_for_room", cache.stats.evicted_for_room},
                                      {"evicted_negative", cache.stats.evicted_negative},
                                      {"flushed", cache.stats.flushed},
                                      {"refused", cache.stats.refused}});
}

std::string to_json(const ReloadOutcome& outcome) {
  return json::serialize(json::object{{"ok", outcome.ok},
                                      {"complaints", array_of(outcome.complaints)},
                                      {"changes", array_of(outcome.changes)}});
}

std::string flushed_to_json(std::uint64_t count) {
  return json::serialize(json::object{{"flushed", count}});
}

std::string to_json(const FlushOrder& order) {
  json::object object{{"below", order.below}};
  if (order.name) object.emplace("name", order.name->to_text());
  return json::serialize(object);
}

std::expected<FlushOrder, std::string> flush_order_from_json(std::string_view text) {
  FlushOrder order;
  if (text.empty()) return order;
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::unexpected("the body must be a JSON object");
  for (const auto& [key, member] : value.get_object()) {
    if (key == "name" && member.is_string()) {
      order.name = dns::Name::from_text(member.get_string());
      if (!order.name)
        return std::unexpected(
            std::format("`{}` is not a name", std::string_view(member.get_string())));
    } else if (key == "below" && member.is_bool()) {
      order.below = member.get_bool();
    } else {
      return std::unexpected(
          std::format("`{}` is not a key here, or not of the right type", std::string_view(key)));
    }
  }
  if (order.below && !order.name) return std::unexpected("`below` needs a `name`");
  return order;
}

std::string to_text(std::chrono::system_clock::time_point when) {
  return std::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(when));
}

}  // namespace gateway::admin
