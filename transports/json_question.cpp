// Parameters of a URL as a question. RFC 3986 §2.1, RFC 1035 §5.1.
#include "transports/json_question.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <format>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "dns/compose.h"

namespace transports {

namespace {

// Every octet of a name as "\DDD", percent-encoded.
constexpr std::size_t value_size_max = dns::name_size_max * 4;

/// A parameter's value, decoded.
struct Value {
  std::array<char, value_size_max> text;
  std::size_t size = 0;
  bool sound = false;

  [[nodiscard]] std::string_view view() const { return {text.data(), size}; }
};

std::optional<unsigned> hexadecimal(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char lower = static_cast<char>(digit | 0x20);
  if (lower >= 'a' && lower <= 'f') return lower - 'a' + 10;
  return std::nullopt;
}

Value decoded(std::string_view text) {
  Value value;
  while (!text.empty()) {
    if (value.size == value.text.size()) return value;
    if (text.front() != '%') {
      value.text[value.size++] = text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto high = text.size() >= 3 ? hexadecimal(text[1]) : std::nullopt;
    const auto low = text.size() >= 3 ? hexadecimal(text[2]) : std::nullopt;
    if (!high || !low) return value;
    value.text[value.size++] = static_cast<char>((*high << 4U) | *low);
    text.remove_prefix(3);
  }
  value.sound = true;
  return value;
}

using Complaint = std::optional<std::string_view>;

Complaint read_name(const Value& value, JsonQuestion& out) {
  const std::string_view text = value.view();
  if (!value.sound || text.empty()) return "`name` is not a domain name";
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) > 0x7e; }))
    return "`name` is not ASCII: write it in the form that begins with xn--";
  auto name = dns::Name::from_text(text);
  if (!name) return "`name` is not a domain name";
  out.question.name = *name;
  return std::nullopt;
}

/// Not 0, which is no type, nor 41, which only stands in messages (RFC 6895 §3.1).
Complaint read_type(const Value& value, JsonQuestion& out) {
  const std::string_view text = value.view();
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc{} && end == text.data() + text.size();
  const auto type = is_number ? std::optional{dns::RrType{number}} : dns::type_from_text(text);
  if (!value.sound || !type || *type == dns::RrType::none || *type == dns::RrType::opt)
    return "`type` is neither the name of a record type nor a number from 1 to 65535";
  out.question.type = *type;
  return std::nullopt;
}

Complaint read_flag(const Value& value, bool& out) {
  const std::string_view text = value.view();
  if (text == "1" || text == "true") {
    out = true;
  } else if (text == "0" || text == "false") {
    out = false;
  } else {
    return "`do` and `cd` are 0, 1, true or false";
  }
  return std::nullopt;
}

}  // namespace

std::expected<JsonQuestion, std::string_view> read_json_question(std::string_view url_query) {
  JsonQuestion out;
  out.question.type = dns::RrType::a;
  constexpr std::array<std::string_view, 4> known{"name", "type", "do", "cd"};
  std::array<bool, known.size()> seen{};
  while (!url_query.empty()) {
    const std::string_view parameter = url_query.substr(0, url_query.find('&'));
    url_query.remove_prefix(std::min(parameter.size() + 1, url_query.size()));
    const std::string_view key = parameter.substr(0, parameter.find('='));
    const auto index = static_cast<std::size_t>(std::ranges::find(known, key) - known.begin());
    if (index == known.size()) continue;
    if (std::exchange(seen[index], true)) return std::unexpected("a parameter is there twice");
    const Value value = decoded(parameter.substr(std::min(key.size() + 1, parameter.size())));
    Complaint complaint;
    switch (index) {
      case 0: complaint = read_name(value, out); break;
      case 1: complaint = read_type(value, out); break;
      case 2: complaint = read_flag(value, out.dnssec_ok); break;
      default: complaint = read_flag(value, out.checking_disabled);
    }
    if (complaint) return std::unexpected(*complaint);
  }
  if (!seen[0]) return std::unexpected("the parameter `name` is missing");
  return out;
}

/// With EDNS, for the sake of extended errors, and with AD, which the JSON tells (RFC 6840 §5.7).
std::size_t JsonQuestion::compose(base::MutableBytes out) const {
  dns::OutgoingOptions options;
  options.checking_disabled = checking_disabled;
  options.dnssec_ok = dnssec_ok;
  options.authentic_data = true;
  return dns::compose_query(question, options, out);
}

std::string json_error(std::string_view sentence) {
  return std::format("{{\"error\":{}}}\n", base::json_quoted(sentence));
}

}  // namespace transports
