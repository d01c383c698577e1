// One request of a client over HTTP/2 and its answer. Owned by its ServerSession's lists, which it
// goes through in order: arriving, ready, asked, late, answered.
#pragma once

#include <boost/intrusive/list.hpp>

#include "base/clock.h"
#include "transports/doh.h"
#include "transports/http2/session.h"

namespace transports::http2 {

struct Exchange final : Stream,
                        boost::intrusive::list_base_hook<
                            boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  explicit Exchange(OctetBudget& octets) : budget(octets), request(octets), answer(octets) {}

  /// As new, for another stream.
  void begin(base::TimePoint now) {
    request.begin();
    answer.clear();
    summary = {};
    since = now;
    whole = false;
  }

  OctetBudget& budget;
  DohRequest request;
  KeptOctets answer;  ///< what the client does not take at once, or what came late
  AnswerSummary summary;
  base::TimePoint since{};  ///< it began to arrive, or was answered
  bool whole = false;
};

}  // namespace transports::http2
