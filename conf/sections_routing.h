// The tables about who is asked for which names: [[set]] and [[route]], and what they must be to
// the upstreams. For conf/sections.cpp and conf/load.cpp.
#pragma once

#include "conf/sections.h"

namespace conf {

Section sets_section();
Section routes_section();

/// Sets without upstreams, upstreams that nothing leads to, names routed twice.
void check_routing(const Node& root, const Config& config, Reading& reading);

}  // namespace conf
