// Whose word is taken. RFC 8914 §4.
#include "dns/verdict.h"

#include <gtest/gtest.h>

#include <optional>

namespace dns {
namespace {

TEST(Verdict, AnswersAreBelievedAndFailuresOnlyWhenTheyMeanIt) {
  const auto believed = [](Rcode rcode, std::optional<Ede> ede = {}) {
    KeptAnswer answer;
    answer.rcode = rcode;
    answer.has_ede = ede.has_value();
    answer.ede = ede.value_or(Ede::other);
    return is_believed(answer);
  };
  EXPECT_TRUE(believed(Rcode::noerror));
  EXPECT_TRUE(believed(Rcode::nxdomain));
  EXPECT_TRUE(believed(Rcode::nxdomain, Ede::network_error));
  EXPECT_TRUE(believed(Rcode::servfail, Ede::dnssec_bogus));
  EXPECT_TRUE(believed(Rcode::servfail, Ede::signature_expired_before_valid));
  EXPECT_TRUE(believed(Rcode::refused, Ede::blocked));
  EXPECT_TRUE(believed(Rcode::refused, Ede::filtered));
  EXPECT_FALSE(believed(Rcode::servfail));
  EXPECT_FALSE(believed(Rcode::servfail, Ede::no_reachable_authority));
  EXPECT_FALSE(believed(Rcode::servfail, Ede::dnssec_indeterminate));
  EXPECT_FALSE(believed(Rcode::refused));
  EXPECT_FALSE(believed(Rcode::refused, Ede::prohibited)) << "it is us who may not ask it";
  EXPECT_FALSE(believed(Rcode::notimp));
  EXPECT_FALSE(believed(Rcode::formerr));
}

}  // namespace
}  // namespace dns
