// The example file, from the tables.
#include "conf/example.h"

#include <algorithm>
#include <format>
#include <string_view>
#include <vector>

#include "conf/load.h"
#include "conf/sections.h"

namespace conf {
namespace {

constexpr std::size_t line_most = 100;

constexpr std::string_view introduction =
    "Sallyport's configuration: every key, with what it is when it is not given. To change one, "
    "take the `#` in front of it away; a file needs to hold nothing but what differs.\nDurations "
    "and sizes are texts with a unit: \"250ms\", \"30s\", \"5m\", \"12h\", \"1d\"; \"512 KiB\", "
    "\"64 MiB\", \"1 GiB\". Relative paths begin at this file's directory.\n`sallyport check FILE` "
    "tells all mistakes at once. After a change, `sallyport reload` takes over what is not marked "
    "\"needs a restart\".";

/// Comment lines of at most 100 columns; what stands between backquotes stays on one line.
void comment(std::string& out, std::string_view text) {
  std::string line = "#";
  while (!text.empty()) {
    const bool code = text.starts_with('`');
    const std::size_t close = code ? text.find('`', 1) : 0;
    const std::size_t end = std::min(
        text.find_first_of(" \n", close == std::string_view::npos ? 0 : close), text.size());
    const std::string_view word = text.substr(0, end);
    if (line.size() + 1 + word.size() > line_most) {
      out += line + '\n';
      line = "#";
    }
    line += std::format(" {}", word);
    const bool paragraph = end < text.size() && text[end] == '\n';
    if (paragraph) {
      out += line + '\n';
      line = "#";
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out += line + '\n';
}

void key(std::string& out, const PrintedKey& key) {
  const bool required = !key.placeholder.empty();
  std::string about{key.help};
  about += std::format("\n{}: {}{}.", required ? "Must be given" : "Takes", key.accepts,
                       key.applies == Applies::at_restart ? "; needs a restart" : "");
  comment(out, about);
  const bool unset = required && (key.value == "\"\"" || key.value == "[]");
  out += std::format("#{} = {}\n\n", key.name, unset ? key.placeholder : key.value);
}

void section(std::string& out, const Section& section, const Config& config) {
  const auto tables = section.print(config);
  comment(out, section.help);
  out += section.list ? std::format("#[[{}]]\n\n", section.name)
                      : std::format("[{}]\n\n", section.name);
  for (const PrintedKey& each : tables.front()) key(out, each);
  for (std::size_t i = 1; i < tables.size(); ++i) {
    out += std::format("#[[{}]]\n", section.name);
    for (const PrintedKey& each : tables[i]) {
      if (!each.placeholder.empty()) out += std::format("#{} = {}\n", each.name, each.value);
    }
    out += '\n';
  }
}

}  // namespace

std::string example_text() {
  Config config = defaults();
  config.server.state_directory.clear();  // depends on the machine; empty says so
  std::string out;
  comment(out, introduction);
  out += '\n';
  for (const Section& each : sections()) section(out, each, config);
  out.pop_back();
  return out;
}

}  // namespace conf
