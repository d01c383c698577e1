// A DNS message as JSON, for scripts: the header, EDNS with what it carries, and every record in
// presentation format.
#pragma once

#include <boost/json/fwd.hpp>

#include "base/bytes.h"

namespace gateway::cli {

/// A malformed message is told as far as it can be read, with "malformed" saying where and why it
/// ends.
boost::json::object message_to_json(base::Bytes message);

}  // namespace gateway::cli
