// What `sallyport query` says about an exchange: the reply as dig would show it and how it came, or
// all of it as JSON.
#pragma once

#include <string>

#include "transports/upstreams/ask_once.h"

namespace gateway::cli {

/// The whole reply and what is known about its way.
std::string report_to_text(const std::string& server, const transports::Reported& report);
/// The rdata of the answer section, a line each.
std::string report_to_short_text(const transports::Reported& report);
/// One line.
std::string report_to_json(const std::string& server, const transports::Reported& report);
/// One line: no reply, and why.
std::string failure_to_json(const std::string& server, const std::string& why);

}  // namespace gateway::cli
