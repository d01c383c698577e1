// The strict walk against ldns, an independent implementation of the same RFCs: a million messages,
// the same verdict and the same fields. Where the two may differ is listed in `Rule` with its
// reason, and each case is checked to be such a case; any other difference fails.
#include "dns/message.h"

#include <gtest/gtest.h>
#include <ldns/ldns.h>

#include <array>
#include <map>
#include <memory>
#include <string>

#include "dns/encoding.h"
#include "dns/rdata.h"
#include "dns/record_copy.h"
#include "tests/dns/message_generator.h"

namespace dns {
namespace {

using test::Octets;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SALLYPORT_SLOW_TESTS
#endif
#endif
#ifndef __OPTIMIZE__
#define SALLYPORT_SLOW_TESTS
#endif

constexpr std::size_t seeds = 10;
#ifdef SALLYPORT_SLOW_TESTS
constexpr std::size_t messages_per_seed = 20'000;
#else
constexpr std::size_t messages_per_seed = 100'000;
#endif

enum class Rule : std::uint8_t {
  same,
  /// ldns goes on reading where the last field of a record ended, although RDLENGTH says where it
  /// ends (RFC 1035 §3.2.1): too much or too little rdata makes it read everything behind at the
  /// wrong place.
  ldns_ignores_rdlength,
  /// ldns is content when fields are missing at the rdata's end; RFC 1035 §3.3 has none that may
  /// be.
  ldns_allows_missing_fields,
  /// ldns follows pointers forwards, in circles, into the header and through what comes later; RFC
  /// 1035 §4.1.4 says "a prior occurrence".
  ldns_follows_any_pointer,
  /// ldns does not look behind the last record; RFC 1035 §4.1 has nothing there.
  ldns_ignores_what_is_behind,
  /// ldns takes OPT records anywhere, any number of them, of any owner and content; RFC 6891
  /// §6.1.1-6.1.2 does not.
  ldns_allows_any_opt,
  /// ldns takes TSIG from the count of additional records while it still counts them, and so leaves
  /// out the last ones (RFC 1035 §4.1.1: ARCOUNT is their number).
  ldns_miscounts_after_tsig,
  /// We pass on rdata of these types without reading it (RFC 3597 §3); ldns reads some of it.
  opaque_to_us,
  count,
};

using LdnsRr = std::unique_ptr<ldns_rr, decltype(&ldns_rr_free)>;
using LdnsPkt = std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)>;

Octets octets_of(const ldns_rdf* rdf) {
  const std::uint8_t* data = ldns_rdf_data(rdf);
  return {data, data + ldns_rdf_size(rdf)};
}

/// ldns's opinion of the record that begins at `offset`.
struct LdnsRecord {
  LdnsRr rr{nullptr, ldns_rr_free};
  std::size_t end = 0;

  LdnsRecord(const Octets& wire, std::size_t offset) : end(offset) {
    ldns_rr* parsed = nullptr;
    if (ldns_wire2rr(&parsed, wire.data(), wire.size(), &end, LDNS_SECTION_ANSWER) ==
        LDNS_STATUS_OK)
      rr.reset(parsed);
  }
  [[nodiscard]] bool lacks_fields() const {
    const ldns_rr_descriptor* descriptor = ldns_rr_descript(ldns_rr_get_type(rr.get()));
    return ldns_rr_rd_count(rr.get()) < ldns_rr_descriptor_minimum(descriptor);
  }
  [[nodiscard]] Octets rdata() const {
    Octets all;
    for (std::size_t i = 0; i < ldns_rr_rd_count(rr.get()); ++i) {
      const Octets one = octets_of(ldns_rr_rdf(rr.get(), i));
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }
};

/// Decided without dns/: does a pointer of the name at `offset` lead anywhere but strictly before
/// the part it ends, or into the header; are there more than 127; or does what they lead to run on
/// past `limit`, the end of what stands before?
bool has_odd_pointer(const Octets& wire, std::size_t offset, std::size_t limit) {
  std::size_t part = offset;
  std::size_t at = offset;
  int pointers = 0;
  while (at < limit && wire[at] != 0) {
    if (wire[at] < 192) {
      at += std::size_t{1} + wire[at];
      continue;
    }
    if (at + 1 >= limit) return false;
    const std::size_t target = (wire[at] & 63U) * 256U + wire[at + 1];
    if (target >= part || target < 12 || ++pointers > 127) return true;
    part = at = target;
  }
  return pointers > 0 && at >= limit;
}

/// The same for the names in the rdata between `at` and `end`, found by ldns's own table.
bool rdata_has_odd_pointer(const Octets& wire, std::size_t at, std::size_t end,
                           const LdnsRecord& record) {
  const ldns_rr_descriptor* descriptor = ldns_rr_descript(ldns_rr_get_type(record.rr.get()));
  for (std::size_t i = 0; i < ldns_rr_rd_count(record.rr.get()); ++i) {
    if (ldns_rr_descriptor_field_type(descriptor, i) != LDNS_RDF_TYPE_DNAME) {
      at += ldns_rdf_size(ldns_rr_rdf(record.rr.get(), i));
      continue;
    }
    if (has_odd_pointer(wire, at, end)) return true;
    ldns_rdf* name = nullptr;
    if (ldns_wire2dname(&name, wire.data(), wire.size(), &at) != LDNS_STATUS_OK) return false;
    ldns_rdf_deep_free(name);
  }
  return false;
}

bool options_are_whole(base::Bytes rdata) {
  std::size_t at = 0;
  while (at + 4 <= rdata.size()) at += 4U + rdata[at + 2] * 256U + rdata[at + 3];
  return at == rdata.size();
}

bool is_opaque_to_us(const Record& record) {
  const TypeRow* row = row_of(record.type);
  const bool address = record.type == RrType::a || record.type == RrType::aaaa;
  return row == nullptr || !row->checked || (address && record.klass != RrClass::in);
}

/// Our reading of a message, kept for comparing.
struct Ours {
  explicit Ours(const Octets& wire) : walk(wire) {
    for (Record record; walk.next(record);) records.push_back(record);
  }
  MessageWalk walk;
  std::vector<Record> records;
};

class Comparison {
 public:
  explicit Comparison(const Octets& wire) : wire_(wire), ours_(wire) {
    ldns_pkt* parsed = nullptr;
    if (ldns_wire2pkt(&parsed, wire.data(), wire.size()) == LDNS_STATUS_OK) theirs_.reset(parsed);
  }

  [[nodiscard]] bool both_accept() const { return ours_.walk.complete() && theirs_; }
  [[nodiscard]] bool both_refuse() const { return !ours_.walk.complete() && !theirs_; }

  /// Nothing, or what is different without a rule that allows it.
  std::string difference() {
    if (both_refuse()) return {};
    if (!reads_in_step()) return allow(Rule::ldns_ignores_rdlength);
    if (something_follows_tsig()) return allow(Rule::ldns_miscounts_after_tsig);
    if (both_accept()) return different_fields();
    return ours_.walk.complete() ? why_ldns_refuses() : why_we_refuse();
  }
  [[nodiscard]] Rule rule() const { return rule_; }

 private:
  std::string allow(Rule rule) {
    rule_ = rule;
    return {};
  }

  /// Do the records that we read end for ldns where they end for us?
  bool reads_in_step() {
    for (const Record& record : ours_.records) {
      const LdnsRecord theirs(wire_, record.offset);
      if (theirs.rr && theirs.end != record.end()) return false;
    }
    if (const auto& opt = ours_.walk.opt()) {
      const LdnsRecord theirs(wire_, opt->offset);
      if (!theirs.rr || theirs.end != opt->end()) return false;
    }
    return true;
  }

  /// Something that is read, or that ends our reading.
  [[nodiscard]] bool something_follows_tsig() const {
    const auto tsig = std::ranges::find_if(ours_.records, [](const Record& record) {
      return record.section == Section::additional && record.type == RrType::tsig;
    });
    if (tsig == ours_.records.end()) return false;
    return faulty_record() != tsig->end() || !ours_.walk.complete();
  }

  std::string why_ldns_refuses() {
    for (const Record& record : ours_.records) {
      if (LdnsRecord(wire_, record.offset).rr) continue;
      if (is_opaque_to_us(record)) return allow(Rule::opaque_to_us);
      return "ldns refuses a record of type " + to_text(record.type);
    }
    return "ldns refuses, although it reads every record";
  }

  std::string why_we_refuse() {
    const MessageWalk::Fault& fault = ours_.walk.fault();
    if (fault.what == "octets behind the last record")
      return allow(Rule::ldns_ignores_what_is_behind);
    if (fault.what == "question" || fault.what == "owner name") {
      if (has_odd_pointer(wire_, fault.offset, wire_.size()))
        return allow(Rule::ldns_follows_any_pointer);
    }
    if (fault.what == "rdata") return why_we_refuse_rdata(fault.offset);
    if (fault.what.contains("OPT") || fault.what == "EDNS options") return why_we_refuse_opt();
    return "we refuse: " + std::string{fault.what} + " at " + std::to_string(fault.offset);
  }

  std::string why_we_refuse_rdata(std::size_t offset) {
    const LdnsRecord theirs(wire_, faulty_record());
    if (!theirs.rr) return "ldns refuses that record, too, but not the message";
    const std::size_t end = offset + base::load_u16(&wire_[offset - 2]);
    if (theirs.end != end) return allow(Rule::ldns_ignores_rdlength);
    if (theirs.lacks_fields()) return allow(Rule::ldns_allows_missing_fields);
    if (rdata_has_odd_pointer(wire_, offset, end, theirs))
      return allow(Rule::ldns_follows_any_pointer);
    return "we refuse rdata that ldns reads";
  }

  std::string why_we_refuse_opt() {
    const std::size_t offset = faulty_record();
    const LdnsRecord theirs(wire_, offset);
    if (!theirs.rr || ldns_rr_get_type(theirs.rr.get()) != LDNS_RR_TYPE_OPT)
      return "we take a record for OPT";
    const bool additional = ours_.walk.opt() || records_before_additional() <= ours_.records.size();
    const bool sound =
        additional && !ours_.walk.opt() && wire_[offset] == 0 && options_are_whole(theirs.rdata());
    return sound ? "we refuse a sound OPT" : allow(Rule::ldns_allows_any_opt);
  }

  [[nodiscard]] std::size_t records_before_additional() const {
    return std::size_t{base::load_u16(&wire_[6])} + base::load_u16(&wire_[8]);
  }

  /// Behind the last record that we read: there begins the one in which the walk ended.
  [[nodiscard]] std::size_t faulty_record() const {
    std::size_t offset = ours_.walk.records_offset();
    if (!ours_.records.empty()) offset = ours_.records.back().end();
    if (const auto& opt = ours_.walk.opt()) offset = std::max(offset, opt->end());
    return offset;
  }

  std::string different_fields() {
    if (std::string header = different_header(); !header.empty()) return header;
    for (const Record& record : ours_.records) {
      if (std::string fields = different_record(record); !fields.empty()) return fields;
    }
    return {};
  }

  std::string different_header() {
    const ldns_pkt* pkt = theirs_.get();
    const MessageWalk& walk = ours_.walk;
    const std::uint16_t flags = static_cast<std::uint16_t>(
        (ldns_pkt_qr(pkt) ? flag::qr : 0) | (ldns_pkt_aa(pkt) ? flag::aa : 0) |
        (ldns_pkt_tc(pkt) ? flag::tc : 0) | (ldns_pkt_rd(pkt) ? flag::rd : 0) |
        (ldns_pkt_ra(pkt) ? flag::ra : 0) | (ldns_pkt_ad(pkt) ? flag::ad : 0) |
        (ldns_pkt_cd(pkt) ? flag::cd : 0) | static_cast<unsigned>(ldns_pkt_get_opcode(pkt)) << 11 |
        static_cast<unsigned>(ldns_pkt_get_rcode(pkt)));
    if (walk.id() != ldns_pkt_id(pkt)) return "id";
    if ((walk.flags() & ~flag::z) != flags) return "flags";  // ldns forgets Z
    if (walk.question_count() != ldns_pkt_qdcount(pkt)) return "QDCOUNT";
    if (walk.count(Section::answer) != ldns_pkt_ancount(pkt)) return "ANCOUNT";
    if (walk.count(Section::authority) != ldns_pkt_nscount(pkt)) return "NSCOUNT";
    const auto set_apart = std::ranges::count_if(ours_.records, [](const Record& record) {
      return record.section == Section::additional && record.type == RrType::tsig;
    });
    const std::size_t opts = walk.opt() ? 1 : 0;
    if (walk.count(Section::additional) - static_cast<std::size_t>(set_apart) - opts !=
        ldns_pkt_arcount(pkt)) {
      return "ARCOUNT";
    }
    if (walk.opt().has_value() != ldns_pkt_edns(pkt)) return "EDNS";
    if (walk.opt() && different_opt(*walk.opt())) return "OPT";
    return walk.question_count() == 0 || same_question() ? std::string{} : "question";
  }

  bool different_opt(const Record& opt) {
    const OptFields fields = opt_fields(opt);
    const ldns_pkt* pkt = theirs_.get();
    return fields.udp_size != ldns_pkt_edns_udp_size(pkt) ||
           fields.version != ldns_pkt_edns_version(pkt) ||
           fields.extended_rcode != ldns_pkt_edns_extended_rcode(pkt) ||
           fields.flags != ldns_pkt_edns_z(pkt) ||
           (opt.rdata_size != 0 &&
            !std::ranges::equal(opt.rdata(wire_), octets_of(ldns_pkt_edns_data(pkt))));
  }

  bool same_question() {
    const ldns_rr* theirs = ldns_rr_list_rr(ldns_pkt_question(theirs_.get()), 0);
    const Question& question = ours_.walk.question();
    return std::ranges::equal(question.name.view().wire(), octets_of(ldns_rr_owner(theirs))) &&
           static_cast<unsigned>(question.type) ==
               static_cast<unsigned>(ldns_rr_get_type(theirs)) &&
           static_cast<unsigned>(question.klass) ==
               static_cast<unsigned>(ldns_rr_get_class(theirs));
  }

  std::string different_record(const Record& record) {
    const LdnsRecord theirs(wire_, record.offset);
    if (!theirs.rr) return "ldns reads the message, but not this record of it";
    const ldns_rr* rr = theirs.rr.get();
    Name owner;
    read_name(wire_, record.offset, owner);
    if (!std::ranges::equal(owner.view().wire(), octets_of(ldns_rr_owner(rr)))) return "owner";
    if (static_cast<unsigned>(record.type) != static_cast<unsigned>(ldns_rr_get_type(rr)))
      return "type";
    if (static_cast<unsigned>(record.klass) != static_cast<unsigned>(ldns_rr_get_class(rr)))
      return "class";
    if (record.ttl != ldns_rr_ttl(rr)) return "TTL";
    Octets copy;
    const std::size_t rdata_at = append_record(wire_, record, copy) + 6;
    if (!std::ranges::equal(base::Bytes{copy}.subspan(rdata_at), theirs.rdata())) {
      // ldns writes out compressed names of types that may not have them (RFC 3597 §4).
      if (is_opaque_to_us(record)) return allow(Rule::opaque_to_us);
      return "rdata of type " + to_text(record.type);
    }
    return {};
  }

  const Octets& wire_;
  Ours ours_;
  LdnsPkt theirs_{nullptr, ldns_pkt_free};
  Rule rule_ = Rule::same;
};

class Differential : public testing::TestWithParam<std::size_t> {};

TEST_P(Differential, SameVerdictAndFieldsAsLdns) {
  test::MessageGenerator generator(GetParam());
  std::array<std::size_t, static_cast<std::size_t>(Rule::count)> rules{};
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < messages_per_seed; ++i) {
    const Octets& wire = generator.next();
    Comparison comparison(wire);
    const std::string difference = comparison.difference();
    ASSERT_EQ(difference, "") << "seed " << GetParam() << ", message " << i << ": " << to_hex(wire);
    ++rules[static_cast<std::size_t>(comparison.rule())];
    if (comparison.rule() != Rule::same) continue;
    if (comparison.both_accept()) ++accepted;
    if (comparison.both_refuse()) ++refused;
  }
  for (std::size_t rule = 0; rule < rules.size(); ++rule) {
    RecordProperty("rule_" + std::to_string(rule), static_cast<int>(rules[rule]));
  }
  // Chance must not have become one-sided, or the comparison would prove little.
  EXPECT_GT(accepted, messages_per_seed / 4);
  EXPECT_GT(refused, messages_per_seed / 10);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Differential, testing::Range(std::size_t{1}, seeds + 1));

}  // namespace
}  // namespace dns
