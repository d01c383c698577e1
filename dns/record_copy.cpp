// Writing records out without compression. RFC 1035 §4.1.4.
#include "dns/record_copy.h"

#include "dns/rdata.h"

namespace dns {
namespace {

void append(base::Bytes octets, std::vector<std::uint8_t>& out) {
  out.insert(out.end(), octets.begin(), octets.end());
}

void append_u16(std::uint16_t value, std::vector<std::uint8_t>& out) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

void append_name(base::Bytes message, std::size_t offset, std::vector<std::uint8_t>& out) {
  Name name;
  read_name(message, offset, name);
  append(name.view().wire(), out);
}

/// Rdata of a type without names to decompress is copied as it is.
void append_rdata(base::Bytes message, const Record& record, std::vector<std::uint8_t>& out) {
  const TypeRow* row = row_of(record.type);
  if (row == nullptr || !row->checked || row->fields[0] == Field::address4 ||
      row->fields[0] == Field::address6) {
    append(record.rdata(message), out);
    return;
  }
  FieldReader fields(message, record.rdata_offset(), record.rdata_size, *row);
  Field field{};
  std::size_t offset = 0;
  std::size_t size = 0;
  while (fields.next(field, offset, size)) {
    if (field == Field::name) {
      append_name(message, offset, out);
    } else {
      append(message.subspan(offset, size), out);
    }
  }
}

}  // namespace

void begin_message(std::uint16_t flags, const Question& question, std::vector<std::uint8_t>& out) {
  out.assign(header_size, 0);
  base::store_u16(&out[2], flags);
  base::store_u16(&out[4], 1);
  append(question.name.view().wire(), out);
  append_u16(static_cast<std::uint16_t>(question.type), out);
  append_u16(static_cast<std::uint16_t>(question.klass), out);
}

std::size_t append_record(base::Bytes message, const Record& record,
                          std::vector<std::uint8_t>& out) {
  append_name(message, record.offset, out);
  const std::size_t ttl_offset = out.size() + 4;
  append(message.subspan(record.type_offset, 8), out);  // type, class, TTL
  const std::size_t size_offset = out.size();
  append_u16(0, out);
  append_rdata(message, record, out);
  // A SIG's rdata of nearly 64 KiB can outgrow its length field; then the message has outgrown its
  // own bound as well.
  base::store_u16(&out[size_offset], static_cast<std::uint16_t>(out.size() - size_offset - 2));
  return ttl_offset;
}

}  // namespace dns
