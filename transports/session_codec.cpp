// What codecs of octet streams have in common.
#include "transports/session_codec.h"

#include <utility>

namespace transports {

void SessionCodec::on_late_answer(std::uint64_t ticket, Answer answer) {
  on_answer(ticket, std::move(answer));
  carrier_.schedule();
}

}  // namespace transports
