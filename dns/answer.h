// An answer as it is kept and shared: without OPT, id 0, its TTLs found once. RFC 6891 §6.1.1 (OPT
// is hop by hop), RFC 2181 §5.2 and §8 (TTLs of an RRset), RFC 8914 (EDE kept beside).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "dns/codes.h"
#include "dns/request.h"

namespace dns {

/// Somebody else's memory: a cache entry's, or a KeptAnswer's.
struct AnswerView {
  base::Bytes wire;  ///< header with id 0 and QDCOUNT 1, the question, sections; no OPT
  std::span<const std::uint16_t> ttl_offsets;  ///< where each record's TTL is, ascending
  Rcode rcode = Rcode::noerror;                ///< all twelve bits
  bool has_ede = false;
  Ede ede = Ede::other;
  std::string_view ede_text;

  [[nodiscard]] std::uint16_t flags() const { return base::load_u16(&wire[2]); }
};

/// An answer with its own memory.
struct KeptAnswer {
  std::vector<std::uint8_t> wire;
  std::vector<std::uint16_t> ttl_offsets;
  Rcode rcode = Rcode::noerror;
  bool has_ede = false;
  Ede ede = Ede::other;
  std::string ede_text;
  bool by_fallback = false;  ///< fresh from an upstream, over its second way

  [[nodiscard]] AnswerView view() const {
    return {wire, ttl_offsets, rcode, has_ede, ede, ede_text};
  }
};

/// What sort of answer it is, which decides its lifetime (RFC 2308 §2).
enum class AnswerKind : std::uint8_t {
  positive,  ///< records for the question, or a CNAME chain that ends in some
  nodata,    ///< NOERROR without them
  nxdomain,
  failure,  ///< SERVFAIL, REFUSED and every other rcode
};

/// What `cache/lifetime` needs to know of an answer.
struct AnswerFacts {
  AnswerKind kind = AnswerKind::failure;
  bool has_ttl = false;
  std::uint32_t least_ttl = 0;       ///< over all records (OPT excepted)
  bool has_soa = false;              ///< in the authority section
  std::uint32_t negative_ttl = 0;    ///< min(SOA TTL, SOA MINIMUM), RFC 2308 §5
  bool answer_section_empty = true;  ///< an NXDOMAIN at the end of a CNAME chain has records in it
};

/// Parses a whole response strictly (every name, every count, rdata of the types whose names may be
/// compressed, one OPT at most, nothing behind the last record) and makes it fit to keep: OPT taken
/// out (composed afresh when other records stand behind it), id 0, Z bit cleared, TTLs with the
/// top bit read as 0 (RFC 2181 §8), each RRset's TTLs made equal to its least (§5.2).
/// The error says where and why; Blame::upstream, Retry::other_upstream.
base::Result<KeptAnswer> keep_answer(base::Bytes response);

/// Facts of an answer that keep_answer() made.
AnswerFacts facts_of(const AnswerView& answer);

/// Clamps every TTL of the answer into [least, most] seconds.
void clamp_ttls(KeptAnswer& answer, std::uint32_t least, std::uint32_t most);
/// It was kept for so many seconds elsewhere.
void age_ttls(KeptAnswer& answer, std::uint32_t seconds);

/// An NXDOMAIN answer for `below` made of one that was given for a name above it (RFC 8020 §2):
/// header and authority section under the new question.
KeptAnswer nxdomain_below(const AnswerView& cut, const Question& below);

}  // namespace dns
