// A link whose connection is memory: what its codec writes is read by the test, and what the test
// writes is what the upstream says. For codecs of upstreams over HTTP. Owned by the test, which
// ends whoever waits before it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "transports/upstreams/link.h"
#include "transports/upstreams/stream_link.h"

namespace test_support {

class MemoryLink final : public transports::Link {
 public:
  using MakeCodec = std::function<std::unique_ptr<transports::StreamCodec>(transports::Link&)>;

  MemoryLink(std::shared_ptr<transports::LinkTerms> terms, const MakeCodec& make);

  /// All that the codec has to write.
  std::string said();
  /// The upstream says so, in one piece.
  void hear(std::string_view octets);
  /// The upstream closes.
  void hear_end();

 private:
  [[nodiscard]] bool room() const override { return codec_->room(); }
  void transmit(transports::Waiting& waiting) override { codec_->transmit(waiting); }
  void forget(transports::Waiting& waiting) override { codec_->forget(waiting); }
  void take_arrived() override {}
  [[nodiscard]] bool unacknowledged(base::TimePoint) override { return false; }
  void disconnect() override;

  std::unique_ptr<transports::StreamCodec> codec_;
  std::string last_words_;
};

/// An upstream at https://192.0.2.53/dns-query, as conf would have read it.
conf::Upstream doh_settings(conf::DohMethod method = conf::DohMethod::post);
/// The terms of its links.
std::shared_ptr<transports::LinkTerms> doh_terms(const conf::Upstream& settings,
                                                 const transports::UpstreamContext& context);
/// The reply to what is waited for: its question, and one A record that ends with `last_octet`.
std::string reply_to(const transports::Waiting& waiting, std::uint8_t last_octet = 1);

}  // namespace test_support
