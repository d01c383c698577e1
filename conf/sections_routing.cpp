// The keys of [[set]] and [[route]].
#include "conf/sections_routing.h"

#include <algorithm>
#include <format>

#include "conf/rows.h"
#include "conf/spelling.h"

namespace conf {
namespace {

using enum Applies;

Table<Set> set() {
  return {
      .name = "set",
      .help =
          "How the upstreams of a set share the work; a set that needs nothing but what is usual "
          "need not be written. Usual for all is the set \"default\". When an upstream is slower "
          "than it usually is, another is asked as well, and whoever answers first wins; one that "
          "keeps failing is passed over for seconds, until it answers a probe.",
      .rows =
          {
              row("name", &Set::name, set_name(), at_reload, "Whose `set` this is.", "\"default\""),
              row("strategy", &Set::strategy, strategy(), at_reload,
                  "failover asks in the file's order, for who sees your queries is your choice; "
                  "fastest by measured time; hash gives each name its upstream, whose cache then "
                  "knows it; random spreads queries so that none sees all; race2 asks the two "
                  "fastest at once, which doubles the load."),
              row("hedge", &Set::hedge, count(Set::hedge_bounds), at_reload,
                  "Second tries on another upstream, when the first is slower than nineteen of "
                  "twenty of its answers: the most, in per cent of the set's queries. 0 is none."),
              row("probe_name", &Set::probe_name, domain_name(), at_reload,
                  "What upstreams are asked to find out whether they answer: NS for the root, A "
                  "for any other name."),
              row("probe_every", &Set::probe_every, whole_seconds(Set::probe_every_bounds),
                  at_reload,
                  "How often each upstream is asked that; 0s is only when it is doubted."),
          },
      .check = {}};
}

Table<Route> route() {
  return {.name = "route",
          .help =
              "Names that a set of their own answers: a network's inner zones, reverse zones. The "
              "longest matching name counts; special-use names that are listed here are not "
              "answered by Sallyport.",
          .rows =
              {
                  row("names", &Route::names, names(), at_reload, "With all that is below them.",
                      "[\"corp.example.\", \"10.in-addr.arpa.\"]"),
                  row("set", &Route::set, set_name(), at_reload,
                      "The set of upstreams that is asked.", "\"default\""),
              },
          .check = [](const Node& table, const Route& values, Reading& reading) {
            const Member* member = table.find("names");
            if (member != nullptr && member->value.kind == Node::Kind::list &&
                member->value.items.empty() && values.names.empty())
              reading.complain(member->value.place, "this list is empty",
                               "name the domains that this set is asked for");
          }};
}

bool has_upstream(const Config& config, std::string_view name) {
  return std::ranges::contains(config.upstreams, name, &Upstream::set);
}

std::string names_of_sets(const Config& config) {
  std::vector<std::string_view> seen;
  std::string out;
  for (const Upstream& upstream : config.upstreams) {
    if (std::ranges::contains(seen, upstream.set)) continue;
    seen.emplace_back(upstream.set);
    out += std::format("{}`{}`", out.empty() ? "" : ", ", upstream.set);
  }
  return out;
}

/// Where `key` of the `index`th table of a list stands, or the table when it does not say.
Place place_of(const Node& list, std::size_t index, std::string_view key) {
  const Member* member = list.items[index].find(key);
  return member == nullptr ? list.items[index].place : member->value.place;
}

void complain_no_upstream(const Node& list, std::size_t index, std::string_view key,
                          const std::string& name, const Config& config, Reading& reading) {
  std::vector<std::string_view> known;
  for (const Upstream& upstream : config.upstreams) known.emplace_back(upstream.set);
  const auto meant = nearest(name, known);
  reading.complain(place_of(list, index, key), std::format("no upstream is in a set `{}`", name),
                   meant ? std::format("did you mean `{}`?", *meant)
                         : std::format("write `set = \"{}\"` below an [[upstream]]; there are {}",
                                       name, names_of_sets(config)));
}

void check_sets(const Node& list, const Config& config, Reading& reading) {
  for (std::size_t i = 0; i < config.sets.size() && i < list.items.size(); ++i) {
    const std::string& name = config.sets[i].name;
    if (name.empty()) continue;  // its own complaint comes first
    const auto same = std::ranges::find(config.sets, name, &Set::name);
    if (same < config.sets.begin() + static_cast<std::ptrdiff_t>(i)) {
      reading.complain(place_of(list, i, "name"),
                       std::format("`{}` is there already, on line {}", name, same->line.number),
                       "write each set once");
    } else if (!has_upstream(config, name)) {
      complain_no_upstream(list, i, "name", name, config, reading);
    }
  }
}

void check_routes(const Node& list, const Config& config, Reading& reading) {
  std::vector<std::pair<const dns::Name*, std::size_t>> seen;  // with their lines
  for (std::size_t i = 0; i < config.routes.size() && i < list.items.size(); ++i) {
    const Route& route = config.routes[i];
    if (!route.set.empty() && !has_upstream(config, route.set))
      complain_no_upstream(list, i, "set", route.set, config, reading);
    for (const dns::Name& name : route.names) {
      const auto twice =
          std::ranges::find_if(seen, [&](const auto& each) { return *each.first == name; });
      if (twice != seen.end()) {
        reading.complain(
            place_of(list, i, "names"),
            std::format("`{}` has a route already, on line {}", name.to_text(), twice->second),
            "give each name one route");
      }
      seen.emplace_back(&name, route.line.number);
    }
  }
}

void check_upstreams_are_reached(const Node& list, const Config& config, Reading& reading) {
  if (list.items.size() != config.upstreams.size()) return;
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    const std::string& set = config.upstreams[i].set;
    const auto same = std::ranges::find(config.upstreams, set, &Upstream::set);
    const bool first = same == config.upstreams.begin() + static_cast<std::ptrdiff_t>(i);
    if (!first) continue;
    if (set != default_set && !std::ranges::contains(config.routes, set, &Route::set)) {
      std::vector<std::string_view> known{default_set};
      for (const Route& route : config.routes) known.emplace_back(route.set);
      const auto meant = nearest(set, known);
      reading.complain(place_of(list, i, "set"), std::format("no route leads to the set `{}`", set),
                       meant ? std::format("did you mean `{}`?", *meant)
                             : std::format("write a [[route]] with `set = \"{}\"`", set));
    }
    const auto count = std::ranges::count(config.upstreams, set, &Upstream::set);
    if (count > static_cast<std::ptrdiff_t>(Set::upstreams_most)) {
      reading.complain(list.items[i].place,
                       std::format("the set `{}` has {} upstreams, and {} at most", set, count,
                                   Set::upstreams_most),
                       "a set needs no more than a few");
    }
  }
  if (!config.upstreams.empty() && !has_upstream(config, default_set)) {
    reading.complain(list.place, "no upstream is in the set `default`, which most names need",
                     "leave `set` out below one [[upstream]] at least");
  }
}

}  // namespace

Section sets_section() { return several<Set>(&Config::sets, set(), {}); }

Section routes_section() { return several<Route>(&Config::routes, route(), {}); }

void check_routing(const Node& root, const Config& config, Reading& reading) {
  if (const Member* list = root.find("set"); list && list->value.kind == Node::Kind::list)
    check_sets(list->value, config, reading);
  if (const Member* list = root.find("route"); list && list->value.kind == Node::Kind::list)
    check_routes(list->value, config, reading);
  if (const Member* list = root.find("upstream"); list && list->value.kind == Node::Kind::list)
    check_upstreams_are_reached(list->value, config, reading);
}

}  // namespace conf
