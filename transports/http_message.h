// What HTTP/1.1, HTTP/2 and HTTP/3 have in common: a method, and a response with its header fields.
// RFC 9110. Values; the octets they look at are their maker's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace transports {

enum class HttpMethod : std::uint8_t { get, head, post, options, other };
/// RFC 9110 §9.1: letter case counts.
HttpMethod http_method(std::string_view name);

/// What one request may bring along, whatever it is spoken over.
struct HttpLimits {
  /// Names and values as decoded, 32 octets more for each field (RFC 9113 §6.5.2). Beyond it: 431.
  static constexpr std::size_t fields_size_max = 16 * 1024;
  static constexpr std::size_t fields_max = 100;
  /// RFC 9110 §4.1 wants 8,000 at least. Beyond it: 414.
  static constexpr std::size_t target_size_max = 8 * 1024;
  static constexpr std::size_t field_overhead = 32;
  /// Clients that ask for a hundred names and change their mind about all of them are not unheard
  /// of; thousands a second are (CVE-2023-44487, CVE-2025-8671).
  static constexpr std::uint32_t resets_at_once = 500;
  static constexpr std::uint32_t resets_each_second = 50;
};

/// Counts the fields of one message as they come: each costs a peer one octet, and us its whole
/// size.
class FieldTally {
 public:
  enum class Verdict : std::uint8_t {
    fits,
    too_many,  ///< with this one
    left_out,  ///< they were too many before it
    hostile,   ///< beyond all bounds (CVE-2026-49975)
  };
  Verdict add(std::string_view name, std::string_view value);
  void begin() { *this = {}; }

 private:
  std::uint32_t count_ = 0;
  std::uint32_t size_ = 0;
};

struct HttpResponse {
  std::uint16_t status = 200;
  std::string_view content_type;  ///< a literal; empty: none, and no content either
  std::string_view allow;         ///< a literal; for 405 (RFC 9110 §15.5.6)
  std::optional<std::uint32_t> max_age{};
  base::Bytes body;
  std::string_view vary;         ///< a literal: which fields of the request it depends on (§12.5.5)
  std::string_view alternative;  ///< where else we are (RFC 7838 §3); valid for good
  std::string_view allow_origin;  ///< of the page that may read it; valid as long as the body
  bool nosniff = false;    ///< a browser might take it for something else (fetch.spec, "nosniff")
  bool preflight = false;  ///< tells a browser what scripts may send (fetch.spec, "CORS")
  bool page = false;       ///< to be shown: nothing is loaded, framed, or told to others
  bool body_left_out = false;  ///< to HEAD: the body's size is told, the body is not (§9.3.2)
};

/// RFC 9110 §15: "Not Found".
std::string_view http_reason(std::uint16_t status);

struct HttpField {
  std::string_view name;   ///< a literal, in lower case
  std::string_view value;  ///< valid as long as the HttpFields, or for good if `lasting`
  bool lasting = false;
};

/// The header fields of a response, the status excepted. No heap.
class HttpFields {
 public:
  explicit HttpFields(const HttpResponse& response);
  HttpFields(const HttpFields&) = delete;
  HttpFields& operator=(const HttpFields&) = delete;
  [[nodiscard]] std::span<const HttpField> all() const { return {fields_.data(), size_}; }

 private:
  void add(std::string_view name, std::string_view value, bool lasting);
  std::string_view number(std::string_view before, std::uint64_t value);

  static constexpr std::size_t fields_most = 14;
  std::array<HttpField, fields_most> fields_;
  std::size_t size_ = 0;
  std::array<char, 64> text_;
  std::size_t text_used_ = 0;
};

/// ASCII alone, as HTTP's names are compared (RFC 9110 §5.1).
bool equal_ignoring_case(std::string_view left, std::string_view right);
/// Without spaces and tabs around it (RFC 9110 §5.6.3).
std::string_view trimmed(std::string_view text);

}  // namespace transports
