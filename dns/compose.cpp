// Composing a query for an upstream. RFC 1035 §4.1, RFC 6891 §6.1, RFC 7873 §5.1, RFC 8467 §4.1.
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
  writer.u16(1);  // ARCOUNT: OPT
  write_question(writer, question);

  const std::size_t cookie =
      options.cookie.empty() ? 0 : option_header_size + options.cookie.size();
  const std::size_t padding =
      padding_for(writer.size() + opt_size_least + cookie, options.padding_block, out.size());
  write_opt_header(writer, {options.udp_size, 0, options.dnssec_ok, cookie + padding});
  if (cookie != 0) {
    write_option_header(writer, EdnsOption::cookie, options.cookie.size());
    writer.bytes(options.cookie);
  }
  write_padding(writer, padding);
  return writer.ok() ? writer.size() : 0;
}

}  // namespace dns
