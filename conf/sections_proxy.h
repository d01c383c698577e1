// The table of [proxy].
#pragma once

#include "conf/rows.h"

namespace conf {

Table<Proxy> proxy();

}  // namespace conf
