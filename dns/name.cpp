// Reading, comparing and printing domain names. RFC 1035 §3.1, §4.1.4, §5.1; RFC 4343 §3.
#include "dns/name.h"

#include <algorithm>

namespace dns {
namespace {

/// More pointers than a name can have labels only ever point at each other.
constexpr std::size_t pointers_max = 127;

/// Hands each label, length octet included, to `keep`; the last one is the root's.
template <class Keep>
std::size_t walk_name(base::Bytes message, std::size_t offset, Keep keep) {
  std::size_t behind = 0;        // the name's end, known at the first pointer
  std::size_t size = 0;          // without compression
  std::size_t ceiling = offset;  // the next pointer has to lead below
  std::size_t pointers = 0;
  for (std::size_t at = offset; at < message.size();) {
    const std::uint8_t length = message[at];
    if (length <= label_size_max) {
      const std::size_t whole = std::size_t{1} + length;
      size += whole;
      if (size > name_size_max || whole > message.size() - at) return 0;
      keep(message.subspan(at, whole));
      at += whole;
      if (length == 0) return behind != 0 ? behind : at;
      continue;
    }
    if (length < 0xC0 || message.size() - at < 2) return 0;  // 01 and 10 are reserved
    const std::size_t target = base::load_u16(&message[at]) & 0x3FFFU;
    if (target < header_size || target >= ceiling || ++pointers > pointers_max) return 0;
    if (behind == 0) behind = at + 2;
    ceiling = at = target;
  }
  return 0;
}

bool is_bare(std::uint8_t octet) {
  return octet > ' ' && octet < 0x7F && octet != '.' && octet != '\\' && octet != '"' &&
         octet != ';' && octet != '(' && octet != ')' && octet != '@' && octet != '$';
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

/// One octet of a label, escapes undone (RFC 1035 §5.1), taken from the front of `text`.
std::optional<std::uint8_t> take_octet(std::string_view& text) {
  if (text[0] != '\\') {
    const auto octet = static_cast<std::uint8_t>(text[0]);
    text.remove_prefix(1);
    return octet;
  }
  if (text.size() >= 4 && is_digit(text[1]) && is_digit(text[2]) && is_digit(text[3])) {
    const int value = (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    text.remove_prefix(4);
    if (value > 255) return std::nullopt;
    return static_cast<std::uint8_t>(value);
  }
  if (text.size() < 2 || is_digit(text[1])) return std::nullopt;
  const auto octet = static_cast<std::uint8_t>(text[1]);
  text.remove_prefix(2);
  return octet;
}

}  // namespace

std::size_t read_name(base::Bytes message, std::size_t offset, Name& out) {
  std::size_t size = 0;
  const std::size_t behind = walk_name(message, offset, [&](base::Bytes label) {
    std::memcpy(&out.wire_[size], label.data(), label.size());
    size += label.size();
  });
  out.size_ = static_cast<std::uint8_t>(size);
  return behind;
}

std::size_t skip_name(base::Bytes message, std::size_t offset) {
  return walk_name(message, offset, [](base::Bytes) {});
}

std::size_t skip_plain_name(base::Bytes message, std::size_t offset) {
  const std::uint8_t* const octets = message.data();  // fit() passes here for every answer
  std::size_t at = offset;
  while (at < message.size() && octets[at] != 0) {
    if (octets[at] > label_size_max) return 0;
    at += std::size_t{1} + octets[at];
  }
  return at < message.size() && at - offset < name_size_max ? at + 1 : 0;
}

std::size_t NameView::label_count() const {
  std::size_t count = 0;
  for (NameView rest = *this; !rest.is_root(); rest = rest.parent()) ++count;
  return count;
}

NameView NameView::parent() const {
  return is_root() ? *this : NameView{wire_.subspan(std::size_t{1} + wire_[0])};
}

bool NameView::is_at_or_below(NameView ancestor) const {
  if (ancestor.is_root()) return true;
  NameView rest = *this;
  while (rest.size() > ancestor.size()) rest = rest.parent();
  return rest == ancestor;
}

std::string NameView::to_text() const {
  if (is_root()) return ".";
  std::string text;
  text.reserve(wire_.size());
  for (NameView rest = *this; !rest.is_root(); rest = rest.parent()) {
    for (const std::uint8_t octet : rest.wire_.subspan(1, rest.wire_[0])) {
      if (is_bare(octet)) {
        text += static_cast<char>(octet);
      } else if (octet > ' ' && octet < 0x7F) {
        text += {'\\', static_cast<char>(octet)};
      } else {
        text += {'\\', static_cast<char>('0' + octet / 100),
                 static_cast<char>('0' + octet / 10 % 10), static_cast<char>('0' + octet % 10)};
      }
    }
    text += '.';
  }
  return text;
}

bool operator==(NameView left, NameView right) {
  if (left.is_root() || right.is_root()) return left.is_root() && right.is_root();
  return std::ranges::equal(left.wire_, right.wire_, {}, to_lower, to_lower);
}

bool same_case(NameView left, NameView right) {
  if (left.is_root() || right.is_root()) return left.is_root() && right.is_root();
  return std::ranges::equal(left.wire(), right.wire());
}

std::optional<Name> Name::from_text(std::string_view text) {
  Name name;
  if (text == ".") return name;
  if (text.empty()) return std::nullopt;
  std::size_t size = 0;  // of the labels that are finished
  while (!text.empty()) {
    std::size_t length = 0;
    while (!text.empty() && text[0] != '.') {
      const auto octet = take_octet(text);
      // Room for the length octet, this one, and the root behind it.
      if (!octet || length == label_size_max || size + length + 2 >= name_size_max)
        return std::nullopt;
      name.wire_[size + 1 + length++] = *octet;
    }
    if (length == 0) return std::nullopt;
    name.wire_[size] = static_cast<std::uint8_t>(length);
    size += 1 + length;
    if (!text.empty()) text.remove_prefix(1);
  }
  name.wire_[size] = 0;
  name.size_ = static_cast<std::uint8_t>(size + 1);
  return name;
}

}  // namespace dns
