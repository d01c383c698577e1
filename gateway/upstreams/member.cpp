// What is learnt of an upstream, and what follows from it.
#include "gateway/upstreams/member.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace gateway::upstreams {
namespace {

base::Counter& counter(base::MetricSheet& sheet, std::string_view family, std::string_view upstream,
                       base::Labels more = {}) {
  base::Labels labels{{"upstream", std::string{upstream}}};
  labels.insert(labels.end(), more.begin(), more.end());
  return sheet.counter(family, std::move(labels));
}

}  // namespace

Member::Member(Entrant entrant, base::MetricSheet& sheet)
    : entrant_(std::move(entrant)),
      identity_(std::hash<std::string_view>{}(name())),
      hedges_(counter(sheet, "sallyport_upstream_hedges_total", name())),
      hedges_won_(counter(sheet, "sallyport_upstream_hedges_won_total", name())),
      failovers_(counter(sheet, "sallyport_upstream_failovers_total", name())),
      probes_answered_(
          counter(sheet, "sallyport_upstream_probes_total", name(), {{"result", "answered"}})),
      probes_failed_(
          counter(sheet, "sallyport_upstream_probes_total", name(), {{"result", "failed"}})),
      rests_(counter(sheet, "sallyport_upstream_rests_total", name())) {
  for (std::size_t i = 0; i < standings_.size(); ++i) {
    standings_[i] = &sheet.gauge("sallyport_upstream_standing",
                                 {{"upstream", std::string{name()}},
                                  {"standing", std::string{to_text(static_cast<Standing>(i))}}});
  }
  show_standing();
}

void Member::show_standing() {
  hide_standing();
  shown_ = standings_[static_cast<std::size_t>(health_.standing())];
  shown_->add();
}

void Member::hide_standing() {
  if (base::Gauge* const shown = std::exchange(shown_, nullptr)) shown->take_off();
}

Candidate Member::candidate() const {
  return {.standing = health_.standing(),
          .probe_at = health_.probe_at(),
          .drained = drained,
          .known = pace_.known(),
          .smoothed = pace_.smoothed(),
          .weight = entrant_.weight,
          .identity = identity_};
}

base::Clock::duration Member::hedge_after() const {
  if (!pace_.known()) return std::min(hedge_unknown, entrant_.timeout / 3);
  return std::max<base::Clock::duration>(pace_.p95(), hedge_least);
}

void Member::replied(base::TimePoint asked, base::TimePoint now) {
  heard_at_ = now;
  pace_.took(now - asked);
}

void Member::given_up(base::TimePoint asked, base::TimePoint now) {
  // Less time than it usually takes says nothing about it.
  if (pace_.known() && now - asked > pace_.p95()) pace_.took(now - asked);
}

void Member::count_try(Why why) {
  switch (why) {
    case Why::first:
    case Why::race: break;
    case Why::hedge: hedges_.add(); break;
    case Why::silence:
    case Why::failure: failovers_.add(); break;
  }
}

}  // namespace gateway::upstreams
