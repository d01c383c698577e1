// `sallyport cache stats` and `sallyport cache flush`.
#include <boost/json.hpp>
#include <chrono>
#include <format>
#include <ostream>

#include "gateway/admin/control_json.h"
#include "gateway/cli/ask_gateway.h"

namespace gateway::cli {
namespace {

namespace json = boost::json;

std::string saved(std::uint64_t entries, std::int64_t when) {
  if (when == 0) return "not saved in this run";
  const std::chrono::sys_seconds at{std::chrono::seconds{when}};
  return std::format("{} saved at {}", entries, admin::to_text(at));
}

void print(const json::value& cache, std::ostream& out) {
  const auto number = [&cache](std::string_view key) {
    return cache.at(key).to_number<std::uint64_t>();
  };
  const auto percent = [](std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  };
  const auto mebibytes = [](std::uint64_t octets) {
    return static_cast<double>(octets) / (1024.0 * 1024.0);
  };
  const std::uint64_t hits = number("hits_fresh") + number("hits_stale");
  out << std::format("entries   {} in {:.1f} of {:.1f} MiB ({:.0f} %)\n", number("entries"),
                     mebibytes(number("octets")), mebibytes(number("budget_octets")),
                     percent(number("octets"), number("budget_octets")));
  out << std::format("hits      {} ({:.1f} %), of them stale {}; misses {}\n", hits,
                     percent(hits, hits + number("misses")), number("hits_stale"),
                     number("misses"));
  out << std::format("stale     {} because upstreams failed, {} because they were slow\n",
                     number("hits_stale") - number("stale_because_slow"),
                     number("stale_because_slow"));
  out << std::format("prefetch  {} refreshed before they ended\n", number("prefetched"));
  out << std::format("negative  {:.1f} MiB of names that do not exist, and of failures\n",
                     mebibytes(number("negative_octets")));
  out << std::format(
      "disk      {} loaded at the start; {}\n", number("loaded_entries"),
      saved(number("saved_entries"), cache.at("saved_at").to_number<std::int64_t>()));
  out << std::format("inserts   {}, replacing {}; refused as too large {}\n", number("inserts"),
                     number("replaced"), number("refused"));
  out << std::format(
      "removed   {} expired, {} for room, {} beyond the negative share, {} by flushing\n",
      number("evicted_expired"), number("evicted_for_room"), number("evicted_negative"),
      number("flushed"));
}

}  // namespace

ExitCode cache_stats(const CacheStatsOptions& options, Streams streams) {
  const auto reply = ask_gateway(options.gateway, {.method = "GET", .target = "/cache"}, streams);
  if (!reply) return reply.error();
  if (reply->status != 200) return refused(*reply, streams);
  if (options.json) {
    streams.out << reply->body << '\n';
  } else {
    print(json::parse(reply->body), streams.out);
  }
  return ExitCode::ok;
}

ExitCode cache_flush(const CacheFlushOptions& options, Streams streams) {
  admin::FlushOrder order{.name = std::nullopt, .below = options.below};
  if (options.name) {
    order.name = dns::Name::from_text(*options.name);
    if (!order.name) {
      streams.complaints << std::format("sallyport: `{}` is not a name\n", *options.name);
      return ExitCode::usage;
    }
  }
  const std::string body = to_json(order);
  const auto reply = ask_gateway(
      options.gateway, {.method = "POST", .target = "/cache/flush", .body = body}, streams);
  if (!reply) return reply.error();
  if (reply->status != 200) return refused(*reply, streams);
  if (options.json) {
    streams.out << reply->body << '\n';
  } else {
    streams.out << std::format("forgotten: {}\n",
                               json::parse(reply->body).at("flushed").to_number<std::uint64_t>());
  }
  return ExitCode::ok;
}

}  // namespace gateway::cli
