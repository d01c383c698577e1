// The rows of the record types, and reading rdata by them. RFC 1035 §3.3, RFC 3597 §4.
#include "dns/rdata.h"

#include <algorithm>

#include "dns/name.h"

namespace dns {
namespace {

/// Ascending by type.
constexpr auto rows = [] {
  using enum Field;
  return std::to_array<TypeRow>({
      {RrType::a, "A", true, {address4}},
      {RrType::ns, "NS", true, {name}},
      {RrType::md, "MD", true, {name}},
      {RrType::mf, "MF", true, {name}},
      {RrType::cname, "CNAME", true, {name}},
      {RrType::soa, "SOA", true, {name, name, u32, u32, u32, u32, u32}},
      {RrType::mb, "MB", true, {name}},
      {RrType::mg, "MG", true, {name}},
      {RrType::mr, "MR", true, {name}},
      {RrType::ptr, "PTR", true, {name}},
      {RrType::hinfo, "HINFO", false, {string, string}},
      {RrType::minfo, "MINFO", true, {name, name}},
      {RrType::mx, "MX", true, {u16, name}},
      {RrType::txt, "TXT", false, {strings}},
      {RrType::rp, "RP", true, {name, name}},
      {RrType::afsdb, "AFSDB", true, {u16, name}},
      {RrType::rt, "RT", true, {u16, name}},
      {RrType::sig, "SIG", true, {type, u8, u8, u32, time, time, u16, name, base64_rest}},
      {RrType::px, "PX", true, {u16, name, name}},
      {RrType::aaaa, "AAAA", true, {address6}},
      {RrType::nxt, "NXT", true, {name, opaque_rest}},
      {RrType::srv, "SRV", true, {u16, u16, u16, name}},
      {RrType::naptr, "NAPTR", true, {u16, u16, string, string, string, name}},
      {RrType::kx, "KX", true, {u16, name}},
      {RrType::dname, "DNAME", true, {name}},
      {RrType::opt, "OPT", false, {opaque_rest}},
      {RrType::ds, "DS", false, {u16, u8, u8, hex_rest}},
      {RrType::sshfp, "SSHFP", false, {u8, u8, hex_rest}},
      {RrType::rrsig, "RRSIG", false, {type, u8, u8, u32, time, time, u16, name, base64_rest}},
      {RrType::nsec, "NSEC", false, {name, type_bitmap}},
      {RrType::dnskey, "DNSKEY", false, {u16, u8, u8, base64_rest}},
      {RrType::nsec3, "NSEC3", false, {u8, u8, u16, sized_hex, sized_base32, type_bitmap}},
      {RrType::nsec3param, "NSEC3PARAM", false, {u8, u8, u16, sized_hex}},
      {RrType::tlsa, "TLSA", false, {u8, u8, u8, hex_rest}},
      {RrType::cds, "CDS", false, {u16, u8, u8, hex_rest}},
      {RrType::cdnskey, "CDNSKEY", false, {u16, u8, u8, base64_rest}},
      {RrType::zonemd, "ZONEMD", false, {u32, u8, u8, hex_rest}},
      {RrType::svcb, "SVCB", false, {u16, name, svc_params}},
      {RrType::https, "HTTPS", false, {u16, name, svc_params}},
      {RrType::tsig, "TSIG", false, {opaque_rest}},
      {RrType::ixfr, "IXFR", false, {opaque_rest}},
      {RrType::axfr, "AXFR", false, {opaque_rest}},
      {RrType::mailb, "MAILB", false, {opaque_rest}},
      {RrType::maila, "MAILA", false, {opaque_rest}},
      {RrType::any, "ANY", false, {opaque_rest}},
      {RrType::uri, "URI", false, {u16, u16, quoted_rest}},
      {RrType::caa, "CAA", false, {u8, tag, quoted_rest}},
      {RrType::resinfo, "RESINFO", false, {strings}},
  });
}();

/// Types below 256 by one load: the walk over a message asks for every record. 0 is "no row".
constexpr auto low_rows = [] {
  std::array<std::uint8_t, 256> index{};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto number = static_cast<std::uint16_t>(rows[i].type);
    if (number < index.size()) index[number] = static_cast<std::uint8_t>(i + 1);
  }
  return index;
}();

/// The octets of a <character-string> or of anything else that begins with its length.
bool measure_sized(base::Bytes rest, std::size_t& size) {
  if (rest.empty()) return false;
  size = 1U + rest[0];
  return size <= rest.size();
}

bool measure_strings(base::Bytes rest, std::size_t& size) {
  std::size_t one = 0;
  if (rest.empty()) return false;
  for (size = 0; size < rest.size(); size += one) {
    if (!measure_sized(rest.subspan(size), one)) return false;
  }
  return true;
}

/// RFC 4034 §4.1.2: windows ascending, each with 1 to 32 octets.
bool bitmap_is_sound(base::Bytes rest) {
  int window = -1;
  while (!rest.empty()) {
    if (rest.size() < 3 || rest[0] <= window || rest[1] == 0 || rest[1] > 32) return false;
    if (std::size_t{2} + rest[1] > rest.size()) return false;
    window = rest[0];
    rest = rest.subspan(std::size_t{2} + rest[1]);
  }
  return true;
}

/// RFC 9460 §2.2: keys strictly ascending.
bool params_are_sound(base::Bytes rest) {
  int key = -1;
  while (!rest.empty()) {
    if (rest.size() < 4 || base::load_u16(rest.data()) <= key) return false;
    key = base::load_u16(rest.data());
    const std::size_t size = std::size_t{4} + base::load_u16(&rest[2]);
    if (size > rest.size()) return false;
    rest = rest.subspan(size);
  }
  return true;
}

char upper(char letter) {
  return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
}

}  // namespace

const TypeRow* row_of(RrType type) {
  const auto number = static_cast<std::uint16_t>(type);
  if (number < low_rows.size())
    return low_rows[number] == 0 ? nullptr : &rows[low_rows[number] - 1U];
  for (std::size_t i = rows.size(); i > 0 && rows[i - 1].type >= type; --i) {
    if (rows[i - 1].type == type) return &rows[i - 1];
  }
  return nullptr;
}

const TypeRow* row_named(std::string_view name) {
  for (const TypeRow& row : rows) {
    if (std::ranges::equal(row.name, name, {}, {}, upper)) return &row;
  }
  return nullptr;
}

bool FieldReader::next(Field& field, std::size_t& offset, std::size_t& size) {
  if (state_ != State::reading) return false;
  field = index_ < row_.fields.size() ? row_.fields[index_++] : Field::end;
  if (field == Field::end) {
    state_ = State::finished;
    return false;
  }
  if (!measure(field, size)) {
    state_ = State::malformed;
    return false;
  }
  offset = offset_;
  offset_ += size;
  return true;
}

bool FieldReader::measure(Field field, std::size_t& size) const {
  const base::Bytes rest = message_.subspan(offset_);
  const auto fixed = [&](std::size_t count) {
    size = count;
    return count <= rest.size();
  };
  switch (field) {
    using enum Field;
    case u8: return fixed(1);
    case u16:
    case type: return fixed(2);
    case u32:
    case time:
    case address4: return fixed(4);
    case address6: return fixed(16);
    case name: {
      const std::size_t behind =
          row_.checked ? skip_name(message_, offset_) : skip_plain_name(message_, offset_);
      size = behind - offset_;
      return behind != 0;
    }
    case string:
    case tag:
    case sized_hex:
    case sized_base32: return measure_sized(rest, size);
    case strings: return measure_strings(rest, size);
    case type_bitmap: return fixed(rest.size()) && bitmap_is_sound(rest);
    case svc_params: return fixed(rest.size()) && params_are_sound(rest);
    case quoted_rest:
    case hex_rest:
    case base64_rest:
    case opaque_rest:
    case end: return fixed(rest.size());
  }
  return false;
}

bool rdata_is_sound(base::Bytes message, std::size_t offset, std::size_t size, RrType type,
                    RrClass klass) {
  const TypeRow* row = row_of(type);
  if (row == nullptr || !row->checked) return true;
  if (klass != RrClass::in && (type == RrType::a || type == RrType::aaaa)) return true;
  FieldReader reader(message, offset, size, *row);
  Field field{};
  while (reader.next(field, offset, size)) {
  }
  return reader.complete();
}

}  // namespace dns
