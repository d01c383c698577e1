// What OPT says, and whether the whole message can be walked.
#include "transports/upstreams/reply_edns.h"

#include "dns/edns.h"
#include "dns/message.h"

namespace transports {

ReplyEdns read_reply_edns(base::Bytes reply) {
  ReplyEdns edns;
  dns::MessageWalk walk(reply);
  for (dns::Record record; walk.next(record);) {
  }
  edns.readable = walk.complete();
  edns.rcode = walk.rcode();
  edns.present = walk.opt().has_value();
  if (!edns.present) return edns;

  dns::OptionReader options(walk.opt()->rdata(reply));
  dns::EdnsOption code{};
  for (base::Bytes value; options.next(code, value);) {
    if (code == dns::EdnsOption::cookie && !edns.cookie_present) {
      edns.cookie_present = true;
      edns.cookie = value;
    } else if (code == dns::EdnsOption::tcp_keepalive && value.size() == 2) {
      edns.keepalive = std::chrono::milliseconds{base::load_u16(value.data()) * 100};
    }
  }
  return edns;
}

}  // namespace transports
