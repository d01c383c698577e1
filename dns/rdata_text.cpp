// Rdata in presentation format, field by field as the table of record types says. RFC 1035 §5.1,
// RFC 3597 §5, RFC 4034 §2.2-4.2, RFC 5155 §3.3, RFC 9460 §2.1.
#include <chrono>
#include <format>

#include "dns/encoding.h"
#include "dns/rdata.h"
#include "dns/svcb_text.h"
#include "dns/text.h"

namespace dns {
namespace {

std::string strings_to_text(base::Bytes data) {
  std::string text;
  for (std::size_t at = 0; at < data.size(); at += std::size_t{1} + data[at]) {
    if (!text.empty()) text += ' ';
    text += quoted(data.subspan(at + 1, data[at]));
  }
  return text;
}

std::string bitmap_to_text(base::Bytes data) {
  std::string text;
  while (!data.empty()) {
    for (unsigned bit = 0; bit < data[1] * 8U; ++bit) {
      if ((data[2 + bit / 8] & (0x80U >> (bit % 8))) == 0) continue;
      if (!text.empty()) text += ' ';
      text += to_text(RrType{static_cast<std::uint16_t>(data[0] << 8 | bit)});
    }
    data = data.subspan(std::size_t{2} + data[1]);
  }
  return text;
}

/// RFC 4034 §3.2; read as seconds since 1970, which is right until 2106.
std::string time_to_text(std::uint32_t seconds) {
  return std::format("{:%Y%m%d%H%M%S}", std::chrono::sys_seconds{std::chrono::seconds{seconds}});
}

std::string name_to_text(base::Bytes message, std::size_t offset) {
  Name name;
  return read_name(message, offset, name) != 0 ? name.to_text() : std::string{"?"};
}

std::string field_to_text(base::Bytes message, Field field, std::size_t offset, std::size_t size) {
  const base::Bytes data = message.subspan(offset, size);
  switch (field) {
    using enum Field;
    case u8: return std::to_string(data[0]);
    case u16: return std::to_string(base::load_u16(data.data()));
    case u32: return std::to_string(base::load_u32(data.data()));
    case address4:
    case address6: return address_to_text(data);
    case name: return name_to_text(message, offset);
    case type: return to_text(RrType{base::load_u16(data.data())});
    case time: return time_to_text(base::load_u32(data.data()));
    case string: return quoted(data.subspan(1));
    case strings: return strings_to_text(data);
    case quoted_rest: return quoted(data);
    case tag: return escaped(data.subspan(1));
    case hex_rest: return to_hex(data);
    case base64_rest: return to_base64(data);
    case sized_hex: return size == 1 ? std::string{"-"} : to_hex(data.subspan(1));
    case sized_base32: return to_base32hex(data.subspan(1));
    case type_bitmap: return bitmap_to_text(data);
    case svc_params: return svc_params_to_text(data);
    case opaque_rest:
    case end: break;
  }
  return {};
}

/// RFC 3597 §5.
std::string opaque_to_text(base::Bytes rdata) {
  return rdata.empty() ? std::string{"\\# 0"}
                       : std::format("\\# {} {}", rdata.size(), to_hex(rdata));
}

}  // namespace

std::string rdata_to_text(base::Bytes message, const Record& record) {
  const base::Bytes rdata = record.rdata(message);
  const TypeRow* row = row_of(record.type);
  // A and AAAA mean addresses in class IN alone (RFC 1035 §3.4).
  const bool foreign =
      record.klass != RrClass::in && (record.type == RrType::a || record.type == RrType::aaaa);
  if (row == nullptr || foreign) return opaque_to_text(rdata);
  FieldReader fields(message, record.rdata_offset(), record.rdata_size, *row);
  std::string text;
  Field field{};
  std::size_t offset = 0;
  std::size_t size = 0;
  while (fields.next(field, offset, size)) {
    if (field == Field::opaque_rest) return opaque_to_text(rdata);
    const std::string one = field_to_text(message, field, offset, size);
    if (!text.empty() && !one.empty()) text += ' ';
    text += one;
  }
  return fields.complete() ? text : opaque_to_text(rdata);
}

}  // namespace dns
