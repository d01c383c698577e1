// An upstream with a second way to it, over TCP, for networks that let no UDP through: HTTP/3 falls
// back to HTTPS, DoQ to DoT, at the same place and under the same name. RFC 9250 §4.3 (fallback),
// RFC 9308 §2, RFC 8305 §5 in spirit. Owned by its upstream set.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "transports/upstreams/stream.h"
#include "transports/upstreams/timer.h"
#include "transports/upstreams/upstream.h"
#include "transports/upstreams/upstreams.h"

namespace transports {

class FallbackUpstream final : public Upstream {
 public:
  /// `wanted` is asked as long as it can be connected to.
  FallbackUpstream(std::unique_ptr<StreamUpstream> wanted, std::unique_ptr<StreamUpstream> other,
                   const UpstreamContext& context);

  Awaitable<base::Result<dns::KeptAnswer>> exchange(Ask ask, base::TimePoint deadline) override;
  [[nodiscard]] std::string_view name() const override { return wanted_->name(); }
  bool network_changed() override;
  Awaitable<void> close(base::TimePoint drain_until) override;

 private:
  using Reply = base::Result<dns::KeptAnswer>;

  /// One question over one of the ways.
  class Way final : public Asker {
   public:
    explicit Way(Timer& woken) : woken_(woken) {}
    void begin(Upstream& upstream, const Ask& ask, base::TimePoint deadline,
               const Executor& executor);
    [[nodiscard]] bool begun() const { return begun_; }
    [[nodiscard]] bool answered() const { return reply_ && *reply_; }
    [[nodiscard]] bool failed() const { return reply_ && !*reply_; }
    [[nodiscard]] Reply take() { return std::move(*reply_); }

   private:
    void replied(Reply reply) override;

    Timer& woken_;
    bool begun_ = false;
    std::optional<Reply> reply_;
  };
  /// A question over the wanted way that nobody waits for.
  class Probe final : public Asker {
   public:
    explicit Probe(FallbackUpstream& owner) : owner_(owner) {}

   private:
    void replied(Reply reply) override { owner_.probed(reply.has_value()); }

    FallbackUpstream& owner_;
  };

  void ask_other(Way& way, const Ask& ask, base::TimePoint deadline);
  void fall_back();
  void come_back();
  void probe(const Ask& ask, base::TimePoint deadline);
  void probed(bool answered);

  std::unique_ptr<StreamUpstream> wanted_;
  std::unique_ptr<StreamUpstream> other_;
  Executor executor_;
  base::Log& log_;
  base::Counter& fallbacks_;
  UnderWay under_way_;
  bool fallen_back_ = false;
  bool probing_ = false;
  bool closing_ = false;
  base::TimePoint probe_at_{};
  base::Clock::duration pause_;  // from one probe to the next
  Probe probe_;                  // last: it lets go before what it asks is gone
};

}  // namespace transports
