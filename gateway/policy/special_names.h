// Names that are answered here and never go upstream: RFC 6761 §6 (localhost, test, invalid), RFC
// 6303 (private reverse zones), RFC 7686 (onion), RFC 6762 §22.1 (local), RFC 8375 §4 (home.arpa),
// RFC 9462 §6.1 (resolver.arpa). Immutable; part of the configuration snapshot.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dns/answer.h"
#include "dns/name.h"
#include "dns/request.h"

namespace gateway::policy {

/// An answer made here, in memory of its own: no heap.
class LocalAnswer {
 public:
  [[nodiscard]] dns::AnswerView view() const {
    return {{wire_.data(), size_},
            {ttl_offsets_.data(), ttl_count_},
            rcode_,
            false,
            dns::Ede::other,
            {}};
  }

 private:
  friend class LocalAnswerWriter;
  std::size_t size_ = 0;
  std::size_t ttl_count_ = 0;
  dns::Rcode rcode_ = dns::Rcode::noerror;
  std::array<std::uint16_t, 2> ttl_offsets_;  // set up to ttl_count_
  std::array<std::uint8_t, 1024> wire_;       // set up to size_
};

class SpecialNames {
 public:
  /// `forwarded`: zones of the table that go upstream all the same ("test.", "10.in-addr.arpa.").
  /// `routed`: names with a route of their own; what is at or below them goes there, unless a zone
  /// of the table is nearer.
  explicit SpecialNames(std::span<const dns::Name> forwarded,
                        std::span<const dns::Name> routed = {});

  /// Writes the answer when the name is one of ours. Most names end after a look at their last
  /// label.
  [[nodiscard]] bool answer(const dns::Question& question, bool dnssec_ok,
                            LocalAnswer& answer) const;

  /// Every zone that the table holds, for documentation and for checking the configuration's list.
  static std::vector<std::string> zones();

 private:
  enum class Kind : std::uint8_t {
    nonexistent,  ///< the name and all below it do not exist
    loopback,     ///< A 127.0.0.1, AAAA ::1
    empty_zone,   ///< RFC 6303 §3: SOA and NS at the apex, nothing below
    home,         ///< an empty zone whose DS is asked of the parent (RFC 8375 §4)
    resolver,     ///< the zone that describes this resolver
    routed,       ///< not answered here
  };
  struct Zone {
    std::string wire;  ///< lower-case wire format
    Kind kind;
  };
  struct Row {
    const char* name;
    Kind kind;
  };
  static std::vector<Row> table();

  /// Nearly every name is told apart by its last label alone.
  [[nodiscard]] bool may_be_special(dns::NameView name) const;
  [[nodiscard]] const Zone* zone_of(dns::NameView name) const;

  std::vector<Zone> zones_;               // sorted by wire
  std::vector<std::string> last_labels_;  // of those that are answered here, in wire format
};

}  // namespace gateway::policy
