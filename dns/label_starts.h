// Where the labels of a message's names begin, to tell pointers that lead to a name from those that
// lead into numbers or opaque octets. RFC 1035 §4.1.4: a pointer stands for "a prior occurrence of
// the same name".
#pragma once

#include <bitset>
#include <cstddef>

#include "base/bytes.h"
#include "dns/message.h"

namespace dns {

/// 2 KiB, no heap. Takes a message's names from front to back; all of them must be known to be
/// well-formed.
class LabelStarts {
 public:
  /// Adds the question's name, the first of them all.
  explicit LabelStarts(base::Bytes message) : message_(message) { add_name(header_size); }

  /// Adds the record's names; false when a pointer in them leads to anything but a label that was
  /// added before.
  bool add(const Record& record);

 private:
  static constexpr std::size_t reach = 0x4000;  // no pointer leads farther

  bool add_name(std::size_t offset);

  base::Bytes message_;
  std::bitset<reach> starts_;
};

}  // namespace dns
