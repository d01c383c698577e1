// An upstream of the control socket's JSON as lines for people: `upstream list` and `explain` show
// it alike.
#pragma once

#include <boost/json/fwd.hpp>

#include <iosfwd>
#include <string>

namespace gateway::cli {

/// "1.3 ms" of a number of microseconds.
std::string milliseconds_text(const boost::json::value& microseconds);

/// One line, a second one with what went wrong the last time, and one for each worker that sees it
/// otherwise than the first.
void print_upstream(const boost::json::value& upstream, std::ostream& out);

}  // namespace gateway::cli
