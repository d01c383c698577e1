// Messages for tests, octet by octet: nothing of dns/ composes them, so that a mistake there cannot
// hide.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "dns/codes.h"
#include "dns/message.h"

namespace dns::test {

using Octets = std::vector<std::uint8_t>;

/// "www.example.com" as labels; plain text without escapes. "" and "." are the root.
inline Octets name(std::string_view text) {
  Octets wire;
  while (!text.empty() && text != ".") {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    wire.push_back(static_cast<std::uint8_t>(label.size()));
    wire.insert(wire.end(), label.begin(), label.end());
    text = dot == std::string_view::npos ? std::string_view{} : text.substr(dot + 1);
  }
  wire.push_back(0);
  return wire;
}

inline Octets pointer(std::size_t target) {
  return {static_cast<std::uint8_t>(0xC0 | target >> 8), static_cast<std::uint8_t>(target)};
}

inline Octets u16(unsigned value) {
  return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

inline Octets u32(std::uint32_t value) {
  Octets octets(4);
  base::store_u32(octets.data(), value);
  return octets;
}

inline Octets join(std::initializer_list<Octets> parts) {
  Octets all;
  for (const Octets& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// A name of exactly `size` octets on the wire (3 at least).
inline Octets name_of_size(std::size_t size) {
  Octets wire;
  while (size > 1) {
    std::size_t label = std::min<std::size_t>(63, size - 2);
    if (size - 1 - label == 2) --label;  // what remains must not be a lone length octet
    wire.push_back(static_cast<std::uint8_t>(label));
    wire.insert(wire.end(), label, 'x');
    size -= 1 + label;
  }
  wire.push_back(0);
  return wire;
}

inline Octets option(unsigned code, const Octets& data) {
  return join({u16(code), u16(static_cast<unsigned>(data.size())), data});
}

/// Appends in order and keeps the header's counts.
class MessageBuilder {
 public:
  explicit MessageBuilder(std::uint16_t id = 0x1234, std::uint16_t flags = flag::rd)
      : wire_(header_size, 0) {
    base::store_u16(&wire_[0], id);
    base::store_u16(&wire_[2], flags);
  }

  MessageBuilder& question(const Octets& owner, RrType type = RrType::a,
                           RrClass klass = RrClass::in) {
    append(owner);
    append(u16(static_cast<unsigned>(type)));
    append(u16(static_cast<unsigned>(klass)));
    return count(4);
  }

  MessageBuilder& record(Section section, const Octets& owner, RrType type, std::uint32_t ttl,
                         const Octets& rdata, unsigned klass = 1) {
    append(owner);
    append(u16(static_cast<unsigned>(type)));
    append(u16(klass));
    append(u32(ttl));
    append(u16(static_cast<unsigned>(rdata.size())));
    append(rdata);
    return count(6 + 2 * static_cast<std::size_t>(section));
  }

  /// `ttl` holds extended rcode, version and flags; 0x8000 is DO.
  MessageBuilder& opt(const Octets& options = {}, std::uint32_t ttl = 0, unsigned udp_size = 1232) {
    return record(Section::additional, name("."), RrType::opt, ttl, options, udp_size);
  }

  MessageBuilder& append(const Octets& octets) {
    wire_.insert(wire_.end(), octets.begin(), octets.end());
    return *this;
  }

  MessageBuilder& set_count(std::size_t index, std::uint16_t value) {
    base::store_u16(&wire_[4 + 2 * index], value);
    return *this;
  }

  [[nodiscard]] std::size_t size() const { return wire_.size(); }
  [[nodiscard]] const Octets& wire() const { return wire_; }
  operator base::Bytes() const { return wire_; }  // NOLINT(google-explicit-constructor)

 private:
  MessageBuilder& count(std::size_t offset) {
    base::store_u16(&wire_[offset], static_cast<std::uint16_t>(base::load_u16(&wire_[offset]) + 1));
    return *this;
  }

  Octets wire_;
};

}  // namespace dns::test
