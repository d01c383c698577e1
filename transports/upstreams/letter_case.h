// Letter case as a secret between us and a Do53 upstream ("0x20", draft-vixie-dnsext-dns0x20), and
// its way back: what is kept and shared carries the case that was asked, never the one made up for
// the wire. RFC 4343 §3-4.
#pragma once

#include <vector>

#include "dns/answer.h"
#include "dns/request.h"
#include "transports/upstreams/random.h"

namespace transports {

/// Gives every letter of the name a random case.
void randomise_case(dns::Name& name, Random& random);

/// True when the name has a letter at all, so that its case can tell anything.
bool has_letters(dns::NameView name);

/// Puts the asked letter case back wherever an answer echoes the sent one: the question, owner
/// names that are it or a zone above it, and CNAME targets that begin like it (made from a DNAME,
/// RFC 6672 §3.1). Names that the upstream wrote itself stay. `answer` was made by keep_answer()
/// from a reply whose question equals both.
void restore_case(std::vector<std::uint8_t>& answer, const dns::Name& sent, const dns::Name& asked);

}  // namespace transports
