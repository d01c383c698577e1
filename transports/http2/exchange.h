// One request of a client over HTTP/2 and its answer. Owned by its ServerSession's lists, which it
// goes through in order: arriving, ready, asked, late, answered.
#pragma once

#include <boost/intrusive/list.hpp>

#include "base/clock.h"
#include "transports/http2/session.h"
#include "transports/http_exchange.h"

namespace transports::http2 {

struct Exchange final
    : Stream,
      HttpExchange,
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  using HttpExchange::HttpExchange;

  base::TimePoint since{};       ///< it began to arrive, or was answered
  std::uint32_t asked_with = 0;  ///< requests of one TLS record have the same
  bool whole = false;
};

}  // namespace transports::http2
