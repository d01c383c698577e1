// Messages for people's eyes, in the shape that dig made familiar. RFC 1035 §5.1 (names, strings),
// RFC 3597 §5 (unknown types), RFC 4034 and RFC 9460 §2.1 (their types), RFC 8914 (EDE). Whatever
// came over the wire is escaped: no octet of it can move a terminal's cursor.
#pragma once

#include <string>

#include "base/bytes.h"
#include "dns/message.h"

namespace dns {

/// The whole message: header, EDNS, questions, sections. A malformed one is printed as far as it
/// can be read, then says where and why it ends.
std::string message_to_text(base::Bytes message);

/// "example.com.  300  IN  MX  10 mail.example.com." without line end. The record comes from a
/// MessageWalk over `message`.
std::string record_to_text(base::Bytes message, const Record& record);

/// The rdata alone: "10 mail.example.com."; "\# 4 0a000001" for unknown types, and for known ones
/// with rdata that is not as their RFC wants it (RFC 3597 §5).
std::string rdata_to_text(base::Bytes message, const Record& record);

/// One line for OPT and one for each option: "; EDE: 3 (Stale Answer): upstream does not answer".
std::string opt_to_text(base::Bytes message, const Record& opt);

/// One EDE option's data as it stands behind "; EDE: ".
std::string ede_to_text(base::Bytes option_data);

}  // namespace dns
