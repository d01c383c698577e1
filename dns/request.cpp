// Parsing a client's query. RFC 1035 §4.1, RFC 6891 §6-7, RFC 9619, RFC 8906 §3.
#include "dns/request.h"

#include "dns/edns.h"

namespace dns {
namespace {

/// The header's counts (RFC 1035 §4.1.1).
struct Counts {
  std::uint16_t questions;
  std::uint16_t answers;
  std::uint16_t authorities;
  std::uint16_t additionals;
};

/// Reads a question at `offset`; gives the offset behind it, 0 when it is malformed. A first
/// question cannot be compressed: nothing stands before it.
std::size_t read_question(base::Bytes wire, std::size_t offset, Question& question) {
  const std::uint8_t* const octets =
      wire.data();  // every packet passes here: one bound per label is enough
  std::size_t at = offset;
  while (at < wire.size() && octets[at] != 0) {
    if (octets[at] > label_size_max) return 0;
    at += std::size_t{1} + octets[at];
  }
  if (wire.size() < at + 5 || at - offset >= name_size_max) return 0;
  question.name.assign(NameView{wire.subspan(offset, at + 1 - offset)});
  question.type = RrType{base::load_u16(octets + at + 1)};
  question.klass = RrClass{base::load_u16(octets + at + 3)};
  return at + 5;
}

/// A record's fixed part as it is read here; OPT gives the fields other meanings (RFC 6891 §6.1.2).
struct RawRecord {
  bool root_owner;
  RrType type;
  std::uint16_t klass;
  std::uint32_t ttl;
  base::Bytes rdata;
};

/// Reads a record at `offset` and moves it behind; false when it is malformed.
bool read_record(base::Bytes wire, std::size_t& offset, RawRecord& record) {
  constexpr std::size_t fixed_size = 10;  // type, class, TTL, RDLENGTH
  record.root_owner = offset < wire.size() && wire[offset] == 0;
  const std::size_t at = record.root_owner ? offset + 1 : skip_name(wire, offset);
  if (at == 0 || wire.size() - at < fixed_size) return false;
  record.type = RrType{base::load_u16(&wire[at])};
  record.klass = base::load_u16(&wire[at + 2]);
  record.ttl = base::load_u32(&wire[at + 4]);
  const std::size_t size = base::load_u16(&wire[at + 8]);
  if (size > wire.size() - at - fixed_size) return false;
  record.rdata = wire.subspan(at + fixed_size, size);
  offset = at + fixed_size + size;
  return true;
}

Verdict read_opt(const RawRecord& opt, Edns& edns) {
  if (edns.present || !opt.root_owner) return Verdict::format_error;  // RFC 6891 §6.1.1, §6.1.2
  edns.present = true;
  edns.udp_size = opt.klass < plain_udp_size ? plain_udp_size : opt.klass;  // RFC 6891 §6.2.3
  edns.version = static_cast<std::uint8_t>(opt.ttl >> 16);
  edns.dnssec_ok = (opt.ttl & 0x8000U) != 0;
  if (edns.version != 0)
    return Verdict::bad_version;  // before the options: another version may shape them otherwise
  return read_query_options(opt.rdata, edns) ? Verdict::accept : Verdict::format_error;
}

/// The additional section up to the packet's end. Records besides OPT (TSIG, SIG(0)) are stepped
/// over.
Verdict read_additional(base::Bytes wire, std::size_t offset, unsigned count, Edns& edns) {
  Verdict verdict = Verdict::accept;
  for (; count > 0; --count) {
    RawRecord record;
    if (!read_record(wire, offset, record)) return Verdict::format_error;
    if (record.type != RrType::opt) continue;
    const Verdict opt = read_opt(record, edns);
    if (opt == Verdict::format_error) return opt;
    if (opt == Verdict::bad_version) verdict = opt;
  }
  return offset == wire.size() ? verdict : Verdict::format_error;
}

/// For a packet that is refused anyway: finds out whether the answer wants an OPT (RFC 6891 §7).
void look_for_opt(base::Bytes wire, const Counts& counts, Edns& edns) {
  std::size_t offset = header_size;
  for (unsigned i = 0; i < counts.questions; ++i) {
    offset = skip_name(wire, offset);
    if (offset == 0 || wire.size() - offset < 4) return;
    offset += 4;
  }
  const unsigned before = unsigned{counts.answers} + counts.authorities;
  for (unsigned i = 0; i < before + counts.additionals; ++i) {
    RawRecord record;
    if (!read_record(wire, offset, record)) return;
    if (i >= before && record.type == RrType::opt) {
      read_opt(record, edns);
      return;
    }
  }
}

Verdict refuse(base::Bytes wire, const Counts& counts, Verdict verdict, Request& request) {
  if (!request.edns.present) look_for_opt(wire, counts, request.edns);
  return verdict;
}

}  // namespace

Verdict parse_request(base::Bytes wire, Request& request) {
  request.has_question = false;
  request.edns = Edns{};
  if (wire.size() < header_size) return Verdict::drop;
  request.id = base::load_u16(&wire[0]);
  request.flags = base::load_u16(&wire[2]);
  if ((request.flags & flag::qr) != 0) return Verdict::drop;
  const Counts counts{base::load_u16(&wire[4]), base::load_u16(&wire[6]), base::load_u16(&wire[8]),
                      base::load_u16(&wire[10])};

  std::size_t offset = header_size;
  if (counts.questions == 1) {
    offset = read_question(wire, offset, request.question);
    request.has_question = offset != 0;
  }
  if (request.opcode() != Opcode::query)
    return refuse(wire, counts, Verdict::not_implemented, request);
  // RFC 9619 §4: one question; and a query brings no answers along.
  if (offset == 0 || counts.questions > 1 || counts.answers != 0 || counts.authorities != 0) {
    return refuse(wire, counts, Verdict::format_error, request);
  }
  const Verdict verdict = read_additional(wire, offset, counts.additionals, request.edns);
  if (verdict == Verdict::accept && counts.questions == 0) {  // RFC 7873 §5.4
    return request.edns.cookie_size != 0 ? Verdict::cookie_only : Verdict::format_error;
  }
  return verdict;
}

}  // namespace dns
