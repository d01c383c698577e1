// What a reload would change.
#include "conf/changes.h"

#include <algorithm>
#include <format>

#include "conf/sections.h"

namespace conf {
namespace {

using PrintedTable = std::vector<PrintedKey>;

/// Tables of a list are told apart by their first key: an upstream's url, a certificate's
/// chain_file.
const std::string& identity(const PrintedTable& table) { return table.front().value; }

bool is_unset(const PrintedTable& table) {
  return identity(table) == "\"\"" || identity(table) == "[]";
}

void compare_tables(const PrintedTable& before, const PrintedTable& after, const std::string& where,
                    Changes& out) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].value == after[i].value) continue;
    const bool restart = after[i].applies == Applies::at_restart;
    std::string sentence =
        std::format("`{}` in {} {} {} (was {})", after[i].name, where,
                    restart ? "will be" : "is now", after[i].value, before[i].value);
    (restart ? out.after_restart : out.at_once).push_back(std::move(sentence));
  }
}

void compare_lists(const Section& section, std::vector<PrintedTable> before,
                   std::vector<PrintedTable> after, Changes& out) {
  std::erase_if(before, is_unset);
  std::erase_if(after, is_unset);
  for (const PrintedTable& each : before) {
    if (!std::ranges::contains(after, identity(each), identity))
      out.at_once.push_back(std::format("{} {} is gone", section.name, identity(each)));
  }
  std::vector<std::string> kept;
  for (const PrintedTable& each : after) {
    const auto old = std::ranges::find(before, identity(each), identity);
    if (old == before.end()) {
      out.at_once.push_back(std::format("{} {} is new", section.name, identity(each)));
    } else {
      compare_tables(*old, each, std::format("{} {}", section.name, identity(each)), out);
      kept.push_back(identity(each));
    }
  }
  std::vector<std::string> kept_before;
  for (const PrintedTable& each : before) {
    if (std::ranges::contains(kept, identity(each))) kept_before.push_back(identity(each));
  }
  if (kept != kept_before)
    out.at_once.push_back(std::format("the order of [[{}]] is another", section.name));
}

}  // namespace

Changes changes(const Config& running, const Config& loaded) {
  Changes out;
  for (const Section& section : sections()) {
    const auto before = section.print(running);
    const auto after = section.print(loaded);
    if (section.list) {
      compare_lists(section, before, after, out);
    } else {
      compare_tables(before.front(), after.front(), std::format("[{}]", section.name), out);
    }
  }
  return out;
}

}  // namespace conf
