// Copying records from one message into another: names are written out, so that no pointer leads to
// what was left behind. RFC 1035 §4.1.4, RFC 3597 §4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "dns/message.h"
#include "dns/request.h"

namespace dns {

/// Header (id 0, QDCOUNT 1, the flags as given) and question.
void begin_message(std::uint16_t flags, const Question& question, std::vector<std::uint8_t>& out);

/// Appends `record` of `message`, which a MessageWalk has found sound, and gives the place of its
/// TTL in `out`. It grows by at most 510 octets (two names in SOA's rdata) plus the owner's 255.
std::size_t append_record(base::Bytes message, const Record& record,
                          std::vector<std::uint8_t>& out);

}  // namespace dns
