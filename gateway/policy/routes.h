// Which set of upstreams is asked for a name: the longest route on its labels. Immutable; part of
// the configuration snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "dns/name.h"

namespace gateway::policy {

class Routes {
 public:
  struct Found {
    std::string_view set = conf::default_set;
    std::size_t suffix_size = 1;  ///< octets of the route's name; the root's without one
    std::size_t line = 0;         ///< of the configuration; 0 without one
  };

  Routes() = default;  // everything by the usual way
  explicit Routes(std::span<const conf::Route> routes);

  /// A binary search for each label; none when there are no routes. Valid as long as this is.
  [[nodiscard]] Found find(dns::NameView name) const;
  [[nodiscard]] const std::vector<dns::Name>& names() const { return names_; }

 private:
  struct Row {
    std::string wire;  // in small letters
    std::string set;
    std::size_t line;
  };
  std::vector<Row> rows_;  // sorted by wire
  std::vector<dns::Name> names_;
};

/// Names whose route leads to another set than before, or to other upstreams: what is kept of them
/// is the old ones' answers. The usual set's upstreams may change; its answers stay.
std::vector<dns::Name> led_elsewhere(const conf::Config& before, const conf::Config& after);

/// The same number in every process and every order of the file for the same routes to the same
/// addresses. What a former process kept may be weeks old, and its operator had time for anything:
/// the usual set's addresses count as well.
std::uint64_t fingerprint_of_ways(const conf::Config& config);

}  // namespace gateway::policy
