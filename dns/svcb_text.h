// SvcParams of SVCB and HTTPS in presentation format. RFC 9460 §2.1, §7, appendix A; RFC 9461 §5
// (dohpath).
#pragma once

#include <string>

#include "base/bytes.h"

namespace dns {

/// `alpn="h2,h3" ipv4hint="192.0.2.1" key65000="\001"`. A value that is not as its key wants it is
/// printed as octets under its number. The params must be whole, as a FieldReader has checked.
std::string svc_params_to_text(base::Bytes params);

}  // namespace dns
