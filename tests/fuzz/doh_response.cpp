// Fuzz target: what a DoH upstream says over HTTP/1.1 and HTTP/2, and what the proxy before it
// says. Whatever becomes an answer is a sound message to the very question that was asked, nothing
// is answered twice, and over HTTP/1.1 the stream's pieces do not matter.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/message.h"
#include "tests/support/memory_link.h"
#include "tests/support/upstream_loop.h"
#include "transports/upstreams/http1_codec.h"
#include "transports/upstreams/http2_codec.h"
#include "transports/upstreams/proxy_tunnel.h"

namespace {

using transports::DohTarget;
using transports::Link;
using transports::StreamCodec;
using transports::Waiting;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void check(const Waiting& waiting) {
  must(!(waiting.judged && waiting.failure), "an answer and a failure");
  if (!waiting.judged || waiting.judged->kind != transports::ReplyKind::answer) return;
  dns::MessageWalk walk(waiting.judged->answer.wire);
  for (dns::Record record; walk.next(record);)
    must(record.type != dns::RrType::opt, "OPT was kept");
  must(walk.complete(), "an answer that cannot be read");
  must(walk.question() == waiting.ask.question, "an answer to another question");
}

void in_pieces(std::string_view octets, std::size_t piece, auto take) {
  for (std::size_t at = 0; at < octets.size(); at += piece) take(octets.substr(at, piece));
}

/// Three questions, as far as there is room, and what the upstream says: which of them have an
/// answer.
std::vector<bool> answered(std::string_view octets, std::size_t piece,
                           const test_support::MemoryLink::MakeCodec& make) {
  static test_support::UpstreamLoop loop;
  static const auto terms = test_support::doh_terms(test_support::doh_settings(), loop.context());
  static const transports::Ask asks[] = {test_support::ask_for("www.example"),
                                         test_support::ask_for("www.example"),
                                         test_support::ask_for("other.example")};
  test_support::MemoryLink link(terms, make);
  std::vector<std::unique_ptr<Waiting>> asked;
  for (const transports::Ask& ask : asks) {
    if (!link.takes_more()) break;
    link.send(
        *asked.emplace_back(std::make_unique<Waiting>(loop.loop().get_executor(), ask, true)));
  }
  link.said();
  in_pieces(octets, piece, [&](std::string_view some) {
    link.hear(some);
    link.said();
  });
  link.hear_end();
  std::vector<bool> found;
  for (const auto& each : asked) {
    must(each->done(), "still waiting, and the connection has ended");
    check(*each);
    found.push_back(each->judged.has_value());
  }
  return found;
}

std::unique_ptr<StreamCodec> http1(Link& link) {
  static const DohTarget target(test_support::doh_settings());
  return std::make_unique<transports::Http1Codec>(link, target);
}

std::unique_ptr<StreamCodec> http2(Link& link) {
  static const DohTarget target(test_support::doh_settings());
  static transports::http2::Memory memory;
  return std::make_unique<transports::Http2Codec>(link, target, memory);
}

bool connected(std::string_view octets, std::size_t piece) {
  using State = transports::ProxyAnswer::State;
  transports::ProxyAnswer answer;
  State state = State::wanted;
  in_pieces(octets, piece, [&](std::string_view some) {
    if (state == State::wanted) state = answer.take(base::as_bytes(some));
  });
  must((state == State::refused) == !answer.why().empty(), "refused without a reason");
  return state == State::connected;
}

}  // namespace

/// The first octet is the size of the pieces; HTTP/2 begins with SETTINGS, whose type is there.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{1} + data[0];
  const std::string_view octets = base::as_text({data + 1, size - 1});
  if (octets.size() > 3 && octets[3] == 4) {
    answered(octets, piece, http2);
    return 0;
  }
  must(answered(octets, piece, http1) == answered(octets, octets.size() + 1, http1),
       "the stream's pieces matter");
  // A proxy's last octet may come with something behind it, or without.
  if (connected(octets, octets.size() + 1)) must(connected(octets, piece), "pieces matter");
  return 0;
}
