// From the words of the command line to a Command. The one place that knows CLI11.
#pragma once

#include <expected>
#include <iosfwd>

#include "gateway/cli/exit_code.h"
#include "gateway/cli/options.h"

namespace gateway::cli {

/// A command; or, when help was asked for (to `out`, ok) or the words make no sense (to
/// `complaints`, usage), the exit code.
std::expected<Command, ExitCode> parse(int argument_count, const char* const* arguments,
                                       std::ostream& out, std::ostream& complaints);

}  // namespace gateway::cli
