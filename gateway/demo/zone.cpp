// The zone's records and how a question finds its own among them.
#include "gateway/demo/zone.h"

#include <algorithm>
#include <format>
#include <stdexcept>
#include <string>

#include "dns/record_copy.h"

namespace gateway::demo {
namespace {

constexpr std::size_t chain_max = 8;  // CNAMEs in one answer
constexpr std::uint32_t negative_ttl = 30;

dns::Name name_below_apex(std::string_view label) {
  const std::string text =
      label.empty() ? std::string(zone_name) : std::format("{}.{}", label, zone_name);
  const auto name = dns::Name::from_text(text);
  if (!name) throw std::invalid_argument(text);
  return *name;
}

/// An answer under construction: its octets, and where its TTLs are.
class Composer {
 public:
  explicit Composer(const dns::Question& question) {
    dns::begin_message(dns::flag::qr, question, answer_.wire);
  }

  void add_answer(dns::NameView owner, dns::RrType type, std::uint32_t ttl, const Rdata& rdata) {
    add(owner, type, ttl, rdata, 6);  // ANCOUNT
  }
  void add_authority(dns::NameView owner, dns::RrType type, std::uint32_t ttl, const Rdata& rdata) {
    add(owner, type, ttl, rdata, 8);  // NSCOUNT
  }

  dns::KeptAnswer finish(dns::Rcode rcode) {
    answer_.rcode = rcode;
    const std::uint16_t flags = base::load_u16(&answer_.wire[2]);
    base::store_u16(&answer_.wire[2],
                    static_cast<std::uint16_t>(flags | (static_cast<std::uint16_t>(rcode) & 15)));
    return std::move(answer_);
  }
  dns::KeptAnswer finish(dns::Rcode rcode, dns::Ede reason, std::string_view text) {
    answer_.has_ede = true;
    answer_.ede = reason;
    answer_.ede_text = text;
    return finish(rcode);
  }

 private:
  void add(dns::NameView owner, dns::RrType type, std::uint32_t ttl, const Rdata& rdata,
           std::size_t count_offset) {
    std::vector<std::uint8_t>& wire = answer_.wire;
    const std::size_t begin = wire.size();
    wire.resize(begin + owner.size() + 10 + rdata.size());
    base::Writer writer(base::MutableBytes(wire).subspan(begin));
    writer.bytes(owner.wire());
    writer.u16(static_cast<std::uint16_t>(type));
    writer.u16(static_cast<std::uint16_t>(dns::RrClass::in));
    answer_.ttl_offsets.push_back(static_cast<std::uint16_t>(begin + writer.size()));
    writer.u32(ttl);
    writer.u16(static_cast<std::uint16_t>(rdata.size()));
    writer.bytes(rdata);
    base::store_u16(&wire[count_offset],
                    static_cast<std::uint16_t>(base::load_u16(&wire[count_offset]) + 1));
  }

  dns::KeptAnswer answer_;
};

}  // namespace

Zone::Zone()
    : apex_(name_below_apex("")),
      slow_(name_below_apex("slow")),
      silent_(name_below_apex("silent")),
      fail_(name_below_apex("fail")),
      whoami_(name_below_apex("whoami")) {
  using enum dns::RrType;
  add("", soa, 3600, start_of_authority("ns.demo.test.", "hostmaster.demo.test.", negative_ttl));
  add("", ns, 3600, target("ns.demo.test."));
  add("", mx, 300, mail(10, "mail.demo.test."));
  add("", mx, 300, mail(20, "mail2.demo.test."));
  add("", txt, 300, text({"the demonstration zone of sallyport"}));
  add("ns", a, 3600, address("192.0.2.53"));
  add("mail", a, 300, address("192.0.2.25"));
  add("mail2", a, 300, address("192.0.2.26"));
  add("www", a, 300, address("192.0.2.80"));
  add("www", a, 300, address("192.0.2.81"));
  add("www", aaaa, 300, address("2001:db8::80"));
  add("www", dns::RrType::https, 300, service_binding(1, {"h2", "h3"}, "192.0.2.80"));
  add("alias", cname, 300, target("alias2.demo.test."));
  add("alias2", cname, 120, target("www.demo.test."));
  add("_sip._tcp", srv, 300, service(1, 10, 5061, "www.demo.test."));
  add("big", txt, 300, long_text(3000));
  add("huge", txt, 300, long_text(60'000));
  add("short", a, 5, address("192.0.2.5"));  // to watch it expire
  add("slow", a, 60, address("192.0.2.30"));
  add("silent", a, 60, address("192.0.2.31"));
  add("*.any", a, 60, address("192.0.2.99"));
}

Manner Zone::manner_of(const dns::Question& question) const {
  if (question.name == slow_) return Manner::slowly;
  if (question.name == silent_) return Manner::never;
  return Manner::at_once;
}

dns::KeptAnswer Zone::answer(const dns::Question& question, conf::Protocol came_over) const {
  using dns::RrType;
  Composer composer(question);
  if (!question.name.view().is_at_or_below(apex_) || question.klass != dns::RrClass::in) {
    return composer.finish(dns::Rcode::refused, dns::Ede::not_authoritative,
                           "the demonstration knows demo.test. alone");
  }
  if (question.name == fail_)
    return composer.finish(dns::Rcode::servfail, dns::Ede::other, "fails on purpose");
  if (question.name == whoami_ && question.type == RrType::txt) {
    composer.add_answer(whoami_, RrType::txt, 0,
                        text({std::format("asked over {}", row_of(came_over).name)}));
    return composer.finish(dns::Rcode::noerror);
  }

  dns::Name name = question.name;
  for (std::size_t links = 0; links < chain_max; ++links) {
    const dns::Name source = source_of(name);
    const auto found = find(source, question.type);
    for (const Record* record : found)
      composer.add_answer(name, record->type, record->ttl, record->rdata);
    if (!found.empty()) return composer.finish(dns::Rcode::noerror);
    const auto alias = find(source, RrType::cname);
    if (alias.empty()) break;
    composer.add_answer(name, RrType::cname, alias.front()->ttl, alias.front()->rdata);
    name = dns::Name(dns::NameView(alias.front()->rdata));
  }
  const Record& soa = *find(apex_, RrType::soa).front();
  composer.add_authority(apex_, soa.type, negative_ttl, soa.rdata);  // RFC 2308 §3
  return composer.finish(exists(source_of(name)) ? dns::Rcode::noerror : dns::Rcode::nxdomain);
}

void Zone::add(std::string_view label, dns::RrType type, std::uint32_t ttl, Rdata rdata) {
  records_.push_back({name_below_apex(label), type, ttl, std::move(rdata)});
}

// Also an empty non-terminal exists (RFC 8020 §1): any.demo.test., _tcp.demo.test.
bool Zone::exists(dns::NameView name) const {
  return name == fail_.view() || name == whoami_.view() ||
         std::ranges::any_of(records_, [name](const Record& record) {
           return record.owner.view().is_at_or_below(name);
         });
}

std::vector<const Zone::Record*> Zone::find(dns::NameView name, dns::RrType type) const {
  std::vector<const Record*> found;
  for (const Record& record : records_) {
    const bool wanted = record.type == type || type == dns::RrType::any;
    if (wanted && record.owner.view() == name) found.push_back(&record);
  }
  return found;
}

dns::Name Zone::source_of(dns::NameView name) const {
  if (exists(name)) return dns::Name(name);
  dns::NameView encloser = name.parent();
  while (!exists(encloser)) encloser = encloser.parent();
  std::vector<std::uint8_t> wildcard{1, '*'};
  wildcard.insert(wildcard.end(), encloser.wire().begin(), encloser.wire().end());
  const bool there = wildcard.size() <= dns::name_size_max && exists(dns::NameView(wildcard));
  return there ? dns::Name(dns::NameView(wildcard)) : dns::Name(name);
}

}  // namespace gateway::demo
