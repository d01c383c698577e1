// A value or an error: how the data path reports failure (exceptions are for starting up only).
#pragma once

#include <expected>

#include "base/error.h"

namespace base {

template <class T, class E = Error>
using Result = std::expected<T, E>;

}  // namespace base
