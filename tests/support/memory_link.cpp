// MemoryLink, and what stands on both sides of it.
#include "tests/support/memory_link.h"

#include <array>
#include <utility>

#include "dns/request.h"
#include "tests/support/fake_upstream.h"

namespace test_support {

using transports::LinkEnd;
using transports::Reason;
using transports::Waiting;

MemoryLink::MemoryLink(std::shared_ptr<transports::LinkTerms> terms, const MakeCodec& make)
    : Link(std::move(terms)), codec_(make(*this)) {
  opened(false);
}

std::string MemoryLink::said() {
  std::string octets = std::exchange(last_words_, {});
  while (!closed()) {
    const base::Bytes next = codec_->next_to_write();
    if (next.empty()) break;
    octets += base::as_text(next);
    codec_->written(next.size());
  }
  return octets;
}

void MemoryLink::hear(std::string_view octets) {
  if (!closed()) codec_->take(base::as_bytes(octets));
}

void MemoryLink::hear_end() {
  if (!closed()) close(LinkEnd::peer, fail(Reason::closed, codec_->end_of_stream()));
}

void MemoryLink::disconnect() {
  codec_->say_goodbye();
  for (;;) {
    const base::Bytes next = codec_->next_to_write();
    if (next.empty()) return;
    last_words_ += base::as_text(next);
    codec_->written(next.size());
  }
}

conf::Upstream doh_settings(conf::DohMethod method) {
  conf::Upstream upstream;
  upstream.url = "https://192.0.2.53/dns-query#dns.test";
  upstream.protocol = conf::Protocol::doh;
  upstream.endpoint = {*base::Address::from_text("192.0.2.53"), 443};
  upstream.tls_name = "dns.test";
  upstream.path = "/dns-query";
  upstream.method = method;
  return upstream;
}

std::shared_ptr<transports::LinkTerms> doh_terms(const conf::Upstream& settings,
                                                 const transports::UpstreamContext& context) {
  return std::make_shared<transports::LinkTerms>(settings, context);
}

std::string reply_to(const Waiting& waiting, std::uint8_t last_octet) {
  std::array<std::uint8_t, Waiting::query_max> octets;
  Received query;
  query.wire.assign(octets.begin(),
                    octets.begin() + static_cast<std::ptrdiff_t>(waiting.compose({}, octets)));
  static_cast<void>(dns::parse_request(query.wire, query.request));
  return std::string(base::as_text(answer_to(query, last_octet)));
}

}  // namespace test_support
