// What an upstream sends, as links and sockets take it: reassembled, matched, judged, kept.
// Whatever becomes an answer is a sound message to the very question that was asked, and the
// stream's pieces do not matter.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "dns/message.h"
#include "transports/framing.h"
#include "transports/upstreams/reply.h"

namespace {

using Octets = std::vector<std::uint8_t>;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

std::vector<Octets> reassemble(base::Bytes stream, std::size_t piece, bool& sound) {
  transports::FrameReader frames;
  std::vector<Octets> messages;
  for (std::size_t at = 0; at < stream.size() && sound; at += piece) {
    const base::Bytes octets = stream.subspan(at, std::min(piece, stream.size() - at));
    frames.feed(octets);
    while (const auto message = frames.next()) {
      messages.emplace_back(message->begin(), message->end());
    }
    frames.keep();
    sound = frames.sound();
  }
  return messages;
}

void check_answer(const transports::Judged& judged, const dns::Question& asked) {
  if (judged.kind != transports::ReplyKind::answer) return;
  const Octets& wire = judged.answer.wire;
  dns::MessageWalk walk(wire);
  for (dns::Record record; walk.next(record);)
    must(record.type != dns::RrType::opt, "OPT was kept");
  must(walk.complete(), "an answer that cannot be read");
  must(walk.id() == 0, "an answer with an id");
  must(walk.question_count() == 1 && walk.question() == asked, "an answer to another question");
  must(dns::same_case(walk.question().name, asked.name), "an answer in another letter case");
}

/// What everybody asks: the reply's first octets decide whether it matches.
transports::Sent sent_query(std::string_view name) {
  transports::Sent sent;
  sent.id = 0x1234;
  sent.question = {*dns::Name::from_text(name), dns::RrType::a, dns::RrClass::in};
  return sent;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const base::Bytes stream{data + 1, size - 1};
  bool whole_sound = true;
  bool pieces_sound = true;
  const std::vector<Octets> messages =
      reassemble(stream, std::max<std::size_t>(stream.size(), 1), whole_sound);
  const std::vector<Octets> pieced = reassemble(stream, std::size_t{1} + data[0], pieces_sound);
  must(messages == pieced && whole_sound == pieces_sound, "the stream's pieces matter");

  const transports::Sent plain = sent_query("www.example");
  transports::Sent mixed = sent_query("wWw.eXaMple");
  mixed.exact_case = true;
  mixed.cookie.size = 8;
  transports::CookieHabit cookies;
  for (const Octets& message : messages) {
    transports::ReplyEdns edns;
    check_answer(transports::judge_stream_reply(message, plain, edns), plain.question);
    check_answer(transports::judge_datagram(message, mixed, plain.question, cookies, {}),
                 plain.question);
  }
  return 0;
}
