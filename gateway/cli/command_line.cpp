// From argv to the verb that was chosen.
#include <exception>
#include <ostream>
#include <variant>

#include "gateway/cli/parse.h"
#include "gateway/cli/verbs.h"

namespace gateway::cli {
namespace {

struct Chosen {
  Streams streams;
  ExitCode operator()(const RunOptions& options) const { return run(options, streams); }
  ExitCode operator()(const CheckOptions& options) const { return check(options, streams); }
  ExitCode operator()(const QueryOptions& options) const { return query(options, streams); }
  ExitCode operator()(const ReloadOptions& options) const { return reload(options, streams); }
  ExitCode operator()(const StatusOptions& options) const { return status(options, streams); }
  ExitCode operator()(const CacheStatsOptions& options) const {
    return cache_stats(options, streams);
  }
  ExitCode operator()(const CacheFlushOptions& options) const {
    return cache_flush(options, streams);
  }
  ExitCode operator()(const UpstreamListOptions& options) const {
    return upstream_list(options, streams);
  }
  ExitCode operator()(const UpstreamTestOptions& options) const {
    return upstream_test(options, streams);
  }
  ExitCode operator()(const UpstreamDrainOptions& options) const {
    return upstream_drain(options, streams);
  }
  ExitCode operator()(const ExplainOptions& options) const { return explain(options, streams); }
  ExitCode operator()(const VersionOptions& options) const { return version(options, streams); }
};

ExitCode parse_and_do(int argument_count, const char* const* arguments, Streams streams) {
  const auto command = parse(argument_count, arguments, streams.out, streams.complaints);
  if (!command) return command.error();
  try {
    return std::visit(Chosen{streams}, *command);
  } catch (const std::exception& error) {
    streams.complaints << "sallyport: " << error.what() << '\n';
    return ExitCode::failed;
  }
}

}  // namespace

int command_line(int argument_count, const char* const* arguments, Streams streams) {
  const ExitCode code = parse_and_do(argument_count, arguments, streams);
  streams.out.flush();
  // A result that could not be written is not a result: `sallyport status > /dev/full` has failed.
  if (!streams.out && code == ExitCode::ok) return static_cast<int>(ExitCode::failed);
  return static_cast<int>(code);
}

}  // namespace gateway::cli
