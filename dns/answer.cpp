// Making a response fit to keep, and what is to be known of it. RFC 2181 §5.2, §8; RFC 2308 §2, §5;
// RFC 6891 §6.1.1.
#include "dns/answer.h"

#include <algorithm>
#include <format>
#include <limits>

#include <boost/container/small_vector.hpp>

#include "dns/edns.h"
#include "dns/label_starts.h"
#include "dns/message.h"
#include "dns/record_copy.h"

namespace dns {
namespace {

/// Answers have few records: more than these cost an allocation.
template <class T>
using OfFewRecords = boost::container::small_vector<T, 16>;

base::Error malformed(const MessageWalk::Fault& fault) {
  return {base::Blame::upstream, base::Retry::other_upstream,
          std::format("malformed response: {} at octet {}", fault.what, fault.offset)};
}

/// Belongs to one hop's message and not to the answer: TSIG (RFC 8945 §5), and SIG(0), which covers
/// no type (RFC 2931 §3).
bool is_of_this_hop(const Record& record, base::Bytes message) {
  if (record.section != Section::additional) return false;
  return record.type == RrType::tsig ||
         (record.type == RrType::sig && base::load_u16(record.rdata(message).data()) == 0);
}

/// The first EDE of the response; the text is upstream's and goes no further than its length octets
/// allow.
void take_ede(const Record& opt, base::Bytes message, KeptAnswer& kept) {
  OptionReader options(opt.rdata(message));
  EdnsOption code{};
  base::Bytes data;
  while (!kept.has_ede && options.next(code, data)) {
    if (code != EdnsOption::ede || data.size() < 2) continue;
    kept.has_ede = true;
    kept.ede = Ede{base::load_u16(data.data())};
    kept.ede_text = base::as_text(data.subspan(2));
  }
}

/// The first octet that cannot stay where it is: behind it records move up, since OPT and
/// signatures go. All records are written anew when some name is made of octets that are no name's,
/// a TTL's say: it would change as they do.
std::size_t first_moved(const MessageWalk& walk, std::span<const Record> records) {
  const base::Bytes response = walk.message();
  LabelStarts names(response);
  std::size_t first = walk.opt() ? walk.opt()->offset : response.size();
  for (const Record& record : records) {
    if (is_of_this_hop(record, response)) first = std::min(first, record.offset);
    if (!names.add(record)) return walk.records_offset();
  }
  return first;
}

/// Copies what is kept: one piece up to the first octet that goes, and the records behind it one by
/// one, without pointers, for those might lead to what has moved.
bool copy_without_hop(base::Bytes response, std::span<const Record> records, std::size_t first_gone,
                      KeptAnswer& kept) {
  kept.wire.assign(response.begin(), response.begin() + static_cast<std::ptrdiff_t>(first_gone));
  std::uint16_t counts[3] = {};
  for (const Record& record : records) {
    if (is_of_this_hop(record, response)) continue;
    ++counts[static_cast<std::size_t>(record.section)];
    if (record.offset < first_gone) {
      kept.ttl_offsets.push_back(static_cast<std::uint16_t>(record.ttl_offset()));
      continue;
    }
    const std::size_t ttl_offset = append_record(response, record, kept.wire);
    if (kept.wire.size() > message_size_max) return false;
    kept.ttl_offsets.push_back(static_cast<std::uint16_t>(ttl_offset));
  }
  for (std::size_t i = 0; i < 3; ++i) base::store_u16(&kept.wire[6 + 2 * i], counts[i]);
  return true;
}

/// An RRset's identity in 64 bits. Two sets that fall together only share the lesser TTL, and
/// whoever could bring that about chose the TTLs anyway, so the hash needs no secret. A signature
/// belongs to the set it covers (RFC 4034 §3).
std::uint64_t rrset_hash(base::Bytes message, const Record& record) {
  constexpr std::uint64_t prime = 0x100000001b3;  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&](std::uint64_t value) { hash = (hash ^ value) * prime; };
  Name owner;
  read_name(message, record.offset, owner);
  for (const std::uint8_t octet : owner.view().wire()) mix(to_lower(octet));
  mix(static_cast<std::uint64_t>(record.type) << 16 | static_cast<std::uint64_t>(record.klass));
  if (record.type == RrType::rrsig && record.rdata_size >= 2)
    mix(base::load_u16(record.rdata(message).data()));
  return hash;
}

/// Reads TTLs with the top bit as 0 (RFC 2181 §8) and gives each RRset its least (§5.2).
void settle_ttls(base::Bytes response, std::span<const Record> records, KeptAnswer& kept) {
  struct Entry {
    std::uint64_t rrset;
    std::uint32_t ttl;
    std::uint16_t offset;
  };
  OfFewRecords<Entry> entries;
  entries.reserve(kept.ttl_offsets.size());
  auto offset = kept.ttl_offsets.begin();
  for (const Record& record : records) {
    if (is_of_this_hop(record, response)) continue;
    const std::uint32_t ttl =
        record.ttl > std::numeric_limits<std::int32_t>::max() ? 0 : record.ttl;
    entries.push_back({rrset_hash(response, record), ttl, *offset++});
  }
  std::ranges::sort(entries, {},
                    [](const Entry& entry) { return std::pair{entry.rrset, entry.ttl}; });
  for (std::size_t i = 0, first = 0; i < entries.size(); ++i) {
    if (entries[i].rrset != entries[first].rrset) first = i;
    base::store_u32(&kept.wire[entries[i].offset], entries[first].ttl);
  }
}

}  // namespace

base::Result<KeptAnswer> keep_answer(base::Bytes response) {
  const auto unfit = [](std::string_view why) { return std::unexpected(malformed({0, why})); };
  if (response.size() > message_size_max) return unfit("more than 65,535 octets");
  MessageWalk walk(response);
  OfFewRecords<Record> records;
  for (Record record; walk.next(record);) records.push_back(record);
  if (!walk.complete()) return std::unexpected(malformed(walk.fault()));
  if ((walk.flags() & flag::qr) == 0) return unfit("no response");
  if (walk.opcode() != Opcode::query) return unfit("opcode");
  if (walk.question_count() != 1) return unfit("not one question");

  KeptAnswer kept;
  kept.rcode = walk.rcode();
  kept.ttl_offsets.reserve(records.size());
  if (walk.opt()) take_ede(*walk.opt(), response, kept);
  if (!copy_without_hop(response, records, first_moved(walk, records), kept))
    return unfit("too large without compression");
  settle_ttls(response, records, kept);
  base::store_u16(&kept.wire[0], 0);
  base::store_u16(&kept.wire[2], static_cast<std::uint16_t>(walk.flags() & ~flag::z));
  return kept;
}

AnswerFacts facts_of(const AnswerView& answer) {
  AnswerFacts facts;
  MessageWalk walk(answer.wire);
  bool answered = false;
  for (Record record; walk.next(record);) {
    facts.least_ttl = facts.has_ttl ? std::min(facts.least_ttl, record.ttl) : record.ttl;
    facts.has_ttl = true;
    if (record.section == Section::answer) {
      facts.answer_section_empty = false;
      answered =
          answered || record.type == walk.question().type || walk.question().type == RrType::any;
    }
    if (record.section == Section::authority && record.type == RrType::soa && !facts.has_soa) {
      facts.has_soa = true;
      facts.negative_ttl = std::min(record.ttl, base::load_u32(&answer.wire[record.end() - 4]));
    }
  }
  switch (answer.rcode) {
    case Rcode::noerror: facts.kind = answered ? AnswerKind::positive : AnswerKind::nodata; break;
    case Rcode::nxdomain: facts.kind = AnswerKind::nxdomain; break;
    default: facts.kind = AnswerKind::failure; break;
  }
  return facts;
}

void clamp_ttls(KeptAnswer& answer, std::uint32_t least, std::uint32_t most) {
  for (const std::uint16_t offset : answer.ttl_offsets) {
    std::uint8_t* ttl = &answer.wire[offset];
    base::store_u32(ttl, std::clamp(base::load_u32(ttl), least, most));
  }
}

void age_ttls(KeptAnswer& answer, std::uint32_t seconds) {
  for (const std::uint16_t offset : answer.ttl_offsets) {
    std::uint8_t* ttl = &answer.wire[offset];
    base::store_u32(ttl, base::load_u32(ttl) - std::min(base::load_u32(ttl), seconds));
  }
}

KeptAnswer nxdomain_below(const AnswerView& cut, const Question& below) {
  KeptAnswer made;
  made.rcode = Rcode::nxdomain;
  made.has_ede = cut.has_ede;
  made.ede = cut.ede;
  made.ede_text = cut.ede_text;
  begin_message(cut.flags(), below, made.wire);
  std::uint16_t authorities = 0;
  MessageWalk walk(cut.wire);
  for (Record record; walk.next(record);) {
    if (record.section != Section::authority) continue;
    const std::size_t before = made.wire.size();
    const std::size_t ttl_offset = append_record(cut.wire, record, made.wire);
    if (made.wire.size() > message_size_max) {  // without compression the rest has no room
      made.wire.resize(before);
      break;
    }
    made.ttl_offsets.push_back(static_cast<std::uint16_t>(ttl_offset));
    ++authorities;
  }
  base::store_u16(&made.wire[8], authorities);
  return made;
}

}  // namespace dns
