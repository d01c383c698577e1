// Keys of `[[upstream]]` about the way to it: over HTTP, by name, through a proxy. For
// conf/sections.cpp alone.
#pragma once

#include <vector>

#include "conf/reading.h"
#include "conf/rows.h"

namespace conf {

/// `rows` with the rows of the way behind them. The row of `url` comes before.
std::vector<Row<Upstream>> with_way_out(std::vector<Row<Upstream>> rows);

/// What makes sense over some transports only; said where it is written. `where` are schemes.
void complain_pointless(const Node& table, std::string_view key, const Upstream& upstream,
                        std::string_view where, Reading& reading);

void check_way_out(const Node& table, const Upstream& upstream, Reading& reading);

}  // namespace conf
