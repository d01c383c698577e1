// JSON of a DNS message. RFC 1035 §4.1, RFC 6891 §6.1, RFC 7830, RFC 8914.
#include "gateway/cli/message_json.h"

#include <boost/json.hpp>
#include <format>
#include <string>
#include <utility>

#include "dns/codes.h"
#include "dns/message.h"
#include "dns/text.h"
#include "gateway/cli/printable.h"

namespace gateway::cli {
namespace {

namespace json = boost::json;

json::array flags_of(std::uint16_t flags) {
  struct Row {
    std::uint16_t bit;
    const char* name;
  };
  constexpr Row rows[] = {{dns::flag::qr, "qr"}, {dns::flag::aa, "aa"}, {dns::flag::tc, "tc"},
                          {dns::flag::rd, "rd"}, {dns::flag::ra, "ra"}, {dns::flag::ad, "ad"},
                          {dns::flag::cd, "cd"}};
  json::array names;
  for (const Row& row : rows) {
    if ((flags & row.bit) != 0) names.emplace_back(row.name);
  }
  return names;
}

json::object question_of(const dns::Question& question) {
  return {{"name", question.name.to_text()},
          {"type", to_text(question.type)},
          {"class", to_text(question.klass)}};
}

json::object record_of(base::Bytes message, const dns::Record& record) {
  dns::Name owner;
  dns::read_name(message, record.offset, owner);  // the walk has read it before
  return {{"name", owner.to_text()},
          {"ttl", record.ttl},
          {"class", to_text(record.klass)},
          {"type", to_text(record.type)},
          {"data", dns::rdata_to_text(message, record)}};
}

json::object ede_of(base::Bytes data) {
  const dns::Ede code{base::load_u16(data.data())};
  return {{"code", std::to_underlying(code)},
          {"meaning", to_text(code)},
          {"text", printable(base::as_text(data.subspan(2)))}};
}

json::object edns_of(base::Bytes message, const dns::Record& opt) {
  const dns::OptFields fields = dns::opt_fields(opt);
  json::array edes;
  json::array options;
  json::value padding = nullptr;
  base::Reader reader(opt.rdata(message));
  while (reader.ok() && reader.remaining() >= 4) {
    const auto code = static_cast<dns::EdnsOption>(reader.u16());
    const base::Bytes data = reader.bytes(reader.u16());
    if (!reader.ok()) break;
    options.emplace_back(static_cast<std::uint16_t>(code));
    if (code == dns::EdnsOption::padding) padding = data.size();
    if (code == dns::EdnsOption::ede && data.size() >= 2) edes.emplace_back(ede_of(data));
  }
  return {{"version", fields.version},
          {"udp_size", fields.udp_size},
          {"dnssec_ok", (fields.flags & 0x8000) != 0},
          {"options", std::move(options)},
          {"padding_octets", std::move(padding)},
          {"ede", std::move(edes)}};
}

}  // namespace

json::object message_to_json(base::Bytes message) {
  dns::MessageWalk walk(message);
  json::array sections[3];
  for (dns::Record record; walk.next(record);) {
    sections[static_cast<std::size_t>(record.section)].emplace_back(record_of(message, record));
  }
  json::object object{{"id", walk.id()},
                      {"opcode", to_text(walk.opcode())},
                      {"rcode", to_text(walk.rcode())},
                      {"flags", flags_of(walk.flags())},
                      {"octets", message.size()}};
  if (!walk.complete())
    object.emplace("malformed",
                   std::format("{} at octet {}", walk.fault().what, walk.fault().offset));
  if (walk.question_count() != 0 && walk.records_offset() != 0)
    object.emplace("question", question_of(walk.question()));
  object.emplace("answer", std::move(sections[0]));
  object.emplace("authority", std::move(sections[1]));
  object.emplace("additional", std::move(sections[2]));
  if (walk.opt()) object.emplace("edns", edns_of(message, *walk.opt()));
  return object;
}

}  // namespace gateway::cli
