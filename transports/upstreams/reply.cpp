// The order of checks matters: nothing is learnt of a reply before it has proved to be ours.
#include "transports/upstreams/reply.h"

#include <utility>

#include "dns/match.h"
#include "transports/upstreams/letter_case.h"

namespace transports {

namespace {

bool is_truncated(base::Bytes reply) { return (base::load_u16(&reply[2]) & dns::flag::tc) != 0; }

bool edns_is_unknown(const Sent& sent, const ReplyEdns& edns) {
  const bool refused = edns.rcode == dns::Rcode::formerr || edns.rcode == dns::Rcode::notimp;
  return refused && sent.edns && !edns.present;  // RFC 6891 §7
}

Judged unreadable(std::string why) { return {ReplyKind::unreadable, {}, std::move(why)}; }

Judged keep(base::Bytes reply, const dns::Question& sent, const dns::Question& asked) {
  base::Result<dns::KeptAnswer> kept = dns::keep_answer(reply);
  if (!kept) return unreadable(std::move(kept.error().context));
  restore_case(kept->wire, sent.name, asked.name);
  return {ReplyKind::answer, std::move(*kept), {}};
}

/// A failure that came without the question, as if it had come with it.
Judged keep_without_question(base::Bytes reply, const dns::Question& question) {
  const base::Bytes name = question.name.view().wire();
  std::vector<std::uint8_t> whole(reply.begin(), reply.begin() + dns::header_size);
  base::store_u16(&whole[4], 1);
  whole.insert(whole.end(), name.begin(), name.end());
  std::array<std::uint8_t, 4> rest{};
  base::store_u16(&rest[0], static_cast<std::uint16_t>(question.type));
  base::store_u16(&rest[2], static_cast<std::uint16_t>(question.klass));
  whole.insert(whole.end(), rest.begin(), rest.end());
  whole.insert(whole.end(), reply.begin() + dns::header_size, reply.end());
  return keep(whole, question, question);
}

/// Not a match: what else may it be?
Judged judge_stranger(base::Bytes reply, const Sent& sent) {
  const dns::Expected any_case{sent.id, &sent.question, false};
  if (sent.exact_case && dns::match_reply(reply, any_case, false) == dns::Match::yes) {
    return {ReplyKind::case_changed, {}, {}};
  }
  if (dns::match_reply(reply, any_case, true) == dns::Match::yes)
    return {ReplyKind::no_question, {}, {}};
  return {ReplyKind::other, {}, {}};
}

}  // namespace

Judged judge_datagram(base::Bytes reply, const Sent& sent, const dns::Question& asked,
                      CookieHabit& cookies, base::TimePoint now) {
  switch (dns::match_reply(reply, {sent.id, &sent.question, sent.exact_case}, false)) {
    case dns::Match::yes: break;
    case dns::Match::no: return judge_stranger(reply, sent);
    case dns::Match::malformed: return unreadable("malformed header or question");
  }
  const ReplyEdns edns = read_reply_edns(reply);
  // Some servers cut a truncated reply in the middle of a record, where no OPT can be found.
  if (!edns.readable && is_truncated(reply)) return {ReplyKind::truncated, {}, {}};
  if (!edns.readable) return unreadable("malformed records or OPT");
  switch (cookies.judge(sent.cookie, edns.cookie_present, edns.cookie, now)) {
    case CookieVerdict::good: break;
    case CookieVerdict::forged: return {ReplyKind::other, {}, {}};
    case CookieVerdict::missing: return {ReplyKind::no_cookie, {}, {}};
  }
  if (is_truncated(reply)) return {ReplyKind::truncated, {}, {}};
  if (edns.rcode == dns::Rcode::badcookie) return {ReplyKind::bad_cookie, {}, {}};
  if (edns_is_unknown(sent, edns)) return {ReplyKind::edns_unknown, {}, {}};
  return keep(reply, sent.question, asked);
}

Judged judge_stream_reply(base::Bytes reply, const Sent& sent, ReplyEdns& edns) {
  const dns::Expected expected{sent.id, &sent.question, false};
  switch (dns::match_reply(reply, expected, true)) {
    case dns::Match::yes: break;
    case dns::Match::no: return {ReplyKind::other, {}, {}};
    case dns::Match::malformed: return unreadable("malformed header or question");
  }
  edns = read_reply_edns(reply);
  if (!edns.readable) return unreadable("malformed records or OPT");
  if (is_truncated(reply)) return {ReplyKind::truncated, {}, {}};
  if (edns_is_unknown(sent, edns)) return {ReplyKind::edns_unknown, {}, {}};
  if (base::load_u16(&reply[4]) == 0) return keep_without_question(reply, sent.question);
  return keep(reply, sent.question, sent.question);
}

}  // namespace transports
