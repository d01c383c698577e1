// What codecs of octet streams have in common.
#include "transports/session_codec.h"

#include <utility>

namespace transports {

void SessionCodec::on_late_answer(std::uint64_t ticket, const LateAnswer& answer) {
  on_answer(ticket, {{answer.wire.begin(), answer.wire.end()}, answer.summary});
  carrier_.schedule();
}

}  // namespace transports
