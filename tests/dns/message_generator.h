// Messages by chance, the same for the same seed: sound ones of all record types, compressed and
// with EDNS, and then spoiled. Header alone; nothing of dns/ composes them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/dns/message_builder.h"

namespace dns::test {

/// SplitMix64: the same numbers with every library.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// 0 to below - 1.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
  bool one_in(std::size_t count) { return below(count) == 0; }
  std::uint8_t octet() { return static_cast<std::uint8_t>(next()); }
  template <class T, std::size_t Size>
  const T& pick(const T (&from)[Size]) {
    return from[below(Size)];
  }

 private:
  std::uint64_t state_;
};

class MessageGenerator {
 public:
  explicit MessageGenerator(std::uint64_t seed) : chance_(seed) {}

  /// One message in three is left sound.
  const Octets& next() {
    compose();
    if (!chance_.one_in(3)) {
      for (std::size_t count = 1 + chance_.below(3); count > 0; --count) spoil();
    }
    return wire_;
  }

 private:
  /// What a type's rdata is made of: n name, 1 2 4 integers of so many octets, 6 an IPv6 address, s
  /// string, * strings, r any octets, b type bitmap, p SvcParams.
  struct Shape {
    std::uint16_t type;
    const char* fields;
  };
  static constexpr Shape shapes[] = {
      {1, "4"},       {2, "n"},          {3, "n"},     {4, "n"},     {5, "n"},       {6, "nn44444"},
      {7, "n"},       {8, "n"},          {9, "n"},     {10, "r"},    {12, "n"},      {13, "ss"},
      {14, "nn"},     {15, "2n"},        {16, "*"},    {17, "nn"},   {18, "2n"},     {19, "s"},
      {21, "2n"},     {24, "2114442nr"}, {26, "2nn"},  {28, "6"},    {29, "r"},      {30, "nr"},
      {33, "222n"},   {35, "22sssn"},    {36, "2n"},   {37, "221r"}, {39, "n"},      {43, "211r"},
      {44, "11r"},    {46, "2114442nr"}, {47, "nb"},   {48, "211r"}, {50, "112ssb"}, {51, "112s"},
      {52, "111r"},   {59, "211r"},      {60, "211r"}, {61, "r"},    {63, "411r"},   {64, "2np"},
      {65, "2np"},    {99, "*"},         {249, "r"},   {250, "r"},   {256, "22r"},   {257, "1sr"},
      {261, "*"},     {65280, "r"},      {65534, "r"}, {1, "4"},     {28, "6"},      {5, "n"},
      {6, "nn44444"},
  };

  void compose() {
    wire_.assign(header_size, 0);
    names_.clear();
    lengths_.clear();
    for (std::size_t i = 0; i < 4; ++i) wire_[i] = chance_.octet();
    const std::size_t questions = chance_.one_in(20) ? chance_.below(3) : 1;
    for (std::size_t i = 0; i < questions; ++i) {
      put_name();
      put_u16(chance_.pick(shapes).type);
      put_u16(chance_.one_in(10) ? 3 : 1);
    }
    base::store_u16(&wire_[4], static_cast<std::uint16_t>(questions));
    for (std::size_t section = 0; section < 3; ++section) {
      std::size_t records = chance_.one_in(3) ? 0 : chance_.below(chance_.one_in(50) ? 40 : 4);
      const std::size_t opt_at =
          section == 2 && chance_.one_in(2) ? chance_.below(records + 1) : records + 1;
      for (std::size_t i = 0; i < records; ++i) {
        if (i == opt_at) put_opt();
        put_record();
      }
      if (opt_at == records) put_opt();
      records += opt_at <= records ? 1 : 0;
      base::store_u16(&wire_[6 + 2 * section], static_cast<std::uint16_t>(records));
    }
  }

  void put(std::uint8_t octet) { wire_.push_back(octet); }
  void put_u16(std::size_t value) {
    put(static_cast<std::uint8_t>(value >> 8));
    put(static_cast<std::uint8_t>(value));
  }
  void put_octets(std::size_t count) {
    while (count-- > 0) put(chance_.octet());
  }
  void put_string() {
    const std::size_t size = chance_.below(chance_.one_in(20) ? 256 : 12);
    put(static_cast<std::uint8_t>(size));
    put_octets(size);
  }

  /// A few labels, then the root or a pointer to a name that stands before.
  void put_name() {
    constexpr std::uint8_t letters[] = {'a', 'b', 'C', 'x', '-', '0', '.', 0, 0xC0, 0xE4};
    const std::size_t start = wire_.size();
    const std::size_t before = names_.size();
    for (std::size_t labels = chance_.below(4); labels > 0; --labels) {
      names_.push_back(wire_.size());
      const std::size_t size = chance_.one_in(30) ? 63 : 1 + chance_.below(8);
      put(static_cast<std::uint8_t>(size));
      for (std::size_t i = 0; i < size; ++i) put(chance_.pick(letters));
    }
    if (before > 0 && !chance_.one_in(3)) {
      const std::size_t target = names_[chance_.below(before)];
      if (target < start && target < 0x4000) {
        put_u16(0xC000 | target);
        return;
      }
    }
    put(0);
  }

  void put_bitmap() {
    for (std::size_t window = chance_.below(2); window < 256 && !chance_.one_in(3);
         window += 1 + chance_.below(200)) {
      const std::size_t size = 1 + chance_.below(32);
      put(static_cast<std::uint8_t>(window));
      put(static_cast<std::uint8_t>(size));
      put_octets(size);
    }
  }

  void put_params() {
    for (std::size_t key = chance_.below(3); key < 12 && !chance_.one_in(4);
         key += 1 + chance_.below(4)) {
      const std::size_t size = chance_.below(20);
      put_u16(key);
      put_u16(size);
      put_octets(size);
    }
  }

  void put_rdata(const char* fields) {
    const std::size_t length_at = wire_.size();
    lengths_.push_back(length_at);
    put_u16(0);
    for (; *fields != '\0'; ++fields) {
      switch (*fields) {
        case 'n': put_name(); break;
        case '1': put_octets(1); break;
        case '2': put_octets(2); break;
        case '4': put_octets(4); break;
        case '6': put_octets(16); break;
        case 's': put_string(); break;
        case '*':
          do put_string();
          while (chance_.one_in(2));
          break;
        case 'r': put_octets(chance_.below(chance_.one_in(20) ? 300 : 20)); break;
        case 'b': put_bitmap(); break;
        case 'p': put_params(); break;
        default: break;
      }
    }
    base::store_u16(&wire_[length_at], static_cast<std::uint16_t>(wire_.size() - length_at - 2));
  }

  void put_record() {
    const Shape& shape = chance_.pick(shapes);
    put_name();
    put_u16(shape.type);
    put_u16(chance_.one_in(20) ? chance_.below(5) : 1);
    put_octets(4);
    put_rdata(shape.fields);
  }

  void put_opt() {
    put(0);
    put_u16(41);
    put_octets(6);
    const std::size_t length_at = wire_.size();
    lengths_.push_back(length_at);
    put_u16(0);
    while (!chance_.one_in(3)) {
      constexpr std::uint16_t codes[] = {3, 8, 10, 11, 12, 15, 65001};
      const std::size_t size = chance_.below(30);
      put_u16(chance_.pick(codes));
      put_u16(size);
      put_octets(size);
    }
    base::store_u16(&wire_[length_at], static_cast<std::uint16_t>(wire_.size() - length_at - 2));
  }

  void spoil() {
    constexpr std::uint8_t telling[] = {0, 1, 41, 63, 64, 0x80, 0xBF, 0xC0, 0xFF};
    if (wire_.empty()) return;
    const std::size_t at = chance_.below(wire_.size());
    switch (chance_.below(10)) {
      case 0: wire_[at] ^= static_cast<std::uint8_t>(1U << chance_.below(8)); break;
      case 1: wire_[at] = chance_.octet(); break;
      case 2: wire_[at] = chance_.pick(telling); break;
      case 3: wire_.resize(at); break;
      case 4: put_octets(1 + chance_.below(20)); break;
      case 5:  // a count
        if (wire_.size() >= header_size)
          wire_[5 + 2 * chance_.below(4)] = static_cast<std::uint8_t>(chance_.below(6));
        break;
      case 6:  // a length
      case 7:
        if (!lengths_.empty()) {
          const std::size_t length = lengths_[chance_.below(lengths_.size())];
          if (length + 1 < wire_.size())
            wire_[length + 1] += static_cast<std::uint8_t>(chance_.below(9)) - 4U;
        }
        break;
      case 8:  // a pointer, anywhere and to anywhere
        if (at + 1 < wire_.size()) {
          base::store_u16(&wire_[at],
                          static_cast<std::uint16_t>(0xC000 | chance_.below(wire_.size() + 4)));
        }
        break;
      default: wire_.erase(wire_.begin() + static_cast<std::ptrdiff_t>(at)); break;
    }
  }

  Chance chance_;
  Octets wire_;
  std::vector<std::size_t> names_;    // where labels begin
  std::vector<std::size_t> lengths_;  // where RDLENGTHs are
};

}  // namespace dns::test
