// The question of a script that asks by parameters: "name=example.com&type=AAAA&do=1", as public
// resolvers take them ("application/dns-json"). It becomes a query like any other.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "dns/request.h"

namespace transports {

inline constexpr std::string_view dns_json_type = "application/dns-json";

struct JsonQuestion {
  /// Composed, a question has this many octets at most: header, name, type, class, OPT.
  static constexpr std::size_t size_max = 512;

  dns::Question question;
  bool dnssec_ok = false;
  bool checking_disabled = false;

  /// Writes the query and gives its size. `out` has room for size_max.
  [[nodiscard]] std::size_t compose(base::MutableBytes out) const;

  friend bool operator==(const JsonQuestion&, const JsonQuestion&) = default;
};

/// From the query of a URL; or a sentence that says what is wrong with it. `name` must be there,
/// `type` is A when it is not (a name or a number), `do` and `cd` are 0, 1, true or false. Other
/// parameters (`ct`, `edns_client_subnet`, `random_padding`) are for other servers.
std::expected<JsonQuestion, std::string_view> read_json_question(std::string_view url_query);

/// {"error":"…"}: the body of what is no answer.
std::string json_error(std::string_view sentence);

}  // namespace transports
