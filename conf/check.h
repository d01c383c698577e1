// The result of checking a file, for people and as JSON: what `sallyport check` prints.
#pragma once

#include <expected>
#include <string>

#include "conf/load.h"

namespace conf {

/// All complaints and their number; or, of a good file, who may ask where, whom we ask, and with
/// which certificates.
std::string check_text(const std::expected<Config, Complaints>& loaded);

/// One line: {"ok":false,"problems":[{"file","line","column","width","message","suggestion"}…]} or
/// {"ok":true,"problems":[],"file","name","listeners","allow","upstreams","certificates","admin","state_directory"}.
std::string check_json(const std::expected<Config, Complaints>& loaded);

}  // namespace conf
