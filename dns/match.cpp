// Recognising the reply to a question. RFC 5452 §9.1, RFC 1035 §4.1.
#include "dns/match.h"

#include <algorithm>

namespace dns {
namespace {

/// Does `reply` begin with the question, uncompressed as a first name has to be?
bool asks(base::Bytes reply, const Expected& expected) {
  const base::Bytes name = expected.question->name.view().wire();
  if (reply.size() < header_size + name.size() + 4) return false;
  const base::Bytes echoed = reply.subspan(header_size, name.size());
  const std::uint8_t* fixed = &reply[header_size + name.size()];
  return RrType{base::load_u16(fixed)} == expected.question->type &&
         RrClass{base::load_u16(fixed + 2)} == expected.question->klass &&
         (expected.exact_case ? std::ranges::equal(echoed, name)
                              : std::ranges::equal(echoed, name, {}, to_lower, to_lower));
}

/// What servers answer that could not, or would not, read the question.
bool may_lack_question(std::uint16_t flags) {
  switch (static_cast<Rcode>(flags & 15U)) {
    case Rcode::formerr:
    case Rcode::servfail:
    case Rcode::notimp:
    case Rcode::refused: return true;
    default: return false;
  }
}

}  // namespace

Match match_reply(base::Bytes reply, const Expected& expected, bool allow_no_question) {
  if (reply.size() < header_size || base::load_u16(&reply[0]) != expected.id) return Match::no;
  const std::uint16_t flags = base::load_u16(&reply[2]);
  const bool is_reply =
      (flags & flag::qr) != 0 && static_cast<Opcode>((flags >> 11) & 15) == Opcode::query;
  if (!is_reply) return Match::no;
  const std::uint16_t questions = base::load_u16(&reply[4]);
  if (questions == 0) return allow_no_question && may_lack_question(flags) ? Match::yes : Match::no;
  if (!asks(reply, expected)) return Match::no;
  return questions == 1 ? Match::yes : Match::malformed;
}

}  // namespace dns
