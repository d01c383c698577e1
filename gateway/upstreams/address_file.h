// The addresses of upstreams' hosts on disk, from one run to the next: lines of text under a
// checksum, replaced as a whole or not at all. Nothing in it has to be believed: a host proves
// itself by its certificate.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "gateway/upstreams/host_addresses.h"

namespace gateway::upstreams {

/// What was found about a host.
struct AddressRow {
  std::string host;
  std::vector<base::Endpoint> resolvers;  ///< who told
  std::int64_t expires = 0;               ///< Unix time
  Addresses addresses;                    ///< not none

  bool operator==(const AddressRow&) const = default;
};

/// Lines of rows as a whole file: version before them, checksum behind.
std::string sealed(std::string_view lines);
std::string print_addresses(std::span<const AddressRow> rows);
/// Every row, or a clause that says why the text is no such file, or not a whole one.
std::expected<std::vector<AddressRow>, std::string> parse_addresses(std::string_view text);

/// None when there is no such file.
std::expected<std::vector<AddressRow>, std::string> load_addresses(const std::string& path);
std::expected<void, std::string> save_addresses(const std::string& path,
                                                std::span<const AddressRow> rows);

}  // namespace gateway::upstreams
