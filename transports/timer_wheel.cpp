// The wheel turns when its timer fires, which is set to the next slot that holds something.
#include "transports/timer_wheel.h"

#include <algorithm>
#include <utility>

namespace transports {

void TimerWheel::Entry::unlink() {
  if (link_ == nullptr) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  link_ = nullptr;
  next_ = nullptr;
}

TimerWheel::TimerWheel(boost::asio::io_context& io, std::chrono::milliseconds tick)
    : tick_(tick), done_(tick_of(base::Clock::now())), timer_(io.get_executor()) {}

TimerWheel::~TimerWheel() {
  for (Entry*& first : slots_) {
    while (first != nullptr) first->unlink();
  }
}

/// The tick by whose beginning `when` has passed.
std::uint64_t TimerWheel::tick_of(base::TimePoint when) const {
  const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch());
  return static_cast<std::uint64_t>(since / tick_) + 1;
}

void TimerWheel::set(Entry& entry, base::TimePoint deadline) {
  entry.deadline_ = deadline;
  if (stopped_) return;
  const std::uint64_t tick_wanted = std::max(tick_of(deadline), done_ + 1);
  if (entry.link_ != nullptr) {
    if (entry.tick_ <= tick_wanted) return;  // when it is looked at, it is put where it belongs
    entry.unlink();
  }
  entry.tick_ = tick_wanted;
  link(entry);
  if (awaited_ == 0 || entry.tick_ < awaited_) wait_for(entry.tick_);
}

void TimerWheel::link(Entry& entry) {
  Entry*& first = slots_[entry.tick_ % slots];
  entry.next_ = first;
  entry.link_ = &first;
  if (first != nullptr) first->link_ = &entry.next_;
  first = &entry;
}

void TimerWheel::wait_for(std::uint64_t tick_wanted) {
  awaited_ = tick_wanted;
  timer_.expires_at(base::TimePoint(tick_ * static_cast<std::int64_t>(tick_wanted)));
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) on_tick();
  });
}

void TimerWheel::on_tick() {
  awaited_ = 0;
  const base::TimePoint now = base::Clock::now();
  const std::uint64_t current = tick_of(now) - 1;  // the last tick whose beginning has passed
  // After a long sleep one whole turn is enough: it meets every entry.
  const std::uint64_t from = std::max(done_ + 1, current >= slots ? current - slots + 1 : 0);
  for (std::uint64_t turn = from; turn <= current; ++turn) {
    done_ = turn;
    // What is set anew meanwhile goes into later slots; what expires may end others of this slot.
    Entry* due = std::exchange(slots_[turn % slots], nullptr);
    if (due != nullptr) due->link_ = &due;
    while (due != nullptr) {
      Entry& entry = *due;
      entry.unlink();
      if (entry.deadline_ <= now) {
        entry.on_deadline(now);
      } else {
        entry.tick_ = std::max(tick_of(entry.deadline_), done_ + 1);
        link(entry);
      }
    }
  }
  done_ = std::max(done_, current);
  const std::uint64_t next = next_tick();
  if (next != 0 && !stopped_) {
    if (awaited_ == 0 || next < awaited_) wait_for(next);
  }
}

/// The first tick from now whose slot holds something; 0 when none does.
std::uint64_t TimerWheel::next_tick() const {
  for (std::uint64_t ahead = 1; ahead <= slots; ++ahead) {
    if (slots_[(done_ + ahead) % slots] != nullptr) return done_ + ahead;
  }
  return 0;
}

void TimerWheel::stop() {
  stopped_ = true;
  timer_.cancel();
}

}  // namespace transports
