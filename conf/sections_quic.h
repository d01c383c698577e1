// The section [quic]; one of sections()'s.
#pragma once

#include "conf/sections.h"

namespace conf {

Section quic_section();

}  // namespace conf
