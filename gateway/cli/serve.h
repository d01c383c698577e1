// Being the gateway: log and App, then signals until the end.
#pragma once

#include <expected>
#include <functional>

#include "conf/load.h"
#include "gateway/observer.h"

namespace gateway {
class App;
}

namespace gateway::cli {

struct Service {
  conf::Config config;
  /// For reloads; null: this configuration has no file, and a reload is refused.
  std::function<std::expected<conf::Config, conf::Complaints>()> read_again;
  QueryObserver* observer = nullptr;
  std::function<void(const App& app)>
      when_ready;  ///< called once, when everything listens; may be null
};

/// Returns after SIGTERM or SIGINT, when what was accepted is answered. hold_signals() was called
/// before. Throws std::runtime_error with a sentence when the gateway cannot start.
void serve(const Service& service);

}  // namespace gateway::cli
