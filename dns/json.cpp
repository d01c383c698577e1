// The JSON of a message. RFC 8259, RFC 8914.
#include "dns/json.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <format>
#include <string_view>
#include <utility>

#include "base/utf8.h"
#include "dns/edns.h"
#include "dns/message.h"
#include "dns/text.h"

namespace dns {
namespace {

constexpr std::string_view as_json(bool value) { return value ? "true" : "false"; }

/// A string in quotation marks, in which no page finds a tag.
std::string quoted_text(std::string_view text) {
  std::string out;
  for (const char c : base::json_quoted(text)) {
    switch (c) {
      case '<': out += "\\u003c"; break;
      case '>': out += "\\u003e"; break;
      case '&': out += "\\u0026"; break;
      default: out += c;
    }
  }
  return out;
}

/// Records are told up to here. A message whose names all point at one long name would be a hundred
/// times as large in words.
constexpr std::size_t sections_size_max = std::size_t{1} << 20U;

void append_item(std::string& list, const std::string& item) {
  if (!list.empty()) list += ',';
  list += item;
}

std::string question_of(const Question& question) {
  return std::format(R"({{"name":{},"type":{}}})", quoted_text(question.name.to_text()),
                     std::to_underlying(question.type));
}

std::string record_of(base::Bytes message, const Record& record) {
  Name owner;
  read_name(message, record.offset, owner);  // the walk has read it before
  return std::format(R"({{"name":{},"type":{},"TTL":{},"data":{}}})", quoted_text(owner.to_text()),
                     std::to_underlying(record.type), record.ttl,
                     quoted_text(rdata_to_text(message, record)));
}

struct ExtendedErrors {
  std::string words;    ///< "EDE: 3 (Stale Answer); EDE: …"
  std::string numbers;  ///< {"info_code":3,"extra_text":"…"},…
};

ExtendedErrors extended_errors(base::Bytes message, const Record& opt) {
  ExtendedErrors errors;
  OptionReader options(opt.rdata(message));
  EdnsOption code{};
  base::Bytes data;
  while (options.next(code, data)) {
    if (code != EdnsOption::ede || data.size() < 2) continue;
    if (!errors.words.empty()) errors.words += "; ";
    errors.words += "EDE: " + ede_to_text(data);
    append_item(errors.numbers,
                std::format(R"({{"info_code":{},"extra_text":{}}})", base::load_u16(data.data()),
                            quoted_text(base::as_text(data.subspan(2)))));
  }
  return errors;
}

}  // namespace

std::string message_to_json(base::Bytes message) {
  MessageWalk walk(message);
  std::array<std::string, 3> sections;
  std::size_t sections_size = 0;
  bool cut = false;
  for (Record record; walk.next(record);) {
    if (cut) continue;  // OPT is still to come
    const std::string item = record_of(message, record);
    sections_size += item.size();
    cut = sections_size > sections_size_max;
    if (!cut) append_item(sections[static_cast<std::size_t>(record.section)], item);
  }
  const auto is_set = [&walk](std::uint16_t bit) { return as_json((walk.flags() & bit) != 0); };
  std::string json =
      std::format(R"({{"Status":{},"TC":{},"RD":{},"RA":{},"AD":{},"CD":{})",
                  std::to_underlying(walk.rcode()), as_json(cut || (walk.flags() & flag::tc) != 0),
                  is_set(flag::rd), is_set(flag::ra), is_set(flag::ad), is_set(flag::cd));
  if (walk.question_count() != 0 && walk.records_offset() != 0)
    json += std::format(R"(,"Question":[{}])", question_of(walk.question()));
  constexpr std::string_view names[] = {"Answer", "Authority", "Additional"};
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (!sections[i].empty()) json += std::format(R"(,"{}":[{}])", names[i], sections[i]);
  }
  if (walk.opt()) {
    const ExtendedErrors errors = extended_errors(message, *walk.opt());
    if (!errors.words.empty()) {
      json += std::format(R"(,"extended_dns_errors":[{}],"Comment":{})", errors.numbers,
                          quoted_text(errors.words));
    }
  }
  return json + "}\n";
}

}  // namespace dns
