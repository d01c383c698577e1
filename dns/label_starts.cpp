// Following names label by label up to their first pointer. RFC 1035 §4.1.4.
#include "dns/label_starts.h"

#include "dns/rdata.h"

namespace dns {

bool LabelStarts::add(const Record& record) {
  bool led_to_names = add_name(record.offset);
  const TypeRow* row = row_of(record.type);
  if (row == nullptr) return led_to_names;
  // Types that may not be compressed themselves have names all the same, which others may point to.
  FieldReader fields(message_, record.rdata_offset(), record.rdata_size, *row);
  Field field{};
  std::size_t offset = 0;
  std::size_t size = 0;
  while (fields.next(field, offset, size)) {
    if (field == Field::name) led_to_names = add_name(offset) && led_to_names;
  }
  return led_to_names;
}

bool LabelStarts::add_name(std::size_t offset) {
  for (; message_[offset] <= label_size_max; offset += std::size_t{1} + message_[offset]) {
    if (offset < reach) starts_.set(offset);
    if (message_[offset] == 0) return true;
  }
  // What a pointer leads to was followed to its end when it was added.
  return starts_.test(base::load_u16(&message_[offset]) % reach);
}

}  // namespace dns
