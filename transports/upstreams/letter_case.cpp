// Letter case: made up, and put back.
#include "transports/upstreams/letter_case.h"

#include <algorithm>
#include <cstring>

namespace transports {

namespace {

bool is_letter(std::uint8_t octet) {
  const std::uint8_t lower = dns::to_lower(octet);
  return lower >= 'a' && lower <= 'z';
}

/// The part of a name that is written out where it stands: up to its root or its first pointer.
struct Literal {
  std::size_t size = 0;
  bool whole = false;  ///< with its root
};

Literal literal_at(base::Bytes message, std::size_t offset) {
  std::size_t at = offset;
  while (at < message.size()) {
    const std::uint8_t length = message[at];
    if (length == 0) return {at + 1 - offset, true};
    if (length > dns::label_size_max) return {at - offset, false};
    at += std::size_t{1} + length;
  }
  return {};
}

/// Where a name's labels begin; the last is its root.
class LabelOffsets {
 public:
  explicit LabelOffsets(base::Bytes name) {
    std::size_t at = 0;
    while (at < name.size()) {
      offsets_[count_++] = static_cast<std::uint8_t>(at);
      if (name[at] == 0) break;
      at += std::size_t{1} + name[at];
    }
  }
  [[nodiscard]] const std::uint8_t* begin() const { return offsets_.data(); }
  [[nodiscard]] const std::uint8_t* end() const { return offsets_.data() + count_; }

 private:
  std::array<std::uint8_t, 128> offsets_{};  // 127 labels of one letter, and the root
  std::size_t count_ = 0;
};

class CaseRestorer {
 public:
  CaseRestorer(std::vector<std::uint8_t>& message, const dns::Name& sent, const dns::Name& asked)
      : message_(message),
        sent_(sent.view().wire()),
        asked_(asked.view().wire()),
        sent_labels_(sent_) {}

  void run() {
    base::Reader in{message_, dns::header_size + asked_.size() + 4};
    while (in.ok() && in.remaining() > 0) {
      const std::size_t owner = in.offset();
      const std::size_t after = dns::skip_name(message_, owner);
      if (after == 0) return;
      in.skip(after - owner);
      const auto type = static_cast<dns::RrType>(in.u16());
      in.skip(6);
      const std::size_t size = in.u16();
      const std::size_t rdata = in.offset();
      in.skip(size);
      if (!in.ok()) return;
      restore_owner(owner);
      if (type == dns::RrType::cname) restore_target(rdata);
    }
  }

 private:
  /// The sent name itself or one above it, octet by octet: written out, or cut off by a pointer
  /// (behind which the case is put back at its own place).
  void restore_owner(std::size_t at) {
    const auto [size, whole] = literal_at(message_, at);
    if (size == 0) return;
    for (const std::uint8_t begin : sent_labels_) {
      const std::size_t left = sent_.size() - begin;
      if (whole ? size != left : size >= left) continue;
      if (std::memcmp(&message_[at], &sent_[begin], size) != 0) continue;
      std::copy_n(asked_.begin() + begin, size, message_.begin() + static_cast<std::ptrdiff_t>(at));
      return;
    }
  }

  /// A target that begins as the sent name does: whole labels alone.
  void restore_target(std::size_t at) {
    const std::size_t size = literal_at(message_, at).size;
    std::size_t equal = 0;
    while (equal < size && equal < sent_.size() && message_[at + equal] != 0) {
      const std::size_t label = std::size_t{1} + message_[at + equal];
      if (equal + label > size || equal + label > sent_.size()) break;
      if (std::memcmp(&message_[at + equal], &sent_[equal], label) != 0) break;
      equal += label;
    }
    std::copy_n(asked_.begin(), equal, message_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  std::vector<std::uint8_t>& message_;
  base::Bytes sent_;
  base::Bytes asked_;
  LabelOffsets sent_labels_;
};

}  // namespace

void randomise_case(dns::Name& name, Random& random) {
  std::uint64_t bits = 0;
  unsigned left = 0;
  for (std::uint8_t& octet : name.mutable_wire()) {
    if (!is_letter(octet)) continue;  // length octets are below 64, letters above
    if (left == 0) {
      bits = random.u64();
      left = 64;
    }
    octet = static_cast<std::uint8_t>((octet & ~0x20) | ((bits & 1) != 0 ? 0x20 : 0));
    bits >>= 1;
    --left;
  }
}

bool has_letters(dns::NameView name) { return std::ranges::any_of(name.wire(), is_letter); }

void restore_case(std::vector<std::uint8_t>& answer, const dns::Name& sent,
                  const dns::Name& asked) {
  if (answer.size() < dns::header_size + asked.size() + 4) return;
  std::ranges::copy(asked.view().wire(), answer.begin() + dns::header_size);
  if (!dns::same_case(sent, asked)) CaseRestorer{answer, sent, asked}.run();
}

}  // namespace transports
