// Upstream replies for the cache's tests, made octet by octet and read by dns::keep_answer() like
// any other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "dns/answer.h"
#include "dns/name.h"
#include "dns/request.h"

namespace cache::test {

inline dns::Name name_of(std::string_view text) {
  const auto name = dns::Name::from_text(text);
  if (!name) throw std::invalid_argument("not a name: " + std::string(text));
  return *name;
}

inline dns::Question question_of(std::string_view name, dns::RrType type = dns::RrType::a) {
  return {name_of(name), type, dns::RrClass::in};
}

/// A response in the making: records are added to the answer, then to the authority section.
class Reply {
 public:
  explicit Reply(const dns::Question& question, dns::Rcode rcode = dns::Rcode::noerror) {
    u16(0x1234);
    u16(static_cast<std::uint16_t>(0x8180U | static_cast<std::uint16_t>(rcode)));
    u16(1);
    for (int count = 0; count < 3; ++count) u16(0);
    name(question.name);
    u16(static_cast<std::uint16_t>(question.type));
    u16(static_cast<std::uint16_t>(question.klass));
  }

  Reply& address(std::uint32_t ttl, std::uint8_t last_octet = 1) {
    return record(6, pointer, dns::RrType::a, ttl, {192, 0, 2, last_octet});
  }

  Reply& alias(std::uint32_t ttl, std::string_view target) {
    const dns::Name to = name_of(target);
    const base::Bytes wire = to.view().wire();
    return record(6, pointer, dns::RrType::cname, ttl, {wire.begin(), wire.end()});
  }

  /// TXT with `size` octets of rdata at most 65,000.
  Reply& text(std::uint32_t ttl, std::size_t size) {
    std::vector<std::uint8_t> data;
    while (data.size() < size) {
      const std::size_t part = std::min<std::size_t>(size - data.size() - 1, 255);
      data.push_back(static_cast<std::uint8_t>(part));
      data.insert(data.end(), part, 'x');
    }
    return record(6, pointer, dns::RrType::txt, ttl, data);
  }

  Reply& soa(std::uint32_t ttl, std::uint32_t minimum, std::string_view zone = "example.") {
    std::vector<std::uint8_t> data{1, 'n', 0, 1, 'h', 0};  // n. and h.
    for (const std::uint32_t number : {2026U, 7200U, 900U, 86400U, minimum}) {
      for (int shift = 24; shift >= 0; shift -= 8)
        data.push_back(static_cast<std::uint8_t>(number >> shift));
    }
    const dns::Name owner = name_of(zone);
    const base::Bytes wire = owner.view().wire();
    return record(8, {wire.begin(), wire.end()}, dns::RrType::soa, ttl, data);
  }

  [[nodiscard]] dns::KeptAnswer kept() const {
    auto answer = dns::keep_answer(wire_);
    if (!answer) throw std::invalid_argument(answer.error().context);
    return *answer;
  }

 private:
  static inline const std::vector<std::uint8_t> pointer{0xc0, 0x0c};  // to the question's name

  Reply& record(std::size_t count_offset, const std::vector<std::uint8_t>& owner, dns::RrType type,
                std::uint32_t ttl, const std::vector<std::uint8_t>& data) {
    base::store_u16(&wire_[count_offset],
                    static_cast<std::uint16_t>(base::load_u16(&wire_[count_offset]) + 1));
    wire_.insert(wire_.end(), owner.begin(), owner.end());
    u16(static_cast<std::uint16_t>(type));
    u16(1);
    u16(static_cast<std::uint16_t>(ttl >> 16));
    u16(static_cast<std::uint16_t>(ttl));
    u16(static_cast<std::uint16_t>(data.size()));
    wire_.insert(wire_.end(), data.begin(), data.end());
    return *this;
  }
  void name(const dns::Name& value) {
    const base::Bytes wire = value.view().wire();
    wire_.insert(wire_.end(), wire.begin(), wire.end());
  }
  void u16(std::uint16_t value) {
    wire_.push_back(static_cast<std::uint8_t>(value >> 8));
    wire_.push_back(static_cast<std::uint8_t>(value));
  }

  std::vector<std::uint8_t> wire_;
};

}  // namespace cache::test
