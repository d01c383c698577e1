// `sallyport check`: the configuration read as `run` would read it.
#include "conf/check.h"

#include <ostream>

#include "gateway/cli/configuration.h"
#include "gateway/cli/verbs.h"

namespace gateway::cli {

ExitCode check(const CheckOptions& options, Streams streams) {
  const auto loaded = find_configuration(options.config);
  if (options.json) {
    streams.out << conf::check_json(loaded);
  } else {
    (loaded ? streams.out : streams.complaints) << conf::check_text(loaded);
  }
  return loaded ? ExitCode::ok : ExitCode::bad_configuration;
}

}  // namespace gateway::cli
