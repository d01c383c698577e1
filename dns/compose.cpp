// Composing a query for an upstream. RFC 1035 §4.1, RFC 6891 §6.1, RFC 7873 §5.1, RFC 7828 §3.2.1,
// RFC 8467 §4.1.
#include "dns/compose.h"

#include "dns/opt_writer.h"

namespace dns {

std::size_t compose_query(const Question& question, const OutgoingOptions& options,
                          base::MutableBytes out) {
  base::Writer writer(out);
  writer.u16(options.id);
  writer.u16(static_cast<std::uint16_t>(flag::rd | (options.authentic_data ? flag::ad : 0) |
                                        (options.checking_disabled ? flag::cd : 0)));
  writer.u16(1);  // QDCOUNT
  writer.u32(0);
  writer.u16(options.edns ? 1 : 0);  // ARCOUNT: OPT
  write_question(writer, question);
  if (!options.edns) return writer.ok() ? writer.size() : 0;

  const std::size_t keepalive = options.keepalive ? option_header_size : 0;
  const std::size_t cookie =
      options.cookie.empty() ? 0 : option_header_size + options.cookie.size();
  const std::size_t least = writer.size() + opt_size_least + keepalive + cookie;
  const std::size_t padding = padding_for(least, options.padding_block, out.size());
  write_opt_header(writer, {options.udp_size, 0, options.dnssec_ok, keepalive + cookie + padding});
  if (options.keepalive) write_option_header(writer, EdnsOption::tcp_keepalive, 0);
  if (cookie != 0) {
    write_option_header(writer, EdnsOption::cookie, options.cookie.size());
    writer.bytes(options.cookie);
  }
  write_padding(writer, padding);
  return writer.ok() ? writer.size() : 0;
}

}  // namespace dns
