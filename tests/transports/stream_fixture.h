// A TCP or DoT upstream against a fake one: every test runs over both, for the links are the same.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/fake_upstream.h"
#include "tests/support/upstream_loop.h"

namespace test_support {

using Answer = base::Result<dns::KeptAnswer>;

class StreamFixture : public ::testing::TestWithParam<conf::Protocol> {
 protected:
  StreamFixture()
      : authority_(make_certificate(
            {.common_name = "authority", .dns_names = {}, .addresses = {}, .authority = true})),
        identity_(make_certificate({.dns_names = {"dns.test"}, .addresses = {}}, &authority_)),
        authority_file_(authority_.certificate_pem()) {}

  static bool encrypted() { return GetParam() == conf::Protocol::dot; }

  std::unique_ptr<FakeUpstream> fake(Script script, FakeUpstream::Options options = {}) {
    options.identity = &identity_;
    return std::make_unique<FakeUpstream>(std::move(script), options);
  }

  conf::Upstream settings(const FakeUpstream& fake) {
    conf::Upstream upstream;
    upstream.url = encrypted() ? "tls://fake#dns.test" : "tcp://fake";
    upstream.protocol = GetParam();
    upstream.endpoint = fake.endpoint(GetParam());
    upstream.tls_name = "dns.test";
    upstream.ca_file = authority_file_.path();
    upstream.timeout = std::chrono::milliseconds{1000};
    return upstream;
  }

  std::unique_ptr<transports::Upstream> make(const conf::Upstream& settings) {
    auto made = make_upstream(settings, loop_.context());
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }

  Answer exchange(transports::Upstream& upstream, std::string_view name = "www.example.com",
                  std::chrono::milliseconds deadline = std::chrono::milliseconds{4000}) {
    return loop_.run(upstream.exchange(ask_for(name), in(deadline)));
  }

  /// Begins `count` exchanges in one turn of the loop; names are q0.example to q9.example and so
  /// on.
  std::vector<std::optional<Answer>> begin_exchanges(
      transports::Upstream& upstream, std::size_t count,
      std::chrono::milliseconds deadline = std::chrono::milliseconds{4000}) {
    std::vector<std::optional<Answer>> results(count);
    for (std::size_t i = 0; i < count; ++i) {
      loop_.start(upstream.exchange(ask_for("q" + std::to_string(i) + ".example"), in(deadline)),
                  results[i]);
    }
    return results;
  }
  void finish(std::vector<std::optional<Answer>>& results) {
    loop_.run_until([&results] {
      return std::ranges::all_of(results, [](const auto& result) { return result.has_value(); });
    });
  }

  KeyedCertificate authority_;
  KeyedCertificate identity_;
  TemporaryFile authority_file_;
  UpstreamLoop loop_;
};

/// The number in "q17.example".
inline std::uint8_t number_of(const Received& query) {
  return static_cast<std::uint8_t>(std::stoi(query.request.question.name.to_text().substr(1)));
}

}  // namespace test_support
