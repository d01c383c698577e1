// One link to a DoH upstream in memory, with a codec that the test chooses.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/memory_link.h"
#include "tests/support/upstream_loop.h"
#include "transports/upstreams/doh_ask.h"

namespace test_support {

class DohLinkFixture : public ::testing::Test {
 protected:
  /// Begins anew: the link of a test may be replaced.
  template <class MakeCodec>
  void link_with(conf::DohMethod method, MakeCodec make) {
    end();
    settings_ = doh_settings(method);
    target_ = std::make_unique<transports::DohTarget>(settings_);
    link_ = std::make_unique<MemoryLink>(
        doh_terms(settings_, loop_.context()),
        [&](transports::Link& link) -> std::unique_ptr<transports::StreamCodec> {
          return make(link, std::as_const(*target_));
        });
  }

  void end() {
    asked_.clear();
    link_.reset();
  }

  transports::Waiting& ask(std::string_view name = "www.example.com") {
    asks_.push_back(std::make_unique<transports::Ask>(ask_for(name)));
    auto& made = *asked_.emplace_back(
        std::make_unique<transports::Waiting>(loop_.loop().get_executor(), *asks_.back(), true));
    link_->send(made);
    return made;
  }

  /// "answer 7" after its last octet, or why there is none; empty while nothing has come.
  static std::string outcome(const transports::Waiting& waiting) {
    if (waiting.failure) return waiting.failure->error.context;
    if (!waiting.judged) return {};
    if (waiting.judged->kind != transports::ReplyKind::answer) return "no answer";
    return "answer " + std::to_string(last_octet(waiting.judged->answer));
  }

  UpstreamLoop loop_;
  conf::Upstream settings_;
  std::unique_ptr<transports::DohTarget> target_;
  std::vector<std::unique_ptr<transports::Ask>> asks_;
  std::unique_ptr<MemoryLink> link_;
  std::vector<std::unique_ptr<transports::Waiting>> asked_;
};

}  // namespace test_support
