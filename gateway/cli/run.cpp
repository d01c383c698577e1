// `sallyport run`.
#include <ostream>

#include "conf/check.h"
#include "gateway/app.h"
#include "gateway/cli/configuration.h"
#include "gateway/cli/process.h"
#include "gateway/cli/serve.h"
#include "gateway/cli/verbs.h"
#include "gateway/demo/demonstration.h"

namespace gateway::cli {
namespace {

/// With --json, standard output has the queries' lines alone, and the greeting goes where the log
/// goes.
ExitCode run_demonstration(bool json, Streams streams) {
  demo::Demonstration demonstration(json);
  demo::PortChoice choice;
  const auto greet = [&demonstration, &choice,
                      &out = json ? streams.complaints : streams.out](const App& app) {
    choice.end();
    const auto admin = app.admin_endpoint();
    out << demonstration.greeting(app.listening(), admin ? admin->to_text() : "",
                                  app.authority_file())
        << std::flush;
  };
  serve({.config = demonstration.configuration(),
         .read_again = {},
         .observer = demonstration.observer(),
         .when_ready = greet});
  return ExitCode::ok;
}

}  // namespace

ExitCode run(const RunOptions& options, Streams streams) {
  hold_signals();
  if (options.demo) return run_demonstration(options.json, streams);
  const auto read = [options] {
    auto loaded = find_configuration(options.config);
    if (loaded && options.json) loaded->log.format = base::LogFormat::json;
    return loaded;
  };
  const auto loaded = read();
  if (!loaded) {
    streams.complaints << conf::check_text(loaded);
    return ExitCode::bad_configuration;
  }
  serve({.config = *loaded, .read_again = read, .observer = nullptr, .when_ready = {}});
  return ExitCode::ok;
}

}  // namespace gateway::cli
