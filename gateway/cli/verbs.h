// The verbs. Each has a file of its own, writes its result to `out` and what went wrong to
// `complaints`. To add a verb: options.h, parse.cpp, a file here, the visitor in command_line.cpp.
#pragma once

#include <iosfwd>

#include "gateway/cli/exit_code.h"
#include "gateway/cli/options.h"

namespace gateway::cli {

/// Where a verb writes: standard output and standard error, or a test's strings.
struct Streams {
  std::ostream& out;
  std::ostream& complaints;
};

ExitCode run(const RunOptions& options, Streams streams);
ExitCode check(const CheckOptions& options, Streams streams);
ExitCode query(const QueryOptions& options, Streams streams);
ExitCode reload(const ReloadOptions& options, Streams streams);
ExitCode status(const StatusOptions& options, Streams streams);
ExitCode cache_stats(const CacheStatsOptions& options, Streams streams);
ExitCode cache_flush(const CacheFlushOptions& options, Streams streams);
ExitCode upstream_list(const UpstreamListOptions& options, Streams streams);
ExitCode upstream_test(const UpstreamTestOptions& options, Streams streams);
ExitCode upstream_drain(const UpstreamDrainOptions& options, Streams streams);
ExitCode explain(const ExplainOptions& options, Streams streams);
ExitCode version(const VersionOptions& options, Streams streams);

/// The whole program: parse, then the verb. What main() returns.
int command_line(int argument_count, const char* const* arguments, Streams streams);

}  // namespace gateway::cli
