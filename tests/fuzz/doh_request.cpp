// Fuzz target: a DoH request as any version of HTTP hands it over: method, target, fields, content.
// It ends as a query of some octets or as a status that is known, whatever came; the budget has
// everything back; base64url goes there and back.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "dns/message.h"
#include "transports/base64url.h"
#include "transports/doh.h"

namespace {

using transports::DohRequest;
using transports::HttpResponse;

void require(bool holds) {
  if (!holds) std::abort();
}

/// What stands before `mark`; it and the mark are taken off.
std::string_view before(std::string_view& text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  const std::string_view found = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + mark.size());
  return found;
}

void look_at(const HttpResponse& response) {
  require(response.status == 200 || transports::http_reason(response.status) != "Unknown");
  require(response.content_type.empty() == (response.status == 204));
  for (const transports::HttpField& field : transports::HttpFields(response).all()) {
    require(!field.name.empty());
    require(field.value.find_first_of("\r\n") == std::string_view::npos);
    require(!field.value.contains('\0'));
  }
}

const conf::Doh& settings() {
  static const conf::Doh made = [] {
    conf::Doh doh;
    doh.paths = {"/dns-query", "/p"};
    doh.cors_origins = {"https://app.example"};
    return doh;
  }();
  return made;
}

const conf::Proxy& proxy(bool rfc) {
  static const std::array<conf::Proxy, 2> made = [] {
    std::array<conf::Proxy, 2> both;
    for (conf::Proxy& each : both) each.reverse_proxies = {*base::Prefix::from_text("10.0.0.0/8")};
    both[1].field = "forwarded";
    return both;
  }();
  return made[rfc ? 1 : 0];
}

/// "METHOD target", lines of fields, an empty line, the content in two pieces.
void ask(std::string_view text, transports::OctetBudget& budget) {
  DohRequest request(budget);
  const std::string_view method = before(text, " ");
  request.begin(&proxy(method.size() % 2 == 0));
  request.method(method);
  request.target(before(text, "\n"), settings());
  while (!text.empty() && text.front() != '\n') {
    std::string_view line = before(text, "\n");
    const std::string_view name = before(line, ": ");
    request.field(name, line);
  }
  if (!text.empty()) text.remove_prefix(1);
  const base::Bytes content = base::as_bytes(text);
  request.content(content.first(content.size() / 3));
  request.content(content.subspan(content.size() / 3));

  const std::uint16_t status = request.finish();
  std::string body;
  if (status != 0) return look_at(request.without_answer(status, "<!doctype html>", body));
  require(request.message().size() > 0 && request.message().size() <= dns::message_size_max);
  look_at(request.answer(request.message(), {.least_ttl = 4'000'000'000}, body));
  look_at(request.without_answer(503, "", body));
}

void encode(base::Bytes octets) {
  std::string text(transports::base64url_size(octets.size()), '\0');
  transports::to_base64url(octets, text.data());
  std::vector<std::uint8_t> again(*transports::base64url_octets(text.size()));
  require(transports::from_base64url(text, again));
  require(std::ranges::equal(again, octets));
}

void decode(std::string_view text) {
  const auto size = transports::base64url_octets(text.size());
  if (!size) return;
  std::vector<std::uint8_t> octets(*size);
  if (!transports::from_base64url(text, octets)) return;
  require(text.find_first_of("+/=%") == std::string_view::npos);
  require(transports::base64url_size(octets.size()) == text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::as_text({data, size});
  transports::OctetBudget budget;
  const std::size_t before_it = budget.taken();
  ask(text, budget);
  require(budget.taken() == before_it);
  encode({data, size});
  decode(text.substr(0, text.find('\n')));
  return 0;
}
