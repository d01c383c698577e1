// Which sallyport this is.
#pragma once

#include <string_view>

namespace gateway {

inline constexpr std::string_view version = SALLYPORT_VERSION;

}  // namespace gateway
