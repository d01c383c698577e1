// Walking a message strictly. RFC 1035 §4.1, RFC 6891 §6.1.
#include "dns/message.h"

#include "dns/edns.h"
#include "dns/rdata.h"

namespace dns {

MessageWalk::MessageWalk(base::Bytes message) : message_(message) {
  base::Reader in(message);
  id_ = in.u16();
  flags_ = in.u16();
  question_count_ = in.u16();
  for (std::uint16_t& count : counts_) count = in.u16();
  if (!in.ok()) {
    fail(message.size(), "header");
    return;
  }
  offset_ = header_size;
  read_questions();
}

void MessageWalk::read_questions() {
  Question later;
  for (unsigned i = 0; i < question_count_; ++i) {
    Question& question = i == 0 ? question_ : later;
    const std::size_t behind = read_name(message_, offset_, question.name);
    if (behind == 0 || message_.size() - behind < 4) {
      fail(offset_, "question");
      return;
    }
    question.type = RrType{base::load_u16(&message_[behind])};
    question.klass = RrClass{base::load_u16(&message_[behind + 2])};
    offset_ = behind + 4;
  }
  records_offset_ = offset_;
}

bool MessageWalk::next(Record& record) {
  while (state_ == State::reading) {
    while (section_ < counts_.size() && passed_ == counts_[section_]) {
      ++section_;
      passed_ = 0;
    }
    if (section_ == counts_.size()) {
      if (offset_ != message_.size()) return fail(offset_, "octets behind the last record");
      state_ = State::complete;
      return false;
    }
    if (!read_record(record)) return false;
    ++passed_;
    offset_ = record.end();
    if (record.type != RrType::opt) return true;
    if (const auto complaint = opt_complaint(record); !complaint.empty())
      return fail(record.offset, complaint);
    opt_ = record;
  }
  return false;
}

bool MessageWalk::read_record(Record& record) {
  record.offset = offset_;
  record.section = static_cast<Section>(section_);
  record.type_offset = skip_name(message_, offset_);
  if (record.type_offset == 0) return fail(offset_, "owner name");
  if (message_.size() - record.type_offset < 10) return fail(record.type_offset, "record cut off");
  const std::uint8_t* fixed = &message_[record.type_offset];
  record.type = RrType{base::load_u16(fixed)};
  record.klass = RrClass{base::load_u16(fixed + 2)};
  record.ttl = base::load_u32(fixed + 4);
  record.rdata_size = base::load_u16(fixed + 8);
  if (record.rdata_size > message_.size() - record.rdata_offset()) {
    return fail(record.rdata_offset(), "rdata cut off");
  }
  if (!rdata_is_sound(message_, record.rdata_offset(), record.rdata_size, record.type,
                      record.klass)) {
    return fail(record.rdata_offset(), "rdata");
  }
  return true;
}

std::string_view MessageWalk::opt_complaint(const Record& opt) const {
  if (opt.section != Section::additional) return "OPT outside the additional section";
  if (opt_) return "a second OPT";
  if (message_[opt.offset] != 0) return "OPT that the root does not own";
  OptionReader options(opt.rdata(message_));
  EdnsOption code{};
  base::Bytes data;
  while (options.next(code, data)) {
  }
  return options.ok() ? std::string_view{} : "EDNS options";
}

Rcode MessageWalk::rcode() const {
  const unsigned upper = opt_ ? opt_fields(*opt_).extended_rcode : 0U;
  return static_cast<Rcode>((upper << 4) | (flags_ & 15U));
}

bool MessageWalk::fail(std::size_t offset, std::string_view what) {
  fault_ = {offset, what};
  state_ = State::faulty;
  return false;
}

}  // namespace dns
