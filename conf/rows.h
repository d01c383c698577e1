// How the rows of a table become a Section: reading by rows, unknown and missing keys, lists of
// tables. Templates over the part of the configuration; for conf/sections*.cpp alone.
#pragma once

#include <format>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conf/kinds.h"
#include "conf/sections.h"

namespace conf {

template <class Part>
struct Row {
  std::string_view name;
  std::function<void(const Node&, Part&, Reading&)> read;
  std::function<std::string(const Part&)> print;
  std::string accepts;
  Applies applies;
  std::string_view help;
  std::string_view placeholder;  ///< given: the key must be there
};

template <class Part, class T>
Row<Part> row(std::string_view name, T Part::* member, Kind<T> kind, Applies applies,
              std::string_view help, std::string_view placeholder = {}) {
  return {
      .name = name,
      .read =
          [member, read = std::move(kind.read)](const Node& node, Part& part, Reading& reading) {
            if (auto value = read(node, reading)) part.*member = std::move(*value);
          },
      .print = [member,
                print = std::move(kind.print)](const Part& part) { return print(part.*member); },
      .accepts = std::move(kind.accepts),
      .applies = applies,
      .help = help,
      .placeholder = placeholder};
}

/// What one table's values must be to each other.
template <class Part>
using Check = std::function<void(const Node& table, const Part&, Reading&)>;

/// What the tables of a list must be to each other.
template <class Part>
using CheckAll = std::function<void(const Node& list, const std::vector<Part>&, Reading&)>;

/// About the keys of a table that are not its section's.
void complain_unknown_keys(const Node& table, std::string_view section, Reading& reading);

template <class Part>
struct Table {
  std::string_view name;
  std::string_view help;
  std::vector<Row<Part>> rows;
  Check<Part> check;

  [[nodiscard]] std::vector<std::string_view> keys() const {
    std::vector<std::string_view> out;
    for (const Row<Part>& each : rows) out.push_back(each.name);
    return out;
  }

  void read(const Node& node, Part& part, Reading& reading) const {
    for (const Row<Part>& each : rows) {
      const Member* member = node.find(each.name);
      if (member != nullptr) {
        each.read(member->value, part, reading);
      } else if (!each.placeholder.empty()) {
        reading.complain(node.place, std::format("`{}` is missing in [[{}]]", each.name, name),
                         std::format("write `{} = {}`, say", each.name, each.placeholder));
      }
    }
    if (check) check(node, part, reading);
  }

  [[nodiscard]] std::vector<PrintedKey> print(const Part& part) const {
    std::vector<PrintedKey> out;
    for (const Row<Part>& each : rows) {
      out.push_back(
          {each.name, each.print(part), each.accepts, each.help, each.placeholder, each.applies});
    }
    return out;
  }
};

template <class Part>
Section single(Part Config::* member, const Table<Part>& table) {
  Section section{.name = table.name,
                  .list = false,
                  .help = table.help,
                  .keys = table.keys(),
                  .read = {},
                  .print = {}};
  section.print = [member, table](const Config& config) {
    std::vector<std::vector<PrintedKey>> out;
    out.push_back(table.print(config.*member));
    return out;
  };
  section.read = [member, table](const Node& node, Config& config, Reading& reading) {
    if (node.kind != Node::Kind::table) {
      const bool list = node.kind == Node::Kind::list;
      reading.complain(node.place,
                       std::format("`{}` is one table, not {}", table.name, to_text(node.kind)),
                       std::format("write `[{}]` {}", table.name,
                                   list ? "once, in single brackets" : "and its keys below"));
      return;
    }
    complain_unknown_keys(node, table.name, reading);
    table.read(node, config.*member, reading);
  };
  return section;
}

template <class Part>
Section several(std::vector<Part> Config::* member, const Table<Part>& table,
                const CheckAll<Part>& check_all) {
  Section section{.name = table.name,
                  .list = true,
                  .help = table.help,
                  .keys = table.keys(),
                  .read = {},
                  .print = {}};
  section.print = [member, table](const Config& config) {
    std::vector<std::vector<PrintedKey>> out;
    for (const Part& part : config.*member) out.push_back(table.print(part));
    if (out.empty()) out.push_back(table.print(Part{}));
    return out;
  };
  section.read = [member, table, check_all](const Node& node, Config& config, Reading& reading) {
    if (node.kind != Node::Kind::list) {
      reading.complain(
          node.place,
          std::format("`{}` is a list of tables, not {}", table.name, to_text(node.kind)),
          std::format("write `[[{}]]`, in double brackets", table.name));
      return;
    }
    std::vector<Part> parts;
    for (const Node& item : node.items) {
      Part& part = parts.emplace_back();
      if constexpr (requires { part.line.number; }) part.line.number = item.place.line;
      if (item.kind == Node::Kind::table) {
        complain_unknown_keys(item, table.name, reading);
        table.read(item, part, reading);
      } else {
        reading.complain(item.place,
                         std::format("a table is wanted here, not {}", to_text(item.kind)),
                         std::format("write `[[{}]]` and its keys below", table.name));
      }
    }
    if (check_all) check_all(node, parts, reading);
    config.*member = std::move(parts);
  };
  return section;
}

}  // namespace conf
