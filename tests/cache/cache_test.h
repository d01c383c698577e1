// A cache on fake time: what its scenarios say in a line each.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string_view>

#include "base/epoch.h"
#include "cache/answer_cache.h"
#include "dns/answer.h"
#include "tests/cache/replies.h"

namespace cache::test {

class CacheTest : public ::testing::Test {
 protected:
  explicit CacheTest(std::uint64_t budget = 4 << 20)
      : cache{{.budget = budget, .threads = 1, .seed = {0x0123456789abcdef, 0xfedcba9876543210}},
              epochs} {}

  [[nodiscard]] Key key_of(const dns::Question& question, std::uint8_t variant = 0) const {
    return cache.key_of(question, (variant & variant_do) != 0, (variant & variant_cd) != 0);
  }

  /// As the pipeline keeps a reply.
  Lifetime store(const dns::Question& question, const Reply& reply, std::uint8_t variant = 0) {
    dns::KeptAnswer answer = reply.kept();
    const Lifetime lifetime = lifetime_of(dns::facts_of(answer.view()), limits);
    dns::clamp_ttls(answer, lifetime.least_ttl, lifetime.most_ttl);
    cache.insert(key_of(question, variant), answer.view(), lifetime, now);
    return lifetime;
  }
  void store_address(std::string_view name, std::uint32_t ttl, std::uint8_t last_octet = 1) {
    const dns::Question question = question_of(name);
    store(question, Reply(question).address(ttl, last_octet));
  }
  void fail(const dns::Question& question) {
    dns::KeptAnswer failure = Reply(question, dns::Rcode::servfail).kept();
    failure.has_ede = true;
    failure.ede = dns::Ede::no_reachable_authority;
    cache.insert(key_of(question), failure.view(), lifetime_of_failure(limits), now);
  }

  /// Views stay valid until the next insertion or flush of the test's one thread.
  Found find(const dns::Question& question, std::uint8_t variant = 0) {
    const base::EpochBatch batch(reader);
    return cache.find(key_of(question, variant), now);
  }
  Found find(std::string_view name, dns::RrType type = dns::RrType::a) {
    return find(question_of(name, type));
  }
  Found find_cut(std::string_view name) {
    const dns::Question question = question_of(name);
    const base::EpochBatch batch(reader);
    return cache.find_cut(key_of(question), now);
  }

  base::Seconds32 now = 1000;
  conf::Cache limits;
  base::Epochs epochs;
  base::EpochReader reader{epochs};
  AnswerCache cache;
};

using State = Found::State;

}  // namespace cache::test
