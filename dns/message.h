// A strict walk over any message: header, questions, and one record after another, OPT apart. RFC
// 1035 §4.1, RFC 6891 §6.1.1. Reads somebody else's octets, which must outlive it; no heap memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "dns/codes.h"
#include "dns/request.h"

namespace dns {

enum class Section : std::uint8_t { answer, authority, additional };

/// A record by the places of its parts in the message.
struct Record {
  std::size_t offset = 0;       ///< of its owner, which read_name() reads
  std::size_t type_offset = 0;  ///< behind the owner
  std::uint16_t rdata_size = 0;
  Section section = Section::answer;
  RrType type = RrType::none;
  RrClass klass = RrClass::in;  ///< OPT: the sender's UDP payload size
  std::uint32_t ttl = 0;        ///< as on the wire; OPT: extended rcode, version and flags

  [[nodiscard]] std::size_t ttl_offset() const { return type_offset + 4; }
  [[nodiscard]] std::size_t rdata_offset() const { return type_offset + 10; }
  [[nodiscard]] std::size_t end() const { return rdata_offset() + rdata_size; }
  [[nodiscard]] base::Bytes rdata(base::Bytes message) const {
    return message.subspan(rdata_offset(), rdata_size);
  }
};

/// Walks once from front to back. Every name is checked, and so is the rdata of types whose names
/// may be compressed and of addresses; OPT must be alone, in the additional section, owned by the
/// root and made of whole options.
///
///   MessageWalk walk(message);
///   for (Record record; walk.next(record);) …
///   if (!walk.complete()) return …walk.fault()…;
class MessageWalk {
 public:
  /// Where and why reading ended. `what` is a literal: "owner name", "rdata", "octets behind the
  /// last record".
  struct Fault {
    std::size_t offset = 0;
    std::string_view what;
  };

  /// Reads header and questions.
  explicit MessageWalk(base::Bytes message);

  [[nodiscard]] std::uint16_t id() const { return id_; }
  [[nodiscard]] std::uint16_t flags() const { return flags_; }
  [[nodiscard]] Opcode opcode() const { return static_cast<Opcode>((flags_ >> 11) & 15); }
  [[nodiscard]] std::uint16_t question_count() const { return question_count_; }
  [[nodiscard]] std::uint16_t count(Section section) const {
    return counts_[static_cast<std::size_t>(section)];
  }
  /// The first one, when question_count() is not 0 and there was no fault.
  [[nodiscard]] const Question& question() const { return question_; }
  /// Behind the last question.
  [[nodiscard]] std::size_t records_offset() const { return records_offset_; }
  [[nodiscard]] base::Bytes message() const { return message_; }

  /// The next record that is not OPT; false at the end or at a fault.
  bool next(Record& record);

  /// Everything was read and nothing stands behind it.
  [[nodiscard]] bool complete() const { return state_ == State::complete; }
  [[nodiscard]] const Fault& fault() const { return fault_; }
  /// The OPT record, once the walk has passed it.
  [[nodiscard]] const std::optional<Record>& opt() const { return opt_; }
  /// All twelve bits as far as OPT has been passed.
  [[nodiscard]] Rcode rcode() const;

 private:
  enum class State : std::uint8_t { reading, complete, faulty };

  void read_questions();
  bool read_record(Record& record);
  [[nodiscard]] std::string_view opt_complaint(const Record& opt) const;
  bool fail(std::size_t offset, std::string_view what);

  base::Bytes message_;
  std::size_t offset_ = 0;
  std::size_t records_offset_ = 0;
  std::size_t section_ = 0;  ///< index into counts_
  std::size_t passed_ = 0;   ///< records of that section
  std::uint16_t id_ = 0;
  std::uint16_t flags_ = 0;
  std::uint16_t question_count_ = 0;
  std::array<std::uint16_t, 3> counts_{};
  State state_ = State::reading;
  Fault fault_;
  Question question_;
  std::optional<Record> opt_;
};

/// What a message's OPT says, apart from its options.
struct OptFields {
  std::uint16_t udp_size;
  std::uint8_t extended_rcode;  ///< the upper eight of twelve bits
  std::uint8_t version;
  std::uint16_t flags;  ///< 0x8000 is DO
};

constexpr OptFields opt_fields(const Record& opt) {
  return {static_cast<std::uint16_t>(opt.klass), static_cast<std::uint8_t>(opt.ttl >> 24),
          static_cast<std::uint8_t>(opt.ttl >> 16), static_cast<std::uint16_t>(opt.ttl)};
}

}  // namespace dns
