// The order of a worker's stream sessions: who goes on next, and who gives way.
#include "transports/http_workspace.h"
#include "transports/stream_session.h"

namespace transports {

StreamWorkspace::StreamWorkspace() = default;
StreamWorkspace::~StreamWorkspace() = default;

void StreamWorkspace::at_end_of_turn() {
  // Those that come due meanwhile have the next round.
  decltype(due) now_due;
  now_due.swap(due);
  while (!now_due.empty()) {
    StreamSession& session = now_due.front();
    now_due.pop_front();
    session.advance(false);
  }
}

bool StreamWorkspace::evict_one() {
  if (idle.empty()) return false;
  idle.front().end_politely();
  return true;
}

}  // namespace transports
