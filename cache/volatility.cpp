// Comparing the data of two answers.
#include "cache/volatility.h"

#include <algorithm>
#include <vector>

#include "dns/message.h"
#include "dns/name.h"
#include "dns/record_copy.h"

namespace cache {
namespace {

/// Names are written out in lower case before they are compared: pointers depend on a record's
/// place, and letter case on how we asked. In other rdata every octet counts.
bool is_made_of_names(dns::RrType type) {
  using enum dns::RrType;
  return type == cname || type == dname || type == ns || type == ptr || type == mx || type == srv;
}

/// Sorted, so that the order of records does not matter.
std::vector<std::vector<std::uint8_t>> records_of(const dns::AnswerView& answer) {
  std::vector<std::vector<std::uint8_t>> records;
  dns::MessageWalk walk(answer.wire);
  for (dns::Record record; walk.next(record);) {
    if (record.section != dns::Section::answer || record.type == dns::RrType::rrsig) continue;
    std::vector<std::uint8_t>& copy = records.emplace_back();
    const std::size_t ttl_offset = dns::append_record(answer.wire, record, copy);
    const std::size_t lowered = is_made_of_names(record.type) ? copy.size() : ttl_offset;
    for (std::size_t at = 0; at < lowered; ++at) copy[at] = dns::to_lower(copy[at]);
    base::store_u32(&copy[ttl_offset], 0);
  }
  std::ranges::sort(records);
  return records;
}

}  // namespace

bool same_data(const dns::AnswerView& before, const dns::AnswerView& after) {
  return before.rcode == after.rcode && records_of(before) == records_of(after);
}

}  // namespace cache
