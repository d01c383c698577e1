// Fitting an answer to its client: every answer of the gateway passes here. Id, flags, letter case,
// TTLs, size and TC (RFC 1035 §4.2.1, RFC 2181 §9), EDNS only if the query had it (RFC 6891 §6.1.1,
// §7), cookies (RFC 7873), keepalive (RFC 7828), padding (RFC 7830, RFC 8467), EDE (RFC 8914).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "dns/answer.h"
#include "dns/request.h"

namespace dns {

struct EdeNote {
  Ede code = Ede::other;
  std::string_view text;  ///< UTF-8, left out first when there is no room
};

struct FitOptions {
  std::size_t size_limit =
      message_size_max;   ///< the transport's; over UDP already min(client's, ours)
  std::uint32_t age = 0;  ///< seconds to take from every TTL (never below 0)
  std::optional<std::uint32_t> fixed_ttl{};  ///< stale: every TTL becomes this (RFC 8767 §4)
  bool truncate = false;  ///< header, question and OPT only, with TC set: "ask again over TCP"
  std::uint16_t our_udp_size = 1232;  ///< advertised in our OPT
  std::uint16_t padding_block =
      0;  ///< 0 off; 468 on encrypted transports when the query was padded
  std::optional<std::uint16_t> keepalive{};  ///< units of 100 ms, TCP and DoT only
  const std::array<std::uint8_t, 16>* server_cookie = nullptr;  ///< sent behind the client's cookie
  std::optional<EdeNote> ede{};                                 ///< instead of the answer's own
};

/// Writes the answer for `request` into `out` and gives its size; never more than
/// min(size_limit, out.size()), never allocates. An answer that does not fit becomes header,
/// question and OPT with TC set (and EDE dropped before that). `out` must hold at least 512 octets;
/// 0 when not even the question fits. The request's question is written over the answer's, which
/// must have a name of that size: letter case is the client's, and an NXDOMAIN serves every type.
/// An answer to a name of another size is our own mistake, and becomes SERVFAIL.
std::size_t fit(const Request& request, const AnswerView& answer, const FitOptions& options,
                base::MutableBytes out);

/// The same for an answer without records: refusals, failures, NODATA made here. QDCOUNT is 0 when
/// the request had no readable question.
std::size_t fit_empty(const Request& request, Rcode rcode, const FitOptions& options,
                      base::MutableBytes out);

/// The rcode that answers a packet that was not accepted (neither accept nor drop).
Rcode rcode_of(Verdict verdict);

}  // namespace dns
