// Is this the reply to what we asked? RFC 5452 §9.1: id, question name, type and class; QR set,
// opcode QUERY.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "dns/request.h"

namespace dns {

enum class Match : std::uint8_t {
  yes,
  no,         ///< not a reply to this question: go on waiting
  malformed,  ///< ours by id and question, but the message cannot be read
};

struct Expected {
  std::uint16_t id = 0;
  const Question* question = nullptr;  ///< as it was sent: with 0x20 the letter case counts
  bool exact_case = false;
};

/// Looks at header and question only. A reply with QDCOUNT 0 matches when its rcode is FORMERR,
/// NOTIMP, SERVFAIL or REFUSED (servers that could not read the question) and the id is right, over
/// connected transports only
/// (`allow_no_question`).
Match match_reply(base::Bytes reply, const Expected& expected, bool allow_no_question);

}  // namespace dns
