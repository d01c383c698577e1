// What every verb's exit status means; --help prints the same table.
#pragma once

namespace gateway::cli {

enum class ExitCode : int {
  ok = 0,
  failed = 1,             ///< the order was understood and could not be done
  usage = 2,              ///< the command line is wrong
  bad_configuration = 3,  ///< the configuration has errors; all are printed
  unreachable = 4,        ///< no gateway, or no server, answered
};

inline constexpr const char* exit_codes_text =
    "Exit status:\n"
    "  0  done\n"
    "  1  understood, but it could not be done\n"
    "  2  the command line is wrong\n"
    "  3  the configuration has errors (all of them are printed)\n"
    "  4  the gateway (for query: the server) could not be reached or did not answer\n";

}  // namespace gateway::cli
