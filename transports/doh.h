// DNS over HTTP, whatever the version: from a request as it arrives to a query or a status, and
// from an answer to a response. RFC 8484, and the JSON form of public resolvers. A request is owned
// by its stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "conf/config.h"
#include "transports/forwarded.h"
#include "transports/http_message.h"
#include "transports/kept_octets.h"
#include "transports/query.h"

namespace transports {

inline constexpr std::string_view dns_message_type = "application/dns-message";

/// Method and target first, then header fields, then content, then finish(). What is of no use here
/// is not kept. Views are borrowed during the call alone, `settings` until finish().
class DohRequest {
 public:
  explicit DohRequest(OctetBudget& budget) : message_(budget) {}

  /// As new. `believed`: who sends it is a reverse proxy, which says on whose behalf.
  void begin(const conf::Proxy* believed = nullptr);
  void method(std::string_view name) { facts_.method = http_method(name); }
  /// Path and query, in origin form (RFC 9112 §3.2.1).
  void target(std::string_view path_and_query, const conf::Doh& settings);
  /// `name` in any letter case.
  void field(std::string_view name, std::string_view value);
  void content(base::Bytes octets);
  /// More or larger header fields than HttpLimits allows; the rest of them need not be given.
  void too_many_fields() { refuse(431); }

  /// All has come. 0: message() is the query; else the status of a response that is no answer.
  std::uint16_t finish();
  [[nodiscard]] base::Bytes message() const { return message_.all(); }
  [[nodiscard]] bool is_head() const { return facts_.method == HttpMethod::head; }

  /// Whom the reverse proxy asks for, once the fields have come; nothing when it does not tell.
  [[nodiscard]] std::optional<base::Address> client() const {
    return told_ ? told_->client() : std::nullopt;
  }

  /// To an answer, be it SERVFAIL or NXDOMAIN (RFC 8484 §4.2.1). The body is `wire`; or `text`,
  /// when the client asked for JSON, which is written there.
  HttpResponse answer(base::Bytes wire, const AnswerSummary& summary, std::string& text) const;
  /// What finish() says, or 503 and others that are found later. `page` is for people.
  HttpResponse without_answer(std::uint16_t status, std::string_view page, std::string& text) const;

 private:
  enum class Place : std::uint8_t { nowhere, wire, json, page };

  void query(std::string_view text);
  void take_encoded(std::string_view text);
  void take_question(std::string_view text);
  void take_origin(std::string_view origin);
  [[nodiscard]] bool speaks_json() const;
  void dress(HttpResponse& response) const;
  void refuse(std::uint16_t status) {
    if (facts_.refusal == 0) facts_.refusal = status;
  }

  KeptOctets message_;
  std::optional<ForwardedFor> told_;
  ForwardedFor::Field told_in_ = ForwardedFor::Field::x_forwarded_for;
  const conf::Doh* settings_ = nullptr;
  std::string origin_;          // of the page that may read the response
  std::string_view complaint_;  // about the parameters of a question; a literal
  struct Facts {
    HttpMethod method = HttpMethod::other;
    Place place = Place::nowhere;
    std::uint16_t refusal = 0;
    bool has_parameter = false;  // `dns=` in the query
    bool has_question = false;   // `name=` in it, or it is where there should be one
    bool has_content = false;
    bool type_fits = false;
    bool accepts_json = false;
    bool origin_matters = false;  // another page might get another response
  };
  Facts facts_;
};

/// To an answer in wire format.
HttpResponse doh_response(base::Bytes wire, const AnswerSummary& summary);
/// With a sentence for people as its body; for requests that cannot be read, too.
HttpResponse doh_refusal(std::uint16_t status);

}  // namespace transports
