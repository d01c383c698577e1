// The table of special-use names and the answers for them.
#include "gateway/policy/special_names.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace gateway::policy {
namespace {

constexpr std::uint32_t empty_zone_ttl = 10800;  // RFC 6303 §3
constexpr std::array<std::uint8_t, 4> loopback_v4{127, 0, 0, 1};
constexpr std::array<std::uint8_t, 16> loopback_v6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::uint16_t answer_flags = dns::flag::qr | dns::flag::ra;

std::string lower_wire(dns::NameView name) {
  std::string lower;
  for (const std::uint8_t octet : name.wire())
    lower.push_back(static_cast<char>(dns::to_lower(octet)));
  return lower;
}

dns::NameView last_label(dns::NameView name) {
  dns::NameView last = name;
  for (dns::NameView up = name; !up.is_root(); up = up.parent()) last = up;
  return last;
}

}  // namespace

/// Writes header and question at once, then records; the counts are patched as they come.
class LocalAnswerWriter {
 public:
  LocalAnswerWriter(LocalAnswer& answer, const dns::Question& question, dns::Rcode rcode)
      : answer_(answer), out_(answer.wire_) {
    answer.rcode_ = rcode;
    answer.ttl_count_ = 0;
    out_.u16(0);
    out_.u16(static_cast<std::uint16_t>(answer_flags | static_cast<std::uint16_t>(rcode)));
    out_.u16(1);
    out_.zeros(6);
    out_.bytes(question.name.view().wire());
    out_.u16(static_cast<std::uint16_t>(question.type));
    out_.u16(static_cast<std::uint16_t>(question.klass));
  }
  ~LocalAnswerWriter() { answer_.size_ = out_.size(); }
  LocalAnswerWriter(const LocalAnswerWriter&) = delete;
  LocalAnswerWriter& operator=(const LocalAnswerWriter&) = delete;

  void record(bool in_answer, base::Bytes owner, dns::RrType type, base::Bytes rdata) {
    out_.bytes(owner);
    out_.u16(static_cast<std::uint16_t>(type));
    out_.u16(static_cast<std::uint16_t>(dns::RrClass::in));
    answer_.ttl_offsets_[answer_.ttl_count_++] = static_cast<std::uint16_t>(out_.size());
    out_.u32(empty_zone_ttl);
    out_.u16(static_cast<std::uint16_t>(rdata.size()));
    out_.bytes(rdata);
    out_.patch_u16(in_answer ? 6 : 8, 1);
  }

  /// The SOA of RFC 6303 §3: "@ 10800 IN SOA @ nobody.invalid. 1 3600 1200 604800 10800".
  void soa(bool in_answer, base::Bytes zone) {
    std::array<std::uint8_t, 320> rdata;
    base::Writer soa{rdata};
    soa.bytes(zone);
    soa.bytes(base::as_bytes({"\6nobody\7invalid", 16}));
    for (const std::uint32_t field : {1U, 3600U, 1200U, 604800U, empty_zone_ttl}) soa.u32(field);
    record(in_answer, zone, dns::RrType::soa, soa.written());
  }

 private:
  LocalAnswer& answer_;
  base::Writer out_;
};

std::vector<SpecialNames::Row> SpecialNames::table() {
  return {
      {"localhost.", Kind::loopback},
      {"test.", Kind::nonexistent},
      {"invalid.", Kind::nonexistent},
      {"onion.", Kind::nonexistent},
      {"local.", Kind::nonexistent},
      {"home.arpa.", Kind::home},
      {"resolver.arpa.", Kind::resolver},
      // RFC 6303 §4.1 and §4.2
      {"10.in-addr.arpa.", Kind::empty_zone},
      {"168.192.in-addr.arpa.", Kind::empty_zone},
      {"0.in-addr.arpa.", Kind::empty_zone},
      {"127.in-addr.arpa.", Kind::empty_zone},
      {"254.169.in-addr.arpa.", Kind::empty_zone},
      {"2.0.192.in-addr.arpa.", Kind::empty_zone},
      {"100.51.198.in-addr.arpa.", Kind::empty_zone},
      {"113.0.203.in-addr.arpa.", Kind::empty_zone},
      {"255.255.255.255.in-addr.arpa.", Kind::empty_zone},
      // RFC 6303 §4.3 to §4.6
      {"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
       Kind::empty_zone},
      {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
       Kind::empty_zone},
      {"d.f.ip6.arpa.", Kind::empty_zone},
      {"8.e.f.ip6.arpa.", Kind::empty_zone},
      {"9.e.f.ip6.arpa.", Kind::empty_zone},
      {"a.e.f.ip6.arpa.", Kind::empty_zone},
      {"b.e.f.ip6.arpa.", Kind::empty_zone},
      {"8.b.d.0.1.0.0.2.ip6.arpa.", Kind::empty_zone},
  };
}

namespace {

/// The sixteen zones of 172.16/12 (RFC 6303 §4.1) and the sixty-four of 100.64/10 (RFC 7793).
std::vector<std::string> numbered_zones() {
  std::vector<std::string> names;
  for (int i = 16; i < 32; ++i) names.push_back(std::to_string(i) + ".172.in-addr.arpa.");
  for (int i = 64; i < 128; ++i) names.push_back(std::to_string(i) + ".100.in-addr.arpa.");
  return names;
}

}  // namespace

std::vector<std::string> SpecialNames::zones() {
  std::vector<std::string> names;
  for (const Row& row : table()) names.emplace_back(row.name);
  for (std::string& name : numbered_zones()) names.push_back(std::move(name));
  return names;
}

SpecialNames::SpecialNames(std::span<const dns::Name> forwarded,
                           std::span<const dns::Name> routed) {
  const auto add = [&](const std::string& text, Kind kind) {
    const std::optional<dns::Name> name = dns::Name::from_text(text);
    if (name && !std::ranges::contains(forwarded, *name) && !std::ranges::contains(routed, *name))
      zones_.push_back({lower_wire(*name), kind});
  };
  for (const dns::Name& name : routed) zones_.push_back({lower_wire(name), Kind::routed});
  for (const Row& row : table()) add(row.name, row.kind);
  for (const std::string& name : numbered_zones()) add(name, Kind::empty_zone);
  std::ranges::sort(zones_, {}, &Zone::wire);
  for (const Zone& zone : zones_) {
    if (zone.kind == Kind::routed) continue;
    const std::string last = lower_wire(last_label(dns::NameView{base::as_bytes(zone.wire)}));
    if (!std::ranges::contains(last_labels_, last)) last_labels_.push_back(last);
  }
}

bool SpecialNames::may_be_special(dns::NameView name) const {
  const dns::NameView last = last_label(name);
  return std::ranges::any_of(last_labels_, [last](const std::string& label) {
    return last == dns::NameView{base::as_bytes(label)};
  });
}

const SpecialNames::Zone* SpecialNames::zone_of(dns::NameView name) const {
  if (!may_be_special(name)) return nullptr;
  std::array<char, dns::name_size_max> lower;
  std::ranges::transform(name.wire(), lower.begin(), [](std::uint8_t octet) {
    return static_cast<char>(dns::to_lower(octet));
  });
  const char* const end = lower.data() + name.size();
  for (const char* at = lower.data(); *at != 0; at += 1 + static_cast<std::uint8_t>(*at)) {
    const std::string_view suffix{at, end};
    const auto found = std::ranges::lower_bound(
        zones_, suffix, {}, [](const Zone& zone) { return std::string_view{zone.wire}; });
    if (found != zones_.end() && found->wire == suffix) return &*found;
  }
  return nullptr;
}

bool SpecialNames::answer(const dns::Question& question, bool dnssec_ok,
                          LocalAnswer& answer) const {
  if (question.klass != dns::RrClass::in) return false;
  const Zone* zone = zone_of(question.name);
  if (zone == nullptr || zone->kind == Kind::routed) return false;
  const base::Bytes apex = base::as_bytes(zone->wire);
  const bool at_apex = question.name.size() == apex.size();

  if (zone->kind == Kind::home && question.type == dns::RrType::ds && dnssec_ok)
    return false;  // RFC 8375 §4
  if (zone->kind == Kind::loopback) {
    LocalAnswerWriter out{answer, question, dns::Rcode::noerror};
    const base::Bytes owner = question.name.view().wire();
    if (question.type == dns::RrType::a) {
      out.record(true, owner, dns::RrType::a, loopback_v4);
    } else if (question.type == dns::RrType::aaaa) {
      out.record(true, owner, dns::RrType::aaaa, loopback_v6);
    } else {
      out.soa(false, apex);
    }
    return true;
  }
  const bool exists = at_apex && zone->kind != Kind::nonexistent;
  LocalAnswerWriter out{answer, question, exists ? dns::Rcode::noerror : dns::Rcode::nxdomain};
  if (exists && question.type == dns::RrType::soa) {
    out.soa(true, apex);
  } else if (exists && question.type == dns::RrType::ns) {
    out.record(true, apex, dns::RrType::ns, apex);
  } else {
    out.soa(false, apex);
  }
  return true;
}

}  // namespace gateway::policy
