// DNS over HTTP as one configuration has it: where it is asked, and what people see there. Owned by
// the worker; replaced when the configuration is, and never while a request is being read.
#pragma once

#include <string>

#include "conf/config.h"

namespace transports {

struct DohService {
  DohService() = default;
  explicit DohService(const conf::Config& config);

  conf::Doh settings;
  std::string page;  ///< HTML; empty where there is none
};

}  // namespace transports
