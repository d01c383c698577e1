// DNS over HTTP as one configuration has it: where it is asked, and what people see there. Owned by
// the worker; renewed with the configuration, and never while a request is being read.
#pragma once

#include <string>

#include "conf/config.h"

namespace transports {

struct DohService {
  DohService() = default;
  explicit DohService(const conf::Config& config);
  /// As a newer configuration has it; listeners stay what they are.
  void renew(const conf::Config& config);

  conf::Doh settings;
  /// Tells clients of HTTP/1.1 and HTTP/2 where HTTP/3 is spoken (RFC 7838 §3); empty: nowhere.
  std::string alternative;
  std::string page;  ///< HTML; empty where there is none
};

}  // namespace transports
