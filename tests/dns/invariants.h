// What must hold whatever came over the wire: for fuzz targets and corpora alike. Each function
// gives nothing, or a sentence that says what broke.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "dns/answer.h"
#include "dns/compose.h"
#include "dns/fit.h"
#include "dns/match.h"
#include "dns/message.h"
#include "dns/name.h"
#include "dns/request.h"
#include "dns/text.h"

namespace dns::test {

/// "" when `wire` is a strictly sound message.
inline std::string unsound(base::Bytes wire) {
  MessageWalk walk(wire);
  for (Record record; walk.next(record);) {
  }
  return walk.complete() ? std::string{} : std::string{walk.fault().what};
}

/// A request however it was refused, answered in every way within `limit`.
inline std::string broken_replies(const Request& request, const AnswerView& answer,
                                  std::size_t limit) {
  static constexpr std::array<std::uint8_t, 16> cookie{1, 2, 3};
  const FitOptions plain{.size_limit = limit, .age = 100};
  const FitOptions full{.size_limit = limit,
                        .fixed_ttl = 30,
                        .padding_block = 468,
                        .keepalive = 300,
                        .server_cookie = &cookie,
                        .ede = EdeNote{Ede::stale_answer, "the upstream did not answer in time"}};
  static std::vector<std::uint8_t> out(
      message_size_max);  // made once: fuzzing calls this a million times
  for (const FitOptions& options : {plain, full}) {
    for (const bool empty : {false, true}) {
      const std::size_t size = empty ? fit_empty(request, Rcode::badvers, options, out)
                                     : fit(request, answer, options, out);
      const base::Bytes wire = base::Bytes{out}.first(size);
      if (size == 0) return "no reply within " + std::to_string(limit) + " octets";
      if (size > limit) return "reply over the limit";
      if (const std::string what = unsound(wire); !what.empty()) return "malformed reply: " + what;
      MessageWalk walk(wire);
      for (Record record; walk.next(record);) {
      }
      if (walk.id() != request.id || (walk.flags() & flag::qr) == 0)
        return "reply without id or QR";
      if (walk.opt().has_value() != request.edns.present) return "OPT in one direction only";
      if (request.has_question && !same_case(walk.question().name, request.question.name))
        return "another question";
    }
  }
  return {};
}

/// A packet from a client.
inline std::string broken_request(base::Bytes wire) {
  Request request;
  const Verdict verdict = parse_request(wire, request);
  if (verdict == Verdict::drop) return {};
  if (verdict == Verdict::accept && !request.has_question) return "accepted without a question";
  if (verdict == Verdict::accept) {
    if (const std::string what = unsound(wire); !what.empty() && what != "rdata")
      return "accepted: " + what;
    std::array<std::uint8_t, 512> out;
    const std::size_t size = compose_query(request.question, {.padding_block = 128}, out);
    Request again;
    if (parse_request(base::Bytes{out}.first(size), again) != Verdict::accept)
      return "our query is refused";
    if (!same_case(again.question.name, request.question.name))
      return "our query asks something else";
  }
  KeptAnswer answer;
  answer.wire.assign(header_size, 0);
  base::store_u16(&answer.wire[2], flag::qr);
  return broken_replies(request, answer.view(), 512);
}

/// A response from an upstream: kept, fitted to a client who asked in capitals, and read again.
inline std::string broken_answer(base::Bytes wire) {
  const auto kept = keep_answer(wire);
  if (!kept) return kept.error().context.empty() ? "refused without a reason" : std::string{};
  if (const std::string what = unsound(wire); !what.empty()) return "kept: " + what;
  if (const std::string what = unsound(kept->wire); !what.empty())
    return "kept wire is malformed: " + what;
  if (!std::ranges::is_sorted(kept->ttl_offsets)) return "TTL offsets are not ascending";
  const auto again = keep_answer(kept->wire);
  if (!again || again->wire != kept->wire || again->ttl_offsets != kept->ttl_offsets)
    return "kept twice is not the same";

  MessageWalk walk(kept->wire);
  Request request;
  request.id = 0x4242;
  request.has_question = true;
  request.question = walk.question();
  for (std::uint8_t& octet : request.question.name.mutable_wire()) {
    if (octet >= 'a' && octet <= 'z') octet = static_cast<std::uint8_t>(octet - 'a' + 'A');
  }
  for (const bool edns : {false, true}) {
    request.edns.present = edns;
    for (const std::size_t limit : {std::size_t{512}, std::size_t{1232}, message_size_max}) {
      if (std::string what = broken_replies(request, kept->view(), limit); !what.empty())
        return what;
    }
  }
  facts_of(kept->view());
  auto clamped = *kept;
  clamp_ttls(clamped, 10, 20);
  const KeptAnswer below =
      nxdomain_below(kept->view(), {*Name::from_text("a.b"), RrType::a, RrClass::in});
  if (const std::string what = unsound(below.wire); !what.empty())
    return "NXDOMAIN below is malformed: " + what;
  return {};
}

/// Any message: a reply to the question it contains, and to no other id.
inline std::string broken_match(base::Bytes wire) {
  MessageWalk walk(wire);
  if (walk.records_offset() == 0) {
    const Question none{};
    const Expected expected{.id = walk.id(), .question = &none, .exact_case = true};
    match_reply(wire, expected, true);
    return {};
  }
  const Expected same{.id = walk.id(), .question = &walk.question(), .exact_case = true};
  const Expected other{.id = static_cast<std::uint16_t>(walk.id() + 1),
                       .question = &walk.question(),
                       .exact_case = false};
  if (match_reply(wire, other, true) != Match::no) return "another id matches";
  const bool is_reply = (walk.flags() & flag::qr) != 0 && walk.opcode() == Opcode::query;
  const Match match = match_reply(wire, same, false);
  if (!is_reply && match != Match::no) return "a query matches";
  if (is_reply && walk.question_count() == 1 && match != Match::yes)
    return "its own question does not match";
  return {};
}

/// Names as text, both ways.
inline std::string broken_name(base::Bytes octets) {
  const auto name = Name::from_text(base::as_text(octets));
  if (name) {
    const auto again = Name::from_text(name->to_text());
    if (!again || !same_case(*again, *name)) return "text does not lead back to the name";
    if (skip_plain_name(name->view().wire(), 0) != name->size()) return "a malformed name was made";
  }
  Name read;
  if (read_name(octets, header_size, read) == 0) return {};
  if (read_name(octets, header_size, read) != skip_name(octets, header_size))
    return "skipping is not reading";
  const auto again = Name::from_text(read.to_text());
  if (!again || !same_case(*again, read)) return "a name of the wire does not survive its text";
  return {};
}

}  // namespace dns::test
