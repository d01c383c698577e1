// What is found, how fresh, and what gives way to what: on fake time. RFC 2308, RFC 4343, RFC 8020,
// RFC 8767, RFC 9520.
#include "cache/answer_cache.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "tests/cache/cache_test.h"

namespace cache::test {
namespace {

using dns::Rcode;
using dns::RrType;

using AnswerCacheTest = CacheTest;

void expect_same(const dns::AnswerView& found, const dns::KeptAnswer& kept) {
  EXPECT_TRUE(std::ranges::equal(found.wire, kept.wire));
  EXPECT_TRUE(std::ranges::equal(found.ttl_offsets, kept.ttl_offsets));
  EXPECT_EQ(found.rcode, kept.rcode);
  EXPECT_EQ(found.has_ede, kept.has_ede);
  EXPECT_EQ(found.ede, kept.ede);
  EXPECT_EQ(found.ede_text, kept.ede_text);
}

TEST_F(AnswerCacheTest, NothingIsFoundInAnEmptyOne) {
  const Found found = find("www.example.");
  EXPECT_EQ(found.state, State::absent);
  EXPECT_FALSE(found.failure_remembered);
  EXPECT_EQ(cache.stats().entries, 0U);
}

TEST_F(AnswerCacheTest, GivesBackWhatItWasGiven) {
  const dns::Question question = question_of("www.example.");
  dns::KeptAnswer answer = Reply(question).address(300, 1).address(300, 2).kept();
  answer.has_ede = true;
  answer.ede = dns::Ede::forged_answer;
  answer.ede_text =
      "h\xc3\xb6"
      "flich";
  cache.insert(key_of(question), answer.view(), {.keep = true, .fresh_seconds = 300}, now);
  const Found found = find(question);
  ASSERT_EQ(found.state, State::fresh);
  expect_same(found.answer, answer);
}

TEST_F(AnswerCacheTest, AgesAndExpires) {
  store_address("www.example.", 300);
  EXPECT_EQ(find("www.example.").age, 0U);
  EXPECT_EQ(find("www.example.").ttl_left, 300U);
  now += 299;
  EXPECT_EQ(find("www.example.").state, State::fresh);
  EXPECT_EQ(find("www.example.").age, 299U);
  EXPECT_EQ(find("www.example.").ttl_left, 1U);
  now += 1;
  EXPECT_EQ(find("www.example.").state, State::stale);
  EXPECT_EQ(find("www.example.").ttl_left, 0U);
}

/// A worker whose batch began before the second turned reads what another one stored after.
TEST_F(AnswerCacheTest, AThreadThatIsASecondBehindFindsItNew) {
  ++now;
  store_address("www.example.", 300);
  const dns::Question failing = question_of("failing.example.");
  fail(failing);
  --now;
  const Found found = find("www.example.");
  EXPECT_EQ(found.state, State::fresh);
  EXPECT_EQ(found.age, 0U);
  EXPECT_EQ(found.ttl_left, 300U);
  EXPECT_FALSE(found.ending);
  EXPECT_EQ(find(failing).failure_ttl_left, 5U);
}

TEST_F(AnswerCacheTest, TypesClassesAndVariantsAreApart) {
  const dns::Question question = question_of("www.example.");
  store(question, Reply(question).address(300, 1), 0);
  store(question, Reply(question).address(300, 2), variant_do);
  EXPECT_EQ(find(question, 0).answer.wire.back(), 1);
  EXPECT_EQ(find(question, variant_do).answer.wire.back(), 2);
  EXPECT_EQ(find(question, variant_cd).state, State::absent);
  EXPECT_EQ(find(question, variant_do | variant_cd).state, State::absent);
  EXPECT_EQ(find("www.example.", RrType::aaaa).state, State::absent);
  EXPECT_EQ(find(dns::Question{question.name, RrType::a, dns::RrClass::chaos}).state,
            State::absent);
}

TEST_F(AnswerCacheTest, NewerAnswerTakesTheOldOnesPlace) {
  store_address("www.example.", 300, 1);
  now += 10;
  store_address("www.example.", 60, 2);
  const Found found = find("www.example.");
  EXPECT_EQ(found.answer.wire.back(), 2);
  EXPECT_EQ(found.ttl_left, 60U);
  EXPECT_EQ(cache.stats().entries, 1U);
  EXPECT_EQ(cache.stats().inserts, 2U);
  EXPECT_EQ(cache.stats().replaced, 1U);
}

TEST_F(AnswerCacheTest, AnAnswerToAnotherQuestionIsRefused) {
  const dns::KeptAnswer answer = Reply(question_of("other.example.")).address(300).kept();
  const dns::Question question = question_of("www.example.");
  cache.insert(key_of(question), answer.view(), {.keep = true, .fresh_seconds = 300}, now);
  EXPECT_EQ(find(question).state, State::absent);
  EXPECT_EQ(cache.stats().refused, 1U);
}

TEST_F(AnswerCacheTest, EqualHashesDoNotMakeEqualQuestions) {
  store_address("www.example.", 300);
  const dns::Question question = question_of("www.example.");
  const Key key = key_of(question);
  const base::EpochBatch batch(reader);
  ASSERT_EQ(cache.find(key, now).state, State::fresh);
  for (const std::string_view name :
       {"xww.example.", "www.examplx.", "www.exa.ple.", "a.www.example."}) {
    const dns::Name other = name_of(name);
    Key forged = key;
    forged.name = other.view();
    EXPECT_EQ(cache.find(forged, now).state, State::absent) << name;
  }
  Key other_type = key;
  other_type.type = RrType::aaaa;
  EXPECT_EQ(cache.find(other_type, now).state, State::absent);
  Key other_class = key;
  other_class.klass = dns::RrClass::chaos;
  EXPECT_EQ(cache.find(other_class, now).state, State::absent);
  Key other_variant = key;
  other_variant.variant = variant_cd;
  EXPECT_EQ(cache.find(other_variant, now).state, State::absent);
}

TEST_F(AnswerCacheTest, WhatIsNotToBeKeptIsNot) {
  store_address("www.example.", 0);
  EXPECT_EQ(find("www.example.").state, State::absent);
  EXPECT_EQ(cache.stats().inserts, 0U);
}

TEST_F(AnswerCacheTest, LongEdeTextIsCutBetweenCharacters) {
  const dns::Question question = question_of("www.example.");
  dns::KeptAnswer answer = Reply(question).address(300).kept();
  answer.has_ede = true;
  for (int count = 0; count < 100; ++count) answer.ede_text += "\xe2\x82\xac";  // €, three octets
  answer.ede_text.insert(0, "a");
  cache.insert(key_of(question), answer.view(), {.keep = true, .fresh_seconds = 300}, now);
  EXPECT_EQ(find(question).answer.ede_text, answer.ede_text.substr(0, 1 + 84 * 3));
}

TEST_F(AnswerCacheTest, RootAndTypeZeroAreNamesAndTypesLikeOthers) {
  const dns::Question root = question_of(".", RrType::ns);
  store(root, Reply(root).soa(300, 300, "."));
  EXPECT_EQ(find(root).state, State::fresh);
  store(question_of("no.example."),
        Reply(question_of("no.example."), Rcode::nxdomain).soa(300, 300));
  const dns::Question type_zero = question_of("www.example.", RrType::none);
  EXPECT_EQ(find(type_zero).state, State::absent);
  store(type_zero, Reply(type_zero).soa(300, 300));
  EXPECT_EQ(find(type_zero).state, State::fresh);
  EXPECT_EQ(find("www.example.").state, State::absent)
      << "an answer for TYPE0 is not one for every type";
}

TEST_F(AnswerCacheTest, LargestMessageIsKept) {
  const dns::Question question = question_of("big.example.", RrType::txt);
  store(question, Reply(question).text(300, 65000));
  const Found found = find(question);
  ASSERT_EQ(found.state, State::fresh);
  expect_same(found.answer, Reply(question).text(300, 65000).kept());
}

TEST(Rfc4343_3, LetterCaseDoesNotMatter) {
  struct Case : CacheTest {
    void TestBody() override {
      store_address("wWw.ExAmPlE.", 300);
      EXPECT_EQ(find("WWW.eXaMpLe.").state, State::fresh);
      EXPECT_EQ(find("www.example.").state, State::fresh);
      EXPECT_EQ(find("www.exampl%.").state, State::absent) << "'%' is 'E' without a bit";
      store_address("\\193.example.", 300);
      EXPECT_EQ(find("\\225.example.").state, State::absent) << "only ASCII has letter case";
      store_address("@[.example.", 300);
      EXPECT_EQ(find("`{.example.").state, State::absent) << "the neighbours of A and Z have none";
    }
  };
  Case().TestBody();
}

class Rfc2308_5 : public CacheTest {};

TEST_F(Rfc2308_5, NodataIsKeptForItsType) {
  const dns::Question question = question_of("www.example.", RrType::aaaa);
  store(question, Reply(question).soa(300, 60));
  EXPECT_EQ(find(question).state, State::fresh);
  EXPECT_EQ(find(question).ttl_left, 60U);
  EXPECT_EQ(find("www.example.").state, State::absent);
}

TEST_F(Rfc2308_5, SoaIsServedWithTheNegativeLifetime) {
  const dns::Question question = question_of("www.example.", RrType::aaaa);
  store(question, Reply(question).soa(300, 60));
  const Found found = find(question);
  ASSERT_EQ(found.answer.ttl_offsets.size(), 1U);
  EXPECT_EQ(base::load_u32(&found.answer.wire[found.answer.ttl_offsets[0]]), 60U);
}

TEST_F(Rfc2308_5, NxdomainIsKeptForEveryType) {
  const dns::Question question = question_of("no.example.", RrType::aaaa);
  store(question, Reply(question, Rcode::nxdomain).soa(300, 60));
  for (const RrType type : {RrType::a, RrType::aaaa, RrType::https, RrType::none, RrType{65280}}) {
    const Found found = find("no.example.", type);
    EXPECT_EQ(found.state, State::fresh);
    EXPECT_EQ(found.answer.rcode, Rcode::nxdomain);
    EXPECT_EQ(found.ttl_left, 60U);
  }
  EXPECT_EQ(find(question, variant_cd).state, State::absent)
      << "an NXDOMAIN of checked data says nothing of unchecked";
  EXPECT_EQ(cache.stats().entries, 1U);
}

TEST_F(Rfc2308_5, NxdomainBehindAnAliasIsKeptForItsQuestionAlone) {
  const dns::Question question = question_of("www.example.");
  store(question, Reply(question, Rcode::nxdomain).alias(300, "gone.example.").soa(300, 300));
  EXPECT_EQ(find(question).state, State::fresh);
  EXPECT_EQ(find("www.example.", RrType::mx).state, State::absent);
  EXPECT_EQ(find_cut("below.www.example.").state, State::absent);
}

TEST_F(Rfc2308_5, LatestWordOnANamesExistenceCounts) {
  const dns::Question question = question_of("www.example.");
  store(question, Reply(question, Rcode::nxdomain).soa(300, 300));
  now += 10;
  store_address("www.example.", 60);
  EXPECT_EQ(find("www.example.").answer.rcode, Rcode::noerror);
  EXPECT_EQ(find("www.example.", RrType::mx).state, State::absent)
      << "the NXDOMAIN has been contradicted";
  now += 10;
  store(question, Reply(question, Rcode::nxdomain).soa(300, 300));
  EXPECT_EQ(find("www.example.").answer.rcode, Rcode::nxdomain);
  EXPECT_EQ(cache.stats().entries, 1U);
}

class Rfc8020_2 : public CacheTest {};

TEST_F(Rfc8020_2, NxdomainCutsNamesBelow) {
  const dns::Question question = question_of("no.example.");
  store(question, Reply(question, Rcode::nxdomain).soa(300, 300));
  for (const std::string_view below : {"a.no.example.", "d.c.b.a.no.example.", "A.NO.Example."}) {
    EXPECT_EQ(find(below).state, State::absent);
    const Found cut = find_cut(below);
    ASSERT_EQ(cut.state, State::fresh) << below;
    EXPECT_EQ(cut.answer.rcode, Rcode::nxdomain);
    EXPECT_EQ(base::load_u16(&cut.answer.wire[6]), 0);
  }
  EXPECT_EQ(find_cut("no.example.").state, State::absent) << "the name itself is find()'s";
  EXPECT_EQ(find_cut("xno.example.").state, State::absent);
  EXPECT_EQ(find_cut("example.").state, State::absent);
  EXPECT_EQ(find_cut(".").state, State::absent);
}

TEST_F(Rfc8020_2, OnlyAFreshOneCuts) {
  const dns::Question question = question_of("no.example.");
  store(question, Reply(question, Rcode::nxdomain).soa(300, 300));
  now += 300;
  EXPECT_EQ(find("no.example.").state, State::stale);
  EXPECT_EQ(find_cut("a.no.example.").state, State::absent);
}

TEST_F(Rfc8020_2, NearestToTheRootIsTaken) {
  for (const std::string_view name : {"b.a.example.", "a.example."}) {
    const dns::Question question = question_of(name);
    store(question, Reply(question, Rcode::nxdomain).soa(300, 300));
  }
  EXPECT_EQ(find_cut("c.b.a.example.").answer.wire.size(),
            Reply(question_of("a.example."), Rcode::nxdomain).soa(300, 300).kept().wire.size());
}

TEST_F(Rfc8020_2, OfDeepNamesTheTopmostAncestorsAreLookedFor) {
  std::string deep = "example.";
  for (int count = 0; count < 60; ++count) deep.insert(0, "a.");
  const std::string sixteenth = deep.substr(deep.size() - 8 - 15 * 2);
  const std::string seventeenth = deep.substr(deep.size() - 8 - 16 * 2);
  store(question_of(seventeenth), Reply(question_of(seventeenth), Rcode::nxdomain).soa(300, 300));
  EXPECT_EQ(find_cut(deep).state, State::absent);
  store(question_of(sixteenth), Reply(question_of(sixteenth), Rcode::nxdomain).soa(300, 300));
  EXPECT_EQ(find_cut(deep).state, State::fresh);
}

class Rfc9520_3_2 : public CacheTest {};

TEST_F(Rfc9520_3_2, FailureIsRememberedForItsTime) {
  const dns::Question question = question_of("www.example.");
  fail(question);
  const Found found = find(question);
  EXPECT_EQ(found.state, State::absent);
  ASSERT_TRUE(found.failure_remembered);
  EXPECT_EQ(found.failure.rcode, Rcode::servfail);
  EXPECT_TRUE(found.failure.has_ede);
  EXPECT_EQ(found.failure.ede, dns::Ede::no_reachable_authority);
  EXPECT_EQ(found.failure_ttl_left, 5U);
  EXPECT_TRUE(dns::keep_answer(found.failure.wire)) << "a whole message";
  EXPECT_FALSE(find("www.example.", RrType::aaaa).failure_remembered);
  now += 5;
  EXPECT_FALSE(find(question).failure_remembered);
}

TEST_F(Rfc9520_3_2, AnUpstreamsFailureIsRememberedWithItsRcode) {
  const dns::Question question = question_of("www.example.");
  store(question, Reply(question, Rcode::refused));
  EXPECT_EQ(find(question).failure.rcode, Rcode::refused);
  EXPECT_EQ(find(question).state, State::absent);
}

TEST_F(Rfc9520_3_2, AnAnswerEndsTheFailure) {
  const dns::Question question = question_of("www.example.");
  fail(question);
  store_address("www.example.", 1);
  now += 2;
  EXPECT_EQ(find(question).state, State::stale);
  EXPECT_FALSE(find(question).failure_remembered);
  fail(question);
  store(question, Reply(question, Rcode::nxdomain).soa(1, 1));
  now += 2;
  EXPECT_FALSE(find(question).failure_remembered);
}

class Rfc8767_4 : public CacheTest {};

TEST_F(Rfc8767_4, FailureLeavesTheAnswerThatMayServeStale) {
  const dns::Question question = question_of("www.example.");
  store_address("www.example.", 60, 7);
  now += 61;
  EXPECT_EQ(find(question).state, State::stale);
  EXPECT_FALSE(find(question).failure_remembered);
  fail(question);
  const Found found = find(question);
  EXPECT_EQ(found.state, State::stale);
  EXPECT_EQ(found.answer.wire.back(), 7);
  EXPECT_EQ(found.age, 61U);
  EXPECT_TRUE(found.failure_remembered);
}

/// §4: an answer that is not a failure refreshes, be it kept or not.
TEST_F(Rfc8767_4, ANewerAnswerThatIsNotKeptEndsTheOlder) {
  const dns::Question zero = question_of("zero.example.");
  const dns::Question bare = question_of("bare.example.");
  const dns::Question gone = question_of("gone.example.");
  store(zero, Reply(zero).address(30));
  store(bare, Reply(bare).address(30));
  store(gone, Reply(gone, Rcode::nxdomain).soa(30, 30));
  fail(bare);
  now += 30;
  store(zero, Reply(zero).address(0, 2));
  store(bare, Reply(bare, Rcode::nxdomain));
  store(gone, Reply(gone));
  for (const dns::Question& question : {zero, bare, gone}) {
    const Found found = find(question);
    EXPECT_EQ(found.state, State::absent) << question.name.to_text();
    EXPECT_FALSE(found.failure_remembered);
  }
}

TEST_F(Rfc8767_4, FreshAnswerStandsAboveAFailure) {
  const dns::Question question = question_of("www.example.");
  store_address("www.example.", 60);
  fail(question);
  EXPECT_EQ(find(question).state, State::fresh);
  EXPECT_FALSE(find(question).failure_remembered);
}

TEST_F(Rfc8767_4, StaleDataHasAnEnd) {
  limits.stale = std::chrono::seconds{100};
  store_address("www.example.", 60);
  now += 159;
  EXPECT_EQ(find("www.example.").state, State::stale);
  now += 1;
  EXPECT_EQ(find("www.example.").state, State::absent);
}

TEST_F(Rfc8767_4, StaleNxdomainServesEveryType) {
  const dns::Question question = question_of("no.example.");
  store(question, Reply(question, Rcode::nxdomain).soa(60, 60));
  now += 61;
  EXPECT_EQ(find("no.example.", RrType::mx).state, State::stale);
  EXPECT_EQ(find("no.example.", RrType::mx).answer.rcode, Rcode::nxdomain);
}

TEST_F(Rfc8767_4, OfTwoStaleAnswersTheLaterServes) {
  const dns::Question mx = question_of("www.example.", RrType::mx);
  store(mx, Reply(mx).soa(60, 60));
  now += 10;
  store(question_of("www.example."),
        Reply(question_of("www.example."), Rcode::nxdomain).soa(60, 60));
  now += 100;
  EXPECT_EQ(find(mx).state, State::stale);
  EXPECT_EQ(find(mx).answer.rcode, Rcode::nxdomain);
}

class Flush : public CacheTest {
 protected:
  void fill() {
    for (const std::string_view name :
         {"www.example.", "a.www.example.", "example.", "xwww.example.", "other.test."}) {
      for (const RrType type : {RrType::a, RrType::aaaa}) {
        const dns::Question question = question_of(name, type);
        store(question, Reply(question).soa(300, 300), variant_do);
      }
    }
  }
  bool has(std::string_view name) {
    return find(question_of(name), variant_do).state != State::absent;
  }
};

TEST_F(Flush, EverythingGoes) {
  fill();
  EXPECT_EQ(cache.stats().entries, 10U);
  EXPECT_EQ(cache.flush(), 10U);
  EXPECT_EQ(cache.stats().entries, 0U);
  EXPECT_EQ(cache.stats().flushed, 10U);
  EXPECT_EQ(cache.stats().retired_octets, 0U) << "nobody reads";
  EXPECT_FALSE(has("www.example."));
  fill();
  EXPECT_TRUE(has("www.example."));
}

TEST_F(Flush, ANameOfEveryTypeAndVariant) {
  fill();
  EXPECT_EQ(cache.flush(name_of("WWW.example."), false), 2U);
  EXPECT_FALSE(has("www.example."));
  EXPECT_TRUE(has("a.www.example."));
  EXPECT_TRUE(has("xwww.example."));
  EXPECT_TRUE(has("example."));
}

TEST_F(Flush, ANameAndAllBelow) {
  fill();
  EXPECT_EQ(cache.flush(name_of("www.example."), true), 4U);
  EXPECT_FALSE(has("a.www.example."));
  EXPECT_TRUE(has("xwww.example."));
  EXPECT_EQ(cache.flush(name_of("."), true), 6U);
  EXPECT_EQ(cache.stats().entries, 0U);
}

}  // namespace
}  // namespace cache::test
