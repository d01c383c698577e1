// Replies of the fake upstream, made from the query's own octets.
#include <algorithm>

#include "dns/message.h"
#include "tests/support/fake_upstream.h"

namespace test_support {

namespace {

constexpr std::uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};

Octets header_and_question(const Received& query) {
  const std::size_t size = dns::header_size + query.request.question.name.size() + 4;
  Octets message(query.wire.begin(), query.wire.begin() + static_cast<std::ptrdiff_t>(size));
  message[2] = static_cast<std::uint8_t>(0x80 | (message[2] & 1));
  message[3] = 0x80;
  std::fill(message.begin() + 6, message.begin() + 12, std::uint8_t{0});
  return message;
}

void append_opt(Octets& message) {
  message.insert(message.end(), std::begin(opt), std::end(opt));
  base::store_u16(&message[10], 1);
}

}  // namespace

Octets answer_to(const Received& query, std::uint8_t last_octet) {
  Octets message = header_and_question(query);
  const std::uint8_t record[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, last_octet};
  message.insert(message.end(), std::begin(record), std::end(record));
  base::store_u16(&message[6], 1);
  if (query.request.edns.present) append_opt(message);
  return message;
}

Octets empty_answer_to(const Received& query, dns::Rcode rcode) {
  Octets message = bare_answer_to(query, rcode);
  if (query.request.edns.present) {
    append_opt(message);
    message[message.size() - 6] = static_cast<std::uint8_t>(static_cast<unsigned>(rcode) >> 4);
  }
  return message;
}

Octets bare_answer_to(const Received& query, dns::Rcode rcode) {
  Octets message = header_and_question(query);
  message[3] = static_cast<std::uint8_t>(0x80 | (static_cast<unsigned>(rcode) & 15));
  return message;
}

Octets with_option(Octets message, dns::EdnsOption code, base::Bytes value) {
  dns::MessageWalk walk(message);
  for (dns::Record record; walk.next(record);) {
  }
  const std::size_t size_at = walk.opt()->rdata_offset() - 2;
  base::store_u16(&message[size_at],
                  static_cast<std::uint16_t>(base::load_u16(&message[size_at]) + 4 + value.size()));
  const auto number = static_cast<std::uint16_t>(code);
  for (const std::size_t field : {std::size_t{number}, value.size()}) {
    message.push_back(static_cast<std::uint8_t>(field >> 8));
    message.push_back(static_cast<std::uint8_t>(field));
  }
  message.insert(message.end(), value.begin(), value.end());
  return message;
}

Octets with_id(Octets message, std::uint16_t id) {
  base::store_u16(message.data(), id);
  return message;
}

Octets with_flags(Octets message, std::uint16_t set) {
  base::store_u16(&message[2], static_cast<std::uint16_t>(base::load_u16(&message[2]) | set));
  return message;
}

Octets with_other_question(Octets message) {
  message[13] = message[13] == 'q' ? 'z' : 'q';
  return message;
}

Octets with_small_letters(Octets message) {
  for (std::size_t i = dns::header_size; i < message.size() && message[i] != 0; ++i) {
    message[i] = dns::to_lower(message[i]);
  }
  return message;
}

Script answering() {
  return [](const Received& query) { return send(answer_to(query)); };
}

std::vector<Step> send(Octets octets, std::chrono::milliseconds after) {
  return {Step{Step::Kind::send, std::move(octets), after}};
}

}  // namespace test_support
