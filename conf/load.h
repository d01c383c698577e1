// From TOML text to a Config, or to every complaint at once. Strict: unknown keys, wrong types, values out of
// bounds, and files that cannot be read are errors with line, caret and a suggestion.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"

namespace conf {

/// One thing that is wrong, for a person: to_text() prints file, line, the line itself, a caret below the place and what to do.
struct Complaint {
  std::string file;
  std::uint32_t line = 0;    ///< from 1; 0 when it concerns the whole file
  std::uint32_t column = 0;  ///< from 1
  std::uint32_t width = 1;   ///< how much to underline
  std::string source_line;
  std::string message;       ///< "unknown key `lisen`"
  std::string suggestion;    ///< "did you mean `listen`?"

  [[nodiscard]] std::string to_text() const;
};

using Complaints = std::vector<Complaint>;

/// Reads and checks a file, its referred files' readability included.
std::expected<Config, Complaints> load_file(const std::string& path);
/// The same for text; `name` stands for the file in complaints. Relative paths in it are taken from `directory`.
std::expected<Config, Complaints> load_text(std::string_view text, const std::string& name,
                                            const std::string& directory);
/// What runs when there is no file: loopback and private ranges may ask, well-known public resolvers over DoT.
Config defaults();

/// Parses an upstream URL as in `[[upstream]] url`, for command lines too. The error is one sentence.
std::expected<Upstream, std::string> parse_upstream_url(std::string_view url);
std::expected<ListenAddress, std::string> parse_listen_url(std::string_view url);

}  // namespace conf
