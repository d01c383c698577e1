// Judging what an upstream sent: is it the reply to our query, and what does it ask us to do next?
// RFC 5452 §9.1, RFC 6891 §7, RFC 7873 §5.3, RFC 7766 §7. Plain functions, no I/O; any octets may
// come in.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "dns/answer.h"
#include "dns/request.h"
#include "transports/upstreams/habits.h"
#include "transports/upstreams/reply_edns.h"
#include "transports/upstreams/upstream.h"

namespace transports {

/// A query as it left us.
struct Sent {
  std::uint16_t id = 0;
  dns::Question question;   ///< over Do53 with a letter case made up for it
  bool exact_case = false;  ///< the reply must show that very case
  bool edns = true;
  SentCookie cookie;
};

enum class ReplyKind : std::uint8_t {
  answer,        ///< `answer` holds it
  other,         ///< not to this query: ignore it and go on waiting (RFC 5452 §9.1)
  unreadable,    ///< to this query, but malformed: ignore it and go on waiting, `why` says more
  case_changed,  ///< the query's but for the letter case
  no_question,   ///< a failure without the question: believed over streams alone
  no_cookie,     ///< the upstream's cookie is missing
  truncated,     ///< TC: ask again over a stream
  bad_cookie,    ///< rcode BADCOOKIE: ask again with the cookie just learnt
  edns_unknown,  ///< FORMERR or NOTIMP without OPT: ask again without EDNS
};

struct Judged {
  ReplyKind kind = ReplyKind::other;
  dns::KeptAnswer answer;
  std::string why;
};

/// For datagrams. `asked` has the letter case that the answer shall have.
Judged judge_datagram(base::Bytes reply, const Sent& sent, const dns::Question& asked,
                      CookieHabit& cookies, base::TimePoint now);

/// For streams, where the peer is who we connected to. `edns` is filled in for the link's own use.
Judged judge_stream_reply(base::Bytes reply, const Sent& sent, ReplyEdns& edns);

}  // namespace transports
