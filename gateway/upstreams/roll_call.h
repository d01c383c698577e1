// Asks upstreams whether they answer, each of them by itself and all at once: `sallyport upstream
// test`. What they say changes nothing. Owned by the exchanges that it began; on the sets' worker.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gateway/upstreams/sets.h"

namespace gateway::upstreams {

class RollCall final : public std::enable_shared_from_this<RollCall> {
 public:
  struct Called {
    std::string set;
    std::string name;
    bool answered = false;
    std::string outcome;
    base::Clock::duration took{};
  };
  using Told = std::move_only_function<void(std::vector<Called>)>;

  /// `name`: that one alone, in whichever sets it is. `told` is called once, when the last has
  /// answered or its own timeout is over; with nothing when there is none of that name.
  static void begin(std::shared_ptr<Sets> sets, const std::optional<std::string>& name, Told told);

  RollCall(std::shared_ptr<Sets> sets, Told told)
      : sets_(std::move(sets)), told_(std::move(told)) {}
  ~RollCall() { told_(std::move(called_)); }
  RollCall(const RollCall&) = delete;
  RollCall& operator=(const RollCall&) = delete;

 private:
  void call(UpstreamSet& set, Member& member);
  void replied(std::size_t index, base::TimePoint asked, base::Result<dns::KeptAnswer> reply);

  std::shared_ptr<Sets> sets_;
  Told told_;
  std::vector<Called> called_;
};

}  // namespace gateway::upstreams
