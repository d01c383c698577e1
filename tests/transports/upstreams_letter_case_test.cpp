// Letter case, made up and put back.
#include "transports/upstreams/letter_case.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "dns/message.h"

namespace {

using transports::randomise_case;
using transports::restore_case;

using Octets = std::vector<std::uint8_t>;

dns::Name name(std::string_view text) { return *dns::Name::from_text(text); }

void append(Octets& message, base::Bytes octets) {
  message.insert(message.end(), octets.begin(), octets.end());
}
void append(Octets& message, const dns::Name& written) { append(message, written.view().wire()); }

/// Header and a question of type A.
Octets question(const dns::Name& asked) {
  Octets message{0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0};
  append(message, asked);
  append(message, Octets{0, 1, 0, 1});
  return message;
}

void append_record(Octets& message, const Octets& owner, dns::RrType type, const Octets& rdata) {
  append(message, owner);
  append(message, Octets{0, static_cast<std::uint8_t>(type), 0, 1, 0, 0, 0, 60, 0,
                         static_cast<std::uint8_t>(rdata.size())});
  append(message, rdata);
  ++message[7];
}

Octets octets(const dns::Name& written) {
  return {written.view().wire().begin(), written.view().wire().end()};
}

std::string owner_of(const Octets& message, std::size_t index) {
  dns::MessageWalk walk(message);
  dns::Record record;
  for (std::size_t i = 0; i <= index; ++i) EXPECT_TRUE(walk.next(record));
  dns::Name owner;
  EXPECT_NE(dns::read_name(message, record.offset, owner), 0U);
  return owner.to_text();
}

std::string target_of(const Octets& message, std::size_t index) {
  dns::MessageWalk walk(message);
  dns::Record record;
  for (std::size_t i = 0; i <= index; ++i) EXPECT_TRUE(walk.next(record));
  dns::Name target;
  EXPECT_NE(dns::read_name(message, record.rdata_offset(), target), 0U);
  return target.to_text();
}

TEST(RandomiseCase, ChangesLettersAlone) {
  const auto random = std::make_unique<transports::Random>();
  const dns::Name asked = name("a1-b2_c3\\200.x\\091y.example");
  bool upper = false;
  bool lower = false;
  for (int i = 0; i < 100; ++i) {
    dns::Name mixed = asked;
    randomise_case(mixed, *random);
    EXPECT_EQ(mixed, asked);
    for (std::size_t at = 0; at < asked.size(); ++at) {
      const std::uint8_t before = asked.view().wire()[at];
      const std::uint8_t after = mixed.view().wire()[at];
      if (before == after) {
        lower = lower || (after >= 'a' && after <= 'z');
      } else {
        upper = true;
        EXPECT_EQ(after, before & ~0x20);
      }
    }
  }
  EXPECT_TRUE(upper && lower);
}

TEST(RandomiseCase, TheLongestNameGetsNewBitsAllAlong) {
  const auto random = std::make_unique<transports::Random>();
  const std::string label(63, 'a');
  dns::Name mixed = name(label + "." + label + "." + label + "." + std::string(61, 'a'));
  ASSERT_EQ(mixed.size(), 255U);
  randomise_case(mixed, *random);
  const base::Bytes wire = mixed.view().wire();
  for (std::size_t begin = 0; begin + 60 <= wire.size(); begin += 60) {
    EXPECT_TRUE(std::ranges::contains(wire.subspan(begin, 60), 'a'));
    EXPECT_TRUE(std::ranges::contains(wire.subspan(begin, 60), 'A'));
  }
}

TEST(HasLetters, TellsWhetherCaseCanTellAnything) {
  EXPECT_TRUE(transports::has_letters(name("1.x")));
  EXPECT_FALSE(transports::has_letters(name("1.2.3.4")));
  EXPECT_FALSE(transports::has_letters(dns::Name{}));
}

TEST(RestoreCase, QuestionAndPointersToIt) {
  const dns::Name sent = name("wWw.eXaMple");
  Octets message = question(sent);
  append_record(message, {0xC0, 12}, dns::RrType::a, {192, 0, 2, 1});
  restore_case(message, sent, name("www.example"));
  EXPECT_EQ(owner_of(message, 0), "www.example.");
}

TEST(RestoreCase, OwnersWrittenOut) {
  const dns::Name sent = name("wWw.eXaMple");
  Octets message = question(sent);
  append_record(message, octets(sent), dns::RrType::a, {192, 0, 2, 1});
  append_record(message, octets(name("eXaMple")), dns::RrType::a, {192, 0, 2, 1});
  restore_case(message, sent, name("Www.Example"));
  EXPECT_EQ(owner_of(message, 0), "Www.Example.");
  EXPECT_EQ(owner_of(message, 1), "Example.");
}

TEST(RestoreCase, OwnersWrittenOutInPart) {
  const dns::Name sent = name("wWw.eXaMple");
  Octets message = question(sent);
  append_record(message, {3, 'w', 'W', 'w', 0xC0, 16}, dns::RrType::a, {192, 0, 2, 1});
  restore_case(message, sent, name("www.example"));
  EXPECT_EQ(owner_of(message, 0), "www.example.");
}

TEST(RestoreCase, TargetsMadeFromADname) {
  const dns::Name sent = name("wWw.sUb.example");
  Octets message = question(sent);
  append_record(message, {0xC0, 12}, dns::RrType::cname, octets(name("wWw.sUb.Other.test")));
  restore_case(message, sent, name("www.sub.example"));
  EXPECT_EQ(target_of(message, 0), "www.sub.Other.test.");
}

TEST(RestoreCase, WhatTheServerWroteStays) {
  const dns::Name sent = name("wWw.eXaMple");
  Octets message = question(sent);
  append_record(message, octets(name("Ns1.Example")), dns::RrType::a, {192, 0, 2, 1});
  append_record(message, {0xC0, 12}, dns::RrType::cname, octets(name("Target.Example")));
  append_record(message, octets(name("WWW.example")), dns::RrType::a, {192, 0, 2, 1});
  restore_case(message, sent, name("www.example"));
  EXPECT_EQ(owner_of(message, 0), "Ns1.Example.");
  EXPECT_EQ(target_of(message, 1), "Target.Example.");
  EXPECT_EQ(owner_of(message, 2), "WWW.example.");
}

// A label may hold any octet, a zero at its end included.
TEST(RestoreCase, BinaryLabelsAreNoRoots) {
  const dns::Name sent = name("a\\000.eXaMple");
  Octets message = question(sent);
  append_record(message, {2, 'a', 0, 0xC0, 15}, dns::RrType::a, {192, 0, 2, 1});
  restore_case(message, sent, name("A\\000.example"));
  EXPECT_EQ(owner_of(message, 0), "A\\000.example.");
}

TEST(RestoreCase, AMessageShorterThanItsQuestionIsLeftAlone) {
  Octets message(14);
  const Octets before = message;
  restore_case(message, name("www.example"), name("WWW.example"));
  EXPECT_EQ(message, before);
}

}  // namespace
