// The Extended DNS Errors that are verdicts.
#include "dns/verdict.h"

namespace dns {
namespace {

bool is_deliberate(Ede code) {
  switch (code) {
    case Ede::dnssec_bogus:
    case Ede::signature_expired:
    case Ede::signature_not_yet_valid:
    case Ede::dnskey_missing:
    case Ede::rrsigs_missing:
    case Ede::no_zone_key_bit_set:
    case Ede::nsec_missing:
    case Ede::signature_expired_before_valid:
    case Ede::blocked:
    case Ede::censored:
    case Ede::filtered: return true;
    default: return false;
  }
}

}  // namespace

bool is_believed(const AnswerView& answer) {
  return answer.rcode == Rcode::noerror || answer.rcode == Rcode::nxdomain ||
         (answer.has_ede && is_deliberate(answer.ede));
}

}  // namespace dns
