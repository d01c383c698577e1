// DNS over HTTP, whatever the version: from a request as it arrives to a query or a status, and
// from an answer to a response. RFC 8484. A request is owned by its stream.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "conf/config.h"
#include "transports/http_message.h"
#include "transports/kept_octets.h"
#include "transports/query.h"

namespace transports {

inline constexpr std::string_view dns_message_type = "application/dns-message";

/// Method and target first, then header fields, then content, then finish(). What is of no use here
/// is not kept. Views are borrowed during the call alone.
class DohRequest {
 public:
  explicit DohRequest(OctetBudget& budget) : message_(budget) {}

  /// As new.
  void begin() {
    message_.clear();
    method_ = HttpMethod::other;
    refusal_ = 0;
    path_known_ = has_parameter_ = has_content_ = type_fits_ = false;
  }
  void method(std::string_view name) { method_ = http_method(name); }
  /// Path and query, in origin form (RFC 9112 §3.2.1).
  void target(std::string_view path_and_query, const conf::Doh& settings);
  /// `name` in any letter case.
  void field(std::string_view name, std::string_view value);
  void content(base::Bytes octets);
  /// More or larger header fields than HttpLimits allows; the rest of them need not be given.
  void too_many_fields() { refuse(431); }

  /// All has come. 0: message() is the query; else the status that refuses it.
  std::uint16_t finish();
  [[nodiscard]] base::Bytes message() const { return message_.all(); }
  [[nodiscard]] bool is_head() const { return method_ == HttpMethod::head; }

 private:
  void query(std::string_view text);
  void take_encoded(std::string_view text);
  void refuse(std::uint16_t status) {
    if (refusal_ == 0) refusal_ = status;
  }

  KeptOctets message_;
  HttpMethod method_ = HttpMethod::other;
  std::uint16_t refusal_ = 0;
  bool path_known_ = false;
  bool has_parameter_ = false;  // `dns=` in the query
  bool has_content_ = false;
  bool type_fits_ = false;
};

/// To an answer, be it SERVFAIL or NXDOMAIN (RFC 8484 §4.2.1). The body is `wire`.
HttpResponse doh_response(base::Bytes wire, const AnswerSummary& summary);
/// With a sentence for people as its body.
HttpResponse doh_refusal(std::uint16_t status);

}  // namespace transports
