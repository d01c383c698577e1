// One request of a client over HTTP and its answer, whatever the version. Owned by its session.
#pragma once

#include "transports/doh.h"
#include "transports/kept_octets.h"
#include "transports/query.h"

namespace transports {

struct HttpExchange {
  explicit HttpExchange(OctetBudget& octets) : request(octets), answer(octets) {}

  DohRequest request;
  KeptOctets answer;  ///< what came late, or what the client does not take at once
  AnswerSummary summary;
};

}  // namespace transports
