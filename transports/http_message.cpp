// Methods, reasons, and the header fields of a response.
#include "transports/http_message.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace transports {

namespace {

/// A page of ours has its style inside, and nothing else.
constexpr std::string_view page_policy =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

HttpMethod http_method(std::string_view name) {
  if (name == "GET") return HttpMethod::get;
  if (name == "POST") return HttpMethod::post;
  if (name == "HEAD") return HttpMethod::head;
  if (name == "OPTIONS") return HttpMethod::options;
  return HttpMethod::other;
}

std::string_view http_reason(std::uint16_t status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

FieldTally::Verdict FieldTally::add(std::string_view name, std::string_view value) {
  // Whoever sends so much more than is of any use means harm.
  constexpr std::size_t size_hostile = 8 * HttpLimits::fields_size_max;
  constexpr std::size_t count_hostile = 10 * HttpLimits::fields_max;
  const auto fit = [this] {
    return count_ <= HttpLimits::fields_max && size_ <= HttpLimits::fields_size_max;
  };
  const bool had_fitted = fit();
  ++count_;
  size_ += static_cast<std::uint32_t>(name.size() + value.size() + HttpLimits::field_overhead);
  if (count_ > count_hostile || size_ > size_hostile) return Verdict::hostile;
  if (fit()) return Verdict::fits;
  return had_fitted ? Verdict::too_many : Verdict::left_out;
}

HttpFields::HttpFields(const HttpResponse& response) {
  if (!response.content_type.empty()) add("content-type", response.content_type, true);
  if (response.nosniff) add("x-content-type-options", "nosniff", true);
  // RFC 9110 §8.6: not where there is no content.
  if (response.status != 204) add("content-length", number("", response.body.size()), false);
  if (response.max_age) add("cache-control", number("max-age=", *response.max_age), false);
  if (!response.allow.empty()) add("allow", response.allow, true);
  if (!response.vary.empty()) add("vary", response.vary, true);
  if (response.status == 503) add("retry-after", "1", true);
  if (response.page) {
    add("content-security-policy", page_policy, true);
    add("referrer-policy", "no-referrer", true);
  }
  if (!response.alternative.empty()) add("alt-svc", response.alternative, true);
  if (response.allow_origin.empty()) return;
  add("access-control-allow-origin", response.allow_origin, false);
  if (!response.preflight) return;
  add("access-control-allow-methods", "GET, HEAD, POST", true);
  add("access-control-allow-headers", "content-type, accept", true);
  add("access-control-max-age", "86400", true);
}

void HttpFields::add(std::string_view name, std::string_view value, bool lasting) {
  fields_[size_++] = {name, value, lasting};
}

std::string_view HttpFields::number(std::string_view before, std::uint64_t value) {
  char* const begin = text_.data() + text_used_;
  std::memcpy(begin, before.data(), before.size());
  char* const end = std::to_chars(begin + before.size(), text_.data() + text_.size(), value).ptr;
  text_used_ = static_cast<std::size_t>(end - text_.data());
  return {begin, end};
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) { return to_lower(a) == to_lower(b); });
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace transports
