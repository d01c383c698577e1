// The DoH mapping.
#include "transports/doh.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "dns/json.h"
#include "transports/base64url.h"
#include "transports/json_question.h"

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
    {405, "this path does not take that method\n"},
    {408, "the request did not come to its end in time\n"},
    {413, "a DNS message has at most 65535 octets\n"},
    {414, "the target is too long; larger queries go by POST\n"},
    {415, "the content must be application/dns-message\n"},
    {431, "too many header fields, or too large\n"},
    {503, "too much is under way; try again\n"},
};

constexpr std::string_view text_type = "text/plain; charset=utf-8";
constexpr std::string_view page_type = "text/html; charset=utf-8";
constexpr std::uint32_t page_max_age = 3600;

/// Does the list of media types name it? Parameters, `q` among them, do not matter: nobody names
/// what it cannot read.
bool names_type(std::string_view list, std::string_view type) {
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(item.size() + 1, list.size()));
    if (equal_ignoring_case(trimmed(item.substr(0, item.find(';'))), type)) return true;
  }
  return false;
}

bool is_read(HttpMethod method) { return method == HttpMethod::get || method == HttpMethod::head; }

}  // namespace

void DohRequest::begin(const conf::Proxy* believed) {
  message_.clear();
  told_.reset();
  settings_ = nullptr;
  origin_.clear();
  complaint_ = {};
  facts_ = {};
  if (believed == nullptr) return;
  told_.emplace(believed->reverse_proxies);
  told_in_ = believed->field == "forwarded" ? ForwardedFor::Field::forwarded
                                            : ForwardedFor::Field::x_forwarded_for;
}

void DohRequest::target(std::string_view path_and_query, const conf::Doh& settings) {
  settings_ = &settings;
  if (path_and_query.size() > HttpLimits::target_size_max) return refuse(414);
  const std::size_t mark = path_and_query.find('?');
  const std::string_view path = path_and_query.substr(0, mark);
  if (std::ranges::contains(settings.paths, path)) {
    facts_.place = Place::wire;
  } else if (!settings.json_path.empty() && path == settings.json_path) {
    facts_.place = Place::json;
  } else if (settings.page && path == "/") {
    facts_.place = Place::page;
  }
  if (facts_.place == Place::wire || facts_.place == Place::json)
    query(mark == std::string_view::npos ? std::string_view{} : path_and_query.substr(mark + 1));
}

void DohRequest::query(std::string_view text) {
  bool has_name = false;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view parameter = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(parameter.size() + 1, rest.size()));
    has_name = has_name || parameter.starts_with("name=");
    constexpr std::string_view dns = "dns=";
    if (facts_.place != Place::wire || !parameter.starts_with(dns)) continue;
    if (facts_.has_parameter) return refuse(400);  // which one is meant?
    facts_.has_parameter = true;
    take_encoded(parameter.substr(dns.size()));
  }
  facts_.has_question = facts_.place == Place::json || (has_name && !facts_.has_parameter);
  if (facts_.has_question) take_question(text);
}

void DohRequest::take_question(std::string_view text) {
  const auto question = read_json_question(text);
  if (!question) {
    complaint_ = question.error();
    return refuse(400);
  }
  std::array<std::uint8_t, JsonQuestion::size_max> query{};
  if (!message_.append(base::Bytes{query}.first(question->compose(query)))) refuse(503);
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
    facts_.type_fits = equal_ignoring_case(type, dns_message_type);
  } else if (equal_ignoring_case(name, "content-length")) {
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), size);
    if (error == std::errc::result_out_of_range || size > dns::message_size_max) refuse(413);
  } else if (equal_ignoring_case(name, "accept")) {
    facts_.accepts_json = facts_.accepts_json || names_type(value, dns_json_type) ||
                          names_type(value, "application/json");
  } else if (equal_ignoring_case(name, "origin")) {
    take_origin(trimmed(value));
  } else if (told_) {
    const bool rfc = told_in_ == ForwardedFor::Field::forwarded;
    if (equal_ignoring_case(name, rfc ? "forwarded" : "x-forwarded-for"))
      told_->take(told_in_, value);
  }
}

/// Fetch standard, "CORS protocol": the origin that asks, if it may, or "*".
void DohRequest::take_origin(std::string_view origin) {
  if (settings_ == nullptr) return;
  const auto& allowed = settings_->cors_origins;
  if (std::ranges::contains(allowed, "*")) {
    origin_ = "*";
  } else if (std::ranges::contains(allowed, origin)) {
    origin_ = origin;
  }
}

void DohRequest::content(base::Bytes octets) {
  if (octets.empty()) return;
  facts_.has_content = true;
  if (facts_.method != HttpMethod::post || facts_.refusal != 0) return;
  if (message_.size() + octets.size() > dns::message_size_max) return refuse(413);
  if (!message_.append(octets)) refuse(503);
}

std::uint16_t DohRequest::finish() {
  if (facts_.refusal == 414 || facts_.refusal == 431)
    return facts_.refusal;  // nothing else of it may be known
  if (facts_.place == Place::nowhere) return 404;
  const auto& origins = settings_->cors_origins;
  facts_.origin_matters = !origins.empty() && !std::ranges::contains(origins, "*");
  if (facts_.method == HttpMethod::options && facts_.place != Place::page && !origins.empty())
    return 204;
  if (facts_.place == Place::page) return is_read(facts_.method) ? 200 : 405;
  switch (facts_.method) {
    case HttpMethod::post:
      if (facts_.place == Place::json) return 405;
      if (!facts_.type_fits) return 415;
      if ((facts_.has_parameter || facts_.has_question) &&
          (facts_.refusal == 0 || facts_.refusal == 400))
        return 400;
      break;
    case HttpMethod::get:
    case HttpMethod::head:
      // Content that nothing asks for has delayed other people's queries elsewhere
      // (CVE-2026-40208).
      if (facts_.refusal == 0 && ((!facts_.has_parameter && !speaks_json()) || facts_.has_content))
        return 400;
      break;
    case HttpMethod::options:
    case HttpMethod::other: return 405;
  }
  if (facts_.refusal == 0 && message_.size() == 0) return 400;
  return facts_.refusal;
}

/// Where wire format is asked, JSON is for clients that say they want it.
bool DohRequest::speaks_json() const {
  return facts_.has_question && is_read(facts_.method) &&
         (facts_.place == Place::json || facts_.accepts_json);
}

/// What depends on who asked, and how.
void DohRequest::dress(HttpResponse& response) const {
  const bool accept_matters = facts_.place == Place::wire && facts_.has_question;
  if (accept_matters) response.vary = facts_.origin_matters ? "accept, origin" : "accept";
  if (!accept_matters && facts_.origin_matters) response.vary = "origin";
  response.allow_origin = origin_;
  response.body_left_out = is_head();
}

HttpResponse DohRequest::answer(base::Bytes wire, const AnswerSummary& summary,
                                std::string& text) const {
  HttpResponse response = doh_response(wire, summary);
  if (speaks_json()) {
    text = dns::message_to_json(wire);
    response.content_type = dns_json_type;
    response.nosniff = true;
    response.body = base::as_bytes(text);
  }
  dress(response);
  return response;
}

HttpResponse DohRequest::without_answer(std::uint16_t status, std::string_view page,
                                        std::string& text) const {
  HttpResponse response = doh_refusal(status);
  const std::string_view allow = facts_.place == Place::wire ? "GET, HEAD, POST" : "GET, HEAD";
  if (status == 405) response.allow = allow;
  if (status == 204) {
    response.content_type = {};
    response.nosniff = false;
    response.allow = allow;
    response.preflight = true;
  } else if (status == 200) {
    response.content_type = page_type;
    response.max_age = page_max_age;
    response.page = true;
    response.body = base::as_bytes(page);
  } else if (speaks_json()) {
    std::string_view sentence = base::as_text(response.body);
    if (sentence.ends_with('\n')) sentence.remove_suffix(1);
    text = json_error(complaint_.empty() ? sentence : complaint_);
    response.content_type = dns_json_type;
    response.body = base::as_bytes(text);
  }
  dress(response);
  return response;
}

HttpResponse doh_response(base::Bytes wire, const AnswerSummary& summary) {
  HttpResponse response;
  response.content_type = dns_message_type;
  // RFC 8484 §5.1. Without it, a cache might make a lifetime up (RFC 9111 §4.2.2).
  response.max_age = summary.least_ttl;
  response.body = wire;
  return response;
}

HttpResponse doh_refusal(std::uint16_t status) {
  HttpResponse response;
  response.status = status;
  response.content_type = text_type;
  response.nosniff = true;
  const auto* const found = std::ranges::find(sentences, status, &Sentence::status);
  if (found != std::end(sentences)) response.body = base::as_bytes(found->text);
  return response;
}

}  // namespace transports
