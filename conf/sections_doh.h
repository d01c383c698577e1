// The table of [doh].
#pragma once

#include "conf/rows.h"

namespace conf {

Table<Doh> doh();

}  // namespace conf
