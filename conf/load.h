// From TOML text to a Config, or to every complaint at once. Strict: unknown keys, wrong types,
// values out of bounds, and files that cannot be read are errors with line, caret and a suggestion.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "conf/complaint.h"
#include "conf/config.h"

namespace conf {

/// Reads and checks a file, its referred files' readability included.
std::expected<Config, Complaints> load_file(const std::string& path);
/// The same for text; `name` stands for the file in complaints. Relative paths in it are taken from
/// `directory`.
std::expected<Config, Complaints> load_text(std::string_view text, const std::string& name,
                                            const std::string& directory);
/// What runs when there is no file: loopback and private ranges may ask, well-known public
/// resolvers over DoT.
Config defaults();

/// At most this many complaints are made about one file.
inline constexpr std::size_t complaints_most = 50;

/// Parses an upstream URL as in `[[upstream]] url`, for command lines too. The error is one
/// sentence.
std::expected<Upstream, std::string> parse_upstream_url(
    std::string_view url, const std::vector<base::Address>& bootstrap = {});
std::expected<ListenAddress, std::string> parse_listen_url(std::string_view url);

}  // namespace conf
