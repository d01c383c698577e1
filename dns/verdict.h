// Whether an upstream's word about a name is to be taken, or another's asked for. RFC 8914 §4, RFC
// 8767 §5.
#pragma once

#include "dns/answer.h"

namespace dns {

/// NOERROR, NXDOMAIN, or a failure that says why and means it: what the upstream found the data to
/// be (DNSSEC), or its policy (a filter). Another upstream's answer in its place, or a stale one,
/// would be a way around validation or around a filter that the operator chose. Every other rcode
/// says nothing of the name.
bool is_believed(const AnswerView& answer);
inline bool is_believed(const KeptAnswer& answer) { return is_believed(answer.view()); }

}  // namespace dns
