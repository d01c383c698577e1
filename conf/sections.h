// The tables of sallyport.toml: one row for each key, from which reading, suggestions, the example
// file and the comparison of two configurations are derived. To add a key, add its row in
// sections.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "conf/reading.h"

namespace conf {

/// When a changed value begins to count.
enum class Applies : std::uint8_t { at_reload, at_restart };

/// A key with a configuration's value in it.
struct PrintedKey {
  std::string_view name;
  std::string value;             ///< as TOML
  std::string accepts;           ///< bounds, or what may be written
  std::string_view help;         ///< why one would touch it; sentences without line breaks
  std::string_view placeholder;  ///< for a key without a default: what to show in its place
  Applies applies = Applies::at_reload;
};

struct Section {
  std::string_view name;
  bool list = false;  ///< `[[name]]`, any number of them
  std::string_view help;
  std::vector<std::string_view> keys;
  /// From the table, or the list of tables, into the configuration's part.
  std::function<void(const Node&, Config&, Reading&)> read;
  /// The keys of each table of this name; an unset list section gives one table of defaults.
  std::function<std::vector<std::vector<PrintedKey>>(const Config&)> print;
};

/// In the order in which a person needs them. Made at the first call, immutable.
const std::vector<Section>& sections();

/// Reads all sections, and complains about what is none.
void read_sections(const Node& root, Config& config, Reading& reading);

}  // namespace conf
