// The one table of record types: their names, and the fields of their rdata, from which come the
// strict checks, the presentation format and decompression. RFC 1035 §3.3, RFC 3597 §4, and the RFC
// of each type. Static data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "dns/codes.h"

namespace dns {

/// A piece of rdata, as the wire has it and as people read it.
enum class Field : std::uint8_t {
  end,  ///< no more fields
  u8,
  u16,
  u32,
  address4,     ///< 4 octets, "192.0.2.1"
  address6,     ///< 16 octets, RFC 5952
  name,         ///< compressed perhaps, in `checked` rows alone
  type,         ///< 2 octets, "AAAA"
  time,         ///< 4 octets, "20260101000000" (RFC 4034 §3.2)
  string,       ///< one <character-string>, quoted
  strings,      ///< one or more to the end
  quoted_rest,  ///< the rest, as one quoted string (CAA's value)
  tag,          ///< one <character-string>, bare (CAA's tag)
  hex_rest,
  base64_rest,
  sized_hex,     ///< length octet, then as many octets; "-" when none (NSEC3's salt)
  sized_base32,  ///< the same in base32hex (NSEC3's next hashed owner)
  type_bitmap,   ///< windows of types to the end (RFC 4034 §4.1.2)
  svc_params,    ///< SvcParams to the end (RFC 9460 §2.2)
  opaque_rest,   ///< not presented in fields: the whole rdata becomes RFC 3597's \#
};

inline constexpr std::size_t fields_max = 9;  // RRSIG's

struct TypeRow {
  RrType type;
  std::string_view name;
  /// Its names may be compressed, or a client relies on its size: a message in which it is
  /// malformed is refused.
  bool checked;
  std::array<Field, fields_max> fields;
};

/// The row of a type, or nothing: such types are opaque octets (RFC 3597 §3).
const TypeRow* row_of(RrType type);
/// The row with that mnemonic, in any letter case.
const TypeRow* row_named(std::string_view name);

/// The fields of rdata one after another. Sticky: after the first malformed field there are no
/// more.
class FieldReader {
 public:
  /// `offset` and `size` must lie inside `message`.
  FieldReader(base::Bytes message, std::size_t offset, std::size_t size, const TypeRow& row)
      : message_(message.first(offset + size)), row_(row), offset_(offset) {}

  /// The next field and where it lies in the message (a compressed name: its octets here, not those
  /// pointed at).
  bool next(Field& field, std::size_t& offset, std::size_t& size);
  /// All fields were read, none was malformed, and no octet is left.
  [[nodiscard]] bool complete() const {
    return state_ == State::finished && offset_ == message_.size();
  }

 private:
  [[nodiscard]] bool measure(Field field, std::size_t& size) const;

  base::Bytes message_;
  const TypeRow& row_;
  std::size_t offset_;
  std::size_t index_ = 0;
  enum class State : std::uint8_t { reading, finished, malformed } state_ = State::reading;
};

/// Is the rdata of a `checked` type well-formed? True for all other types. Addresses are checked in
/// class IN alone: other classes may give A another meaning (RFC 1035 §3.4).
bool rdata_is_sound(base::Bytes message, std::size_t offset, std::size_t size, RrType type,
                    RrClass klass);

}  // namespace dns
