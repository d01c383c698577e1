// The DoH mapping.
#include "transports/doh.h"

#include <algorithm>
#include <charconv>

#include "transports/base64url.h"

namespace transports {

namespace {

constexpr std::size_t encoded_size_max = base64url_size(dns::message_size_max);

struct Sentence {
  std::uint16_t status;
  std::string_view text;
};
constexpr Sentence sentences[] = {
    {400, "this is no DNS query (RFC 8484)\n"},
    {404, "there is nothing here; DNS is asked at the path of this server's URI template\n"},
    {405, "this path takes GET, HEAD and POST\n"},
    {408, "the request did not come to its end in time\n"},
    {413, "a DNS message has at most 65535 octets\n"},
    {414, "the target is too long; larger queries go by POST\n"},
    {415, "the content must be application/dns-message\n"},
    {431, "too many header fields, or too large\n"},
    {503, "too much is under way; try again\n"},
};

}  // namespace

void DohRequest::target(std::string_view path_and_query, const conf::Doh& settings) {
  if (path_and_query.size() > HttpLimits::target_size_max) return refuse(414);
  const std::size_t mark = path_and_query.find('?');
  const std::string_view path = path_and_query.substr(0, mark);
  path_known_ = std::ranges::contains(settings.paths, path);
  if (path_known_ && mark != std::string_view::npos) query(path_and_query.substr(mark + 1));
}

void DohRequest::query(std::string_view text) {
  while (!text.empty()) {
    const std::string_view parameter = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(parameter.size() + 1, text.size()));
    constexpr std::string_view dns = "dns=";
    if (!parameter.starts_with(dns)) continue;
    if (has_parameter_) return refuse(400);  // which one is meant?
    has_parameter_ = true;
    take_encoded(parameter.substr(dns.size()));
  }
}

/// The size of the text is judged before anything is decoded.
void DohRequest::take_encoded(std::string_view text) {
  if (text.size() > encoded_size_max) return refuse(414);
  const std::optional<std::size_t> size = base64url_octets(text.size());
  if (!size || *size == 0) return refuse(400);
  const base::MutableBytes space = message_.extend(*size);
  if (space.empty()) return refuse(503);
  if (!from_base64url(text, space)) refuse(400);
}

void DohRequest::field(std::string_view name, std::string_view value) {
  if (equal_ignoring_case(name, "content-type")) {
    const std::string_view type = trimmed(value.substr(0, value.find(';')));
    type_fits_ = equal_ignoring_case(type, dns_message_type);
  } else if (equal_ignoring_case(name, "content-length")) {
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), size);
    if (error == std::errc::result_out_of_range || size > dns::message_size_max) refuse(413);
  }
}

void DohRequest::content(base::Bytes octets) {
  if (octets.empty()) return;
  has_content_ = true;
  if (method_ != HttpMethod::post || refusal_ != 0) return;
  if (message_.size() + octets.size() > dns::message_size_max) return refuse(413);
  if (!message_.append(octets)) refuse(503);
}

std::uint16_t DohRequest::finish() {
  if (refusal_ == 414 || refusal_ == 431) return refusal_;  // nothing else of it may be known
  if (!path_known_) return 404;
  switch (method_) {
    case HttpMethod::post:
      if (!type_fits_) return 415;
      if (has_parameter_ && refusal_ == 0) return 400;
      break;
    case HttpMethod::get:
    case HttpMethod::head:
      // Content that nothing asks for has delayed other people's queries elsewhere
      // (CVE-2026-40208).
      if (refusal_ == 0 && (!has_parameter_ || has_content_)) return 400;
      break;
    case HttpMethod::options:
    case HttpMethod::other: return 405;
  }
  if (refusal_ == 0 && message_.size() == 0) return 400;
  return refusal_;
}

HttpResponse doh_response(base::Bytes wire, const AnswerSummary& summary) {
  // RFC 8484 §5.1. Without it, a cache might make a lifetime up (RFC 9111 §4.2.2).
  return {
      .content_type = dns_message_type, .allow = {}, .max_age = summary.least_ttl, .body = wire};
}

HttpResponse doh_refusal(std::uint16_t status) {
  const auto* const found = std::ranges::find(sentences, status, &Sentence::status);
  HttpResponse response{.status = status, .content_type = "text/plain", .allow = {}, .body = {}};
  if (found != std::end(sentences)) response.body = base::as_bytes(found->text);
  if (status == 405) response.allow = "GET, HEAD, POST";
  return response;
}

}  // namespace transports
