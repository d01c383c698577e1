// A whole message for people's eyes. RFC 1035 §4.1, RFC 6891 §6.1, RFC 8914 §2.
#include "dns/text.h"

#include <algorithm>
#include <array>
#include <format>
#include <utility>

#include "dns/edns.h"
#include "dns/encoding.h"

namespace dns {
namespace {

std::string flags_to_text(std::uint16_t flags) {
  constexpr std::pair<std::uint16_t, std::string_view> names[] = {
      {flag::qr, "qr"}, {flag::aa, "aa"}, {flag::tc, "tc"}, {flag::rd, "rd"},
      {flag::ra, "ra"}, {flag::z, "z"},   {flag::ad, "ad"}, {flag::cd, "cd"}};
  std::string text;
  for (const auto& [bit, name] : names) {
    if ((flags & bit) == 0) continue;
    text += ' ';
    text += name;
  }
  return text;
}

std::string subnet_to_text(base::Bytes data) {
  if (data.size() < 4) return to_hex(data);
  const std::uint16_t family = base::load_u16(data.data());
  const base::Bytes prefix = data.subspan(4);
  std::array<std::uint8_t, 16> octets{};
  if ((family != 1 && family != 2) || prefix.size() > (family == 1 ? 4U : 16U)) return to_hex(data);
  std::ranges::copy(prefix, octets.begin());
  return std::format("{}/{}/{}", address_to_text(base::Bytes{octets}.first(family == 1 ? 4 : 16)),
                     data[2], data[3]);
}

std::string option_to_text(EdnsOption code, base::Bytes data) {
  switch (code) {
    case EdnsOption::nsid: return std::format("; NSID: {} ({})", to_hex(data), quoted(data));
    case EdnsOption::client_subnet: return "; CLIENT-SUBNET: " + subnet_to_text(data);
    case EdnsOption::cookie: return "; COOKIE: " + to_hex(data);
    case EdnsOption::tcp_keepalive:
      if (data.empty()) return "; TCP KEEPALIVE";
      if (data.size() != 2) break;
      return std::format("; TCP KEEPALIVE: {}.{} s", base::load_u16(data.data()) / 10,
                         base::load_u16(data.data()) % 10);
    case EdnsOption::padding: return std::format("; PADDING: {} octets", data.size());
    case EdnsOption::ede: return "; EDE: " + ede_to_text(data);
  }
  return std::format("; OPT={}: {}", std::to_underlying(code), to_hex(data));
}

std::string question_line(const Question& question) {
  return std::format(";{}\t\t{}\t{}\n", question.name.to_text(), to_text(question.klass),
                     to_text(question.type));
}

/// All of them: a message with several is malformed to us, and for that very reason somebody looks
/// at it.
std::string questions_to_text(const MessageWalk& walk) {
  std::string text = "\n;; QUESTION SECTION:\n";
  std::size_t offset = header_size;
  for (unsigned i = 0; i < walk.question_count(); ++i) {
    Question question;
    offset = read_name(walk.message(), offset, question.name);
    question.type = RrType{base::load_u16(&walk.message()[offset])};
    question.klass = RrClass{base::load_u16(&walk.message()[offset + 2])};
    offset += 4;
    text += question_line(question);
  }
  return text;
}

std::string header_to_text(const MessageWalk& walk) {
  return std::format(
      ";; ->>HEADER<<- opcode: {}, status: {}, id: {}\n"
      ";; flags:{}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n",
      to_text(walk.opcode()), to_text(walk.rcode()), walk.id(), flags_to_text(walk.flags()),
      walk.question_count(), walk.count(Section::answer), walk.count(Section::authority),
      walk.count(Section::additional));
}

constexpr std::string_view section_title(Section section) {
  constexpr std::string_view titles[] = {"\n;; ANSWER SECTION:\n", "\n;; AUTHORITY SECTION:\n",
                                         "\n;; ADDITIONAL SECTION:\n"};
  return titles[static_cast<std::size_t>(section)];
}

}  // namespace

std::string message_to_text(base::Bytes message) {
  MessageWalk walk(message);
  const bool has_questions = walk.records_offset() != 0;
  std::string sections;
  std::optional<Section> current;
  for (Record record; walk.next(record);) {
    if (current != record.section) sections += section_title(record.section);
    current = record.section;
    sections += record_to_text(message, record) + '\n';
  }

  std::string text;
  if (message.size() >= header_size) text = header_to_text(walk);
  if (walk.opt()) text += "\n;; OPT PSEUDOSECTION:\n" + opt_to_text(message, *walk.opt());
  if (has_questions && walk.question_count() != 0) text += questions_to_text(walk);
  text += sections;
  if (!walk.complete()) {
    text += std::format("\n;; MALFORMED: {} at octet {} of {}\n", walk.fault().what,
                        walk.fault().offset, message.size());
  }
  return text;
}

std::string record_to_text(base::Bytes message, const Record& record) {
  Name owner;
  read_name(message, record.offset, owner);
  return std::format("{}\t{}\t{}\t{}\t{}", owner.to_text(), record.ttl, to_text(record.klass),
                     to_text(record.type), rdata_to_text(message, record));
}

std::string opt_to_text(base::Bytes message, const Record& opt) {
  const OptFields fields = opt_fields(opt);
  std::string text = std::format("; EDNS: version: {}, flags:{}; udp: {}\n", fields.version,
                                 (fields.flags & 0x8000U) != 0 ? " do" : "", fields.udp_size);
  OptionReader options(opt.rdata(message));
  EdnsOption code{};
  base::Bytes data;
  while (options.next(code, data)) text += option_to_text(code, data) + '\n';
  return text;
}

std::string ede_to_text(base::Bytes option_data) {
  if (option_data.size() < 2) return to_hex(option_data);
  const Ede code{base::load_u16(option_data.data())};
  const std::string extra = escaped(option_data.subspan(2));
  return std::format("{} ({}){}{}", std::to_underlying(code), to_text(code),
                     extra.empty() ? "" : ": ", extra);
}

}  // namespace dns
