// The library's calls to us: C functions of one line in one table; the logic is in Connection.
#pragma once

#include "transports/quic/library.h"

namespace transports::quic {

/// For connections of both roles.
const ngtcp2_callbacks& callbacks();

/// The same for its log.
ngtcp2_qlog_write qlog_write();

}  // namespace transports::quic
