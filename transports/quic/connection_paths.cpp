// A peer that seems to have moved, until its new path is validated or given up. RFC 9000 §9.3.
// ngtcp2 1.22 waits for the next packet or call once it may not send to that path any more (§8.1):
// nothing would bring the connection back to the old path while the peer only waits for an answer,
// and whoever sends one of its packets on from another address could hold it up so.
#include "transports/quic/connection.h"

namespace transports::quic {

namespace {

// A path is given up after three probe timeouts, of a second each as a rule (§8.2.4); with each
// turn write() looks whether that time has come.
constexpr std::chrono::seconds between_path_turns{1};
constexpr int path_turns_max = 10;

}  // namespace

void Connection::on_path_in_question() {
  path_turns_ = path_turns_max;
  path_turn_at_ = base::Clock::now() + between_path_turns;
}

void Connection::on_path_settled(bool validated) {
  path_turns_ = 0;
  if (validated) host_.migrated(*this);
}

void Connection::count_path_turn(base::TimePoint now) {
  if (path_turns_ == 0 || path_turn_at_ > now) return;
  --path_turns_;
  path_turn_at_ = now + between_path_turns;
}

base::TimePoint Connection::path_expiry() const {
  return path_turns_ == 0 ? base::TimePoint::max() : path_turn_at_;
}

}  // namespace transports::quic
