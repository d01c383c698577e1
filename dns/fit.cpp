// Fitting an answer to its client: one copy, then patches; no allocation. RFC 1035 §4.1.1, RFC 2181
// §9, RFC 6840 §5.7-5.8, RFC 6891 §6.1.1, §7, RFC 8467 §4.1, RFC 8914 §3.
#include "dns/fit.h"

#include <algorithm>
#include <cstring>

#include "dns/cookie.h"
#include "dns/opt_writer.h"

namespace dns {
namespace {

/// What our OPT will hold; known before an octet is written, so that the answer's size is too.
class OptPlan {
 public:
  OptPlan(const Request& request, const FitOptions& options, const std::optional<EdeNote>& ede)
      : edns_(request.edns), options_(options) {
    if (!edns_.present) return;
    size_ = opt_size_least;
    if (has_cookie())
      size_ += option_header_size + client_cookie_size + options.server_cookie->size();
    if (options.keepalive) size_ += option_header_size + 2;
    if (ede) {
      ede_ = &*ede;
      ede_text_ = ede->text;
      size_ += option_header_size + 2 + ede_text_.size();
    }
  }

  /// Without padding.
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool present() const { return size_ != 0; }

  /// Drops EDE's text, then EDE, as far as `room` demands (RFC 8914 §3: it must not be why an
  /// answer is truncated).
  void shrink_to(std::size_t room) {
    if (size_ <= room || ede_ == nullptr) return;
    size_ -= ede_text_.size();
    ede_text_ = {};
    if (size_ <= room) return;
    size_ -= option_header_size + 2;
    ede_ = nullptr;
  }

  void write(base::Writer& out, Rcode rcode, std::size_t limit) const {
    if (!present()) return;
    const std::size_t padding = padding_for(out.size() + size_, options_.padding_block, limit);
    const auto upper = static_cast<std::uint8_t>(static_cast<std::uint16_t>(rcode) >> 4);
    write_opt_header(
        out, {options_.our_udp_size, upper, edns_.dnssec_ok, size_ - opt_size_least + padding});
    if (has_cookie()) {
      write_option_header(out, EdnsOption::cookie,
                          client_cookie_size + options_.server_cookie->size());
      out.bytes(base::Bytes{edns_.cookie}.first(client_cookie_size));
      out.bytes(*options_.server_cookie);
    }
    if (options_.keepalive) {
      write_option_header(out, EdnsOption::tcp_keepalive, 2);
      out.u16(*options_.keepalive);
    }
    if (ede_ != nullptr) {
      write_option_header(out, EdnsOption::ede, 2 + ede_text_.size());
      out.u16(static_cast<std::uint16_t>(ede_->code));
      out.bytes(base::as_bytes(ede_text_));
    }
    write_padding(out, padding);
  }

 private:
  [[nodiscard]] bool has_cookie() const {
    return edns_.cookie_size >= client_cookie_size && options_.server_cookie != nullptr;
  }

  const Edns& edns_;
  const FitOptions& options_;
  const EdeNote* ede_ = nullptr;
  std::string_view ede_text_;
  std::size_t size_ = 0;
};

/// The four bits of the header. A client without EDNS cannot be told the other eight.
Rcode header_rcode(const Request& request, Rcode rcode) {
  if (static_cast<std::uint16_t>(rcode) <= 15) return rcode;
  return request.edns.present
             ? Rcode{static_cast<std::uint16_t>(static_cast<std::uint16_t>(rcode) & 15U)}
             : Rcode::servfail;
}

/// `answer` brings AD and TC; AA, Z and whatever else stood there do not travel on.
std::uint16_t flags_for(const Request& request, std::uint16_t answer, Rcode rcode) {
  constexpr std::uint16_t opcode_bits = 0x7800;
  const bool wants_ad = request.edns.dnssec_ok || request.authentic_data();  // RFC 6840 §5.7-5.8
  const auto from_request =
      static_cast<std::uint16_t>(request.flags & (opcode_bits | flag::rd | flag::cd));
  const auto from_answer =
      static_cast<std::uint16_t>(answer & (flag::tc | (wants_ad ? flag::ad : 0)));
  return static_cast<std::uint16_t>(flag::qr | flag::ra | from_request | from_answer |
                                    static_cast<std::uint16_t>(header_rcode(request, rcode)));
}

/// Header and question with nothing behind, or room for OPT alone.
std::size_t write_bare(const Request& request, std::uint16_t flags, Rcode rcode, const OptPlan& opt,
                       base::MutableBytes out) {
  base::Writer writer(out);
  writer.u16(request.id);
  writer.u16(flags);
  writer.u16(request.has_question ? 1 : 0);
  writer.u32(0);
  writer.u16(opt.present() ? 1 : 0);
  if (request.has_question) write_question(writer, request.question);
  opt.write(writer, rcode, out.size());
  return writer.ok() ? writer.size() : 0;
}

void patch_ttls(std::span<const std::uint16_t> offsets, const FitOptions& options,
                std::uint8_t* message) {
  if (options.fixed_ttl) {
    for (const std::uint16_t offset : offsets)
      base::store_u32(message + offset, *options.fixed_ttl);
  } else if (options.age != 0) {
    for (const std::uint16_t offset : offsets) {
      const std::uint32_t ttl = base::load_u32(message + offset);
      base::store_u32(message + offset, ttl > options.age ? ttl - options.age : 0);
    }
  }
}

/// Does the answer's question have a name as long as the request's? Then everything behind it stays
/// where it is.
bool same_layout(const Request& request, const AnswerView& answer) {
  return request.has_question &&
         skip_plain_name(answer.wire, header_size) == header_size + request.question.name.size();
}

}  // namespace

std::size_t fit(const Request& request, const AnswerView& answer, const FitOptions& options,
                base::MutableBytes out) {
  if (!same_layout(request, answer)) return fit_empty(request, Rcode::servfail, options, out);
  const base::MutableBytes room = out.first(std::min(options.size_limit, out.size()));
  std::optional<EdeNote> ede = options.ede;
  if (!ede && answer.has_ede) ede = EdeNote{answer.ede, answer.ede_text};
  OptPlan opt(request, options, ede);

  const std::size_t size = answer.wire.size();
  opt.shrink_to(room.size() > size ? room.size() - size : 0);
  const std::uint16_t flags = flags_for(request, answer.flags(), answer.rcode);
  if (options.truncate || size + opt.size() > room.size()) {
    return write_bare(request, static_cast<std::uint16_t>(flags | flag::tc), answer.rcode, opt,
                      room);  // RFC 2181 §9
  }

  std::memcpy(room.data(), answer.wire.data(), size);
  base::store_u16(&room[0], request.id);
  base::store_u16(&room[2], flags);
  base::Writer question(room.subspan(header_size));
  write_question(question, request.question);
  patch_ttls(answer.ttl_offsets, options, room.data());
  if (!opt.present()) return size;

  base::store_u16(&room[10], static_cast<std::uint16_t>(base::load_u16(&room[10]) + 1));
  base::Writer tail(room, size);
  opt.write(tail, answer.rcode, room.size());
  return tail.size();
}

std::size_t fit_empty(const Request& request, Rcode rcode, const FitOptions& options,
                      base::MutableBytes out) {
  const base::MutableBytes room = out.first(std::min(options.size_limit, out.size()));
  OptPlan opt(request, options, options.ede);
  const std::size_t bare =
      header_size + (request.has_question ? request.question.name.size() + 4 : 0);
  opt.shrink_to(room.size() > bare ? room.size() - bare : 0);
  const std::uint16_t from_answer = options.truncate ? flag::tc : 0;
  return write_bare(request, flags_for(request, from_answer, rcode), rcode, opt, room);
}

Rcode rcode_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::format_error: return Rcode::formerr;
    case Verdict::not_implemented: return Rcode::notimp;
    case Verdict::bad_version: return Rcode::badvers;
    case Verdict::too_early: return Rcode::refused;
    case Verdict::accept:
    case Verdict::drop:
    case Verdict::cookie_only: break;
  }
  return Rcode::noerror;
}

}  // namespace dns
