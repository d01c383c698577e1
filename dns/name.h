// Domain names in uncompressed wire format. RFC 1035 §2.3.4, §3.1; comparison RFC 4343 §3; text RFC
// 1035 §5.1.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace dns {

inline constexpr std::size_t name_size_max = 255;
inline constexpr std::size_t label_size_max = 63;
/// A message's header (RFC 1035 §4.1.1). No name begins inside it.
inline constexpr std::size_t header_size = 12;

/// ASCII only, as RFC 4343 §3 demands: octets above 127 stay as they are. A label's length octet
/// (0 to 63) is never an upper-case letter, so a whole wire name may be lowered octet by octet.
constexpr std::uint8_t to_lower(std::uint8_t octet) {
  return static_cast<std::uint8_t>(octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet);
}

/// A well-formed name somebody else owns: labels and the root's zero octet, 1 to 255 octets.
class NameView {
 public:
  constexpr NameView() = default;
  /// `wire` must be a whole well-formed uncompressed name; whoever parsed it vouches for that.
  constexpr explicit NameView(base::Bytes wire) : wire_(wire) {}

  [[nodiscard]] constexpr base::Bytes wire() const { return wire_; }
  [[nodiscard]] constexpr std::size_t size() const { return wire_.size(); }
  [[nodiscard]] constexpr bool is_root() const { return wire_.size() <= 1; }
  /// Labels without the root: "www.example." has 2.
  [[nodiscard]] std::size_t label_count() const;
  /// The name without its leftmost label; the root's parent is the root.
  [[nodiscard]] NameView parent() const;
  /// True for the name itself, too.
  [[nodiscard]] bool is_at_or_below(NameView ancestor) const;
  /// Presentation format with a final dot, "\DDD" for what is not printable.
  [[nodiscard]] std::string to_text() const;

  /// Case-insensitive (RFC 4343 §3).
  friend bool operator==(NameView left, NameView right);

 private:
  base::Bytes wire_;
};

/// Octet by octet: 0x20 and "keep the query's case" need it.
bool same_case(NameView left, NameView right);

/// A name with its own memory, no heap: 256 octets.
class Name {
 public:
  /// The root. Only the octets in use are ever written: a hot path makes one of these per packet.
  Name() { wire_[0] = 0; }  // NOLINT(cppcoreguidelines-pro-type-member-init)
  explicit Name(NameView view) { assign(view); }
  void assign(NameView view);
  /// Presentation format, with or without the final dot, escapes understood; nothing when
  /// malformed.
  static std::optional<Name> from_text(std::string_view text);

  [[nodiscard]] NameView view() const { return NameView{{wire_.data(), size_}}; }
  operator NameView() const { return view(); }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string to_text() const { return view().to_text(); }
  /// For 0x20 and lower-casing: the octets in place; lengths must not be touched.
  [[nodiscard]] base::MutableBytes mutable_wire() { return {wire_.data(), size_}; }

  friend bool operator==(const Name& left, const Name& right) {
    return left.view() == right.view();
  }

 private:
  friend std::size_t read_name(base::Bytes message, std::size_t offset, Name& out);

  std::uint8_t size_ = 1;
  std::array<std::uint8_t, name_size_max> wire_;
};

inline void Name::assign(NameView view) {
  if (view.is_root()) {
    size_ = 1;
    wire_[0] = 0;
    return;
  }
  size_ = static_cast<std::uint8_t>(view.size());
  std::memcpy(wire_.data(), view.wire().data(), view.size());
}

/// Reads a possibly compressed name at `offset` of a message (RFC 1035 §4.1.4). Each pointer must
/// lead strictly before the part of the name it ends, never into the header, and there are at most
/// 127 of them (as many as a name has labels), so work is bounded. Gives the offset behind the name
/// in the message, or 0 when it is malformed (then `out` is unspecified).
std::size_t read_name(base::Bytes message, std::size_t offset, Name& out);

/// The same without keeping the name.
std::size_t skip_name(base::Bytes message, std::size_t offset);
/// The same for a name that may not be compressed (RFC 3597 §4).
std::size_t skip_plain_name(base::Bytes message, std::size_t offset);

}  // namespace dns
