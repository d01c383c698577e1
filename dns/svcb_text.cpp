// SvcParams for people's eyes. RFC 9460 §2.1.
#include "dns/svcb_text.h"

#include <array>
#include <optional>
#include <string_view>

#include "dns/encoding.h"

namespace dns {
namespace {

/// A value as text, or nothing when it is malformed.
using Present = std::optional<std::string> (*)(base::Bytes value);

struct KeyRow {
  std::string_view name;
  Present present;
};

std::string key_name(std::uint16_t key);

template <class Item>
std::string joined(base::Bytes value, std::size_t size, Item item) {
  std::string text;
  for (; !value.empty(); value = value.subspan(size)) {
    if (!text.empty()) text += ',';
    text += item(value.first(size));
  }
  return '"' + text + '"';
}

bool is_list_of(base::Bytes value, std::size_t size) {
  return !value.empty() && value.size() % size == 0;
}

std::optional<std::string> keys(base::Bytes value) {
  if (!is_list_of(value, 2)) return std::nullopt;
  return joined(value, 2, [](base::Bytes key) { return key_name(base::load_u16(key.data())); });
}

std::optional<std::string> numbers(base::Bytes value) {
  if (!is_list_of(value, 2)) return std::nullopt;
  return joined(value, 2,
                [](base::Bytes number) { return std::to_string(base::load_u16(number.data())); });
}

std::optional<std::string> port(base::Bytes value) {
  if (value.size() != 2) return std::nullopt;
  return std::to_string(base::load_u16(value.data()));
}

template <std::size_t Size>
std::optional<std::string> addresses(base::Bytes value) {
  if (!is_list_of(value, Size)) return std::nullopt;
  return joined(value, Size, address_to_text);
}

std::optional<std::string> nothing(base::Bytes value) {
  if (!value.empty()) return std::nullopt;
  return std::string{};
}

std::optional<std::string> base64(base::Bytes value) { return '"' + to_base64(value) + '"'; }
std::optional<std::string> text(base::Bytes value) { return quoted(value); }

/// Names with a length octet each; commas and backslashes in them are escaped twice (RFC 9460
/// appendix A.1).
std::optional<std::string> alpn(base::Bytes value) {
  std::string list;
  if (value.empty()) return std::nullopt;
  while (!value.empty()) {
    const std::size_t whole = std::size_t{1} + value[0];
    if (whole == 1 || whole > value.size()) return std::nullopt;
    if (!list.empty()) list += ',';
    for (const std::uint8_t octet : value.subspan(1, whole - 1)) {
      if (octet == ',' || octet == '\\') list += '\\';
      list += static_cast<char>(octet);
    }
    value = value.subspan(whole);
  }
  return quoted(base::as_bytes(list));
}

/// By key number. RFC 9460 §14.3.2, RFC 9461 §5 (7), RFC 9540 §6 (8), RFC 9848 §4 (5).
constexpr std::array<KeyRow, 10> key_rows{{
    {"mandatory", keys},
    {"alpn", alpn},
    {"no-default-alpn", nothing},
    {"port", port},
    {"ipv4hint", addresses<4>},
    {"ech", base64},
    {"ipv6hint", addresses<16>},
    {"dohpath", text},
    {"ohttp", nothing},
    {"tls-supported-groups", numbers},
}};

std::string key_name(std::uint16_t key) {
  return key < key_rows.size() ? std::string{key_rows[key].name} : "key" + std::to_string(key);
}

std::string param_to_text(std::uint16_t key, base::Bytes value) {
  if (key < key_rows.size()) {
    if (const auto known = key_rows[key].present(value)) {
      return known->empty() ? std::string{key_rows[key].name}
                            : std::string{key_rows[key].name} + '=' + *known;
    }
  }
  const std::string number = "key" + std::to_string(key);
  return value.empty() ? number : number + '=' + quoted(value);
}

}  // namespace

std::string svc_params_to_text(base::Bytes params) {
  std::string text;
  while (!params.empty()) {
    const std::size_t size = base::load_u16(&params[2]);
    if (!text.empty()) text += ' ';
    text += param_to_text(base::load_u16(params.data()), params.subspan(4, size));
    params = params.subspan(4 + size);
  }
  return text;
}

}  // namespace dns
