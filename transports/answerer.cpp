// What an answerer does unless it knows better.
#include "transports/answerer.h"

#include "dns/fit.h"

namespace transports {

void Answerer::answer_overload(const Query& query, Reply& reply) {
  reply.size = dns::fit_empty(query.request, dns::Rcode::servfail, {}, reply.out);
  reply.summary = {.rcode = dns::Rcode::servfail, .source = Source::failure, .least_ttl = 0};
}

}  // namespace transports
