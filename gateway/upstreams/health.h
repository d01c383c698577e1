// Whether an upstream is asked: well, suspected, or resting after failures. Rests are short, grow
// and are bounded, and end with a probe and not with a client's query; nobody is ever locked out,
// for who rests is still asked when nobody is well. Plain values; the set's thread alone touches
// them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace gateway::upstreams {

/// In the order in which upstreams are preferred.
enum class Standing : std::uint8_t {
  well,
  suspected,  ///< silent for longer than it ever is; a probe decides
  resting,    ///< failed; a probe decides when the rest is over
};

constexpr std::string_view to_text(Standing standing) {
  switch (standing) {
    case Standing::well: return "well";
    case Standing::suspected: return "suspected";
    case Standing::resting: return "resting";
  }
  return {};
}

class Health {
 public:
  static constexpr unsigned failures_before_rest = 3;
  static constexpr std::chrono::seconds rest_least{1};
  /// With the probe behind it, recovery is noticed within 30 s.
  static constexpr std::chrono::seconds rest_most{15};
  /// Rests begin small again when it has been well for so long: one that comes and goes is
  /// flapping.
  static constexpr std::chrono::seconds forgiven_after{30};

  /// A reply to a client's question that can be believed.
  void replied(base::TimePoint now);
  /// A reply to a probe. That ends a suspicion and a rest, but makes up for no failure: there are
  /// resolvers that answer from what they have and can ask nobody. After a rest the first failure
  /// begins the next.
  void answered_probe(base::TimePoint now);
  /// Three in a row, or one after a suspicion, begin a rest, too.
  void failed_probe(base::TimePoint now, std::string why);
  /// No usable reply, by its own fault. Three in a row, or one after a suspicion, begin a rest.
  void failed(base::TimePoint now, std::string why);
  /// Nothing was heard of it until another had answered what it was suspected for. Three in a row
  /// begin a rest: one may be a lost datagram.
  void outrun(base::TimePoint now, std::string why);
  /// A query was unanswered for longer than is usual, and nothing was heard meanwhile.
  void suspect(base::TimePoint now, std::string why);

  [[nodiscard]] Standing standing() const { return standing_; }
  /// When the next probe is due; only for one that is not well.
  [[nodiscard]] base::TimePoint probe_at() const { return probe_at_; }
  [[nodiscard]] const std::string& last_error() const { return last_error_; }

 private:
  void count_failure(unsigned& in_a_row, base::TimePoint now, std::string why);
  void rest(base::TimePoint now);
  void recover(base::TimePoint now);

  Standing standing_ = Standing::well;
  unsigned failures_ = 0;       // in a row
  unsigned failed_probes_ = 0;  // likewise
  unsigned rests_ = 0;          // since it was forgiven
  base::TimePoint well_since_{};
  base::TimePoint probe_at_{};
  std::string last_error_;
};

}  // namespace gateway::upstreams
