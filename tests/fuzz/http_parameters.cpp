// Fuzz target: what strangers write into URLs and proxies into header fields. A question that is
// taken makes a sound query; no address comes out of a chain that is not in it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "transports/forwarded.h"
#include "transports/json_question.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void ask(std::string_view text) {
  const auto question = transports::read_json_question(text);
  if (!question) return require(!question.error().empty());
  std::vector<std::uint8_t> query(transports::JsonQuestion::size_max);
  query.resize(question->compose(query));
  dns::Request request;
  require(dns::parse_request(query, request) == dns::Verdict::accept);
  require(request.question == question->question);
  require(request.edns.dnssec_ok == question->dnssec_ok);
}

void forward(std::string_view text) {
  using transports::ForwardedFor;
  const std::vector<base::Prefix> proxies{*base::Prefix::from_text("10.0.0.0/8")};
  for (const auto field : {ForwardedFor::Field::x_forwarded_for, ForwardedFor::Field::forwarded}) {
    ForwardedFor chain(proxies);
    chain.take(field, text);
    require(!chain.client() || text.contains('.') || text.contains(':'));
    // A nearer hop that is nobody's of ours is the client, whatever stood there before.
    chain.take(field, field == ForwardedFor::Field::forwarded ? "for=192.0.2.1" : "192.0.2.1");
    require(chain.client() == base::Address::from_text("192.0.2.1"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  ask(text);
  forward(text);
  return 0;
}
