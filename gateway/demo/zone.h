// The demonstration's zone, demo.test.: one name for each thing that is worth seeing. RFC 1034
// §4.3.2 (how a name is answered), RFC 2308 (negative answers), RFC 4592 (the wildcard). Immutable
// once made.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "conf/protocol.h"
#include "dns/answer.h"
#include "dns/name.h"
#include "dns/request.h"
#include "gateway/demo/rdata.h"

namespace gateway::demo {

inline constexpr std::string_view zone_name = "demo.test.";

/// What is done with a question before, or instead of, answering it.
enum class Manner : std::uint8_t {
  at_once,
  slowly,  ///< slow.demo.test., after 300 ms
  never,   ///< silent.demo.test.
};

class Zone {
 public:
  Zone();

  [[nodiscard]] Manner manner_of(const dns::Question& question) const;
  /// Every question gets one: REFUSED outside of the zone, SERVFAIL with a reason for
  /// fail.demo.test., and whoami's TXT says over which transport the question came here.
  [[nodiscard]] dns::KeptAnswer answer(const dns::Question& question,
                                       conf::Protocol came_over) const;

 private:
  struct Record {
    dns::Name owner;
    dns::RrType type;
    std::uint32_t ttl;
    Rdata rdata;
  };

  void add(std::string_view label, dns::RrType type, std::uint32_t ttl, Rdata rdata);
  [[nodiscard]] bool exists(dns::NameView name) const;
  [[nodiscard]] std::vector<const Record*> find(dns::NameView name, dns::RrType type) const;
  /// The name whose records answer for `name`: itself, or the wildcard above it (RFC 4592 §3.3.1).
  [[nodiscard]] dns::Name source_of(dns::NameView name) const;

  dns::Name apex_;
  dns::Name slow_, silent_, fail_, whoami_;
  std::vector<Record> records_;
};

}  // namespace gateway::demo
