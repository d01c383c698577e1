// What somebody else wrote, fit to be shown.
#pragma once

#include <string>
#include <string_view>

namespace gateway::cli {

/// `text` with U+FFFD for what is not UTF-8 and for what would move a cursor, end a line or turn
/// its direction.
std::string printable(std::string_view text);

}  // namespace gateway::cli
