// A client's packet is parsed, answered in every way, and every answer is a sound message.
#include <cstdio>
#include <cstdlib>

#include "tests/dns/invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string broken = dns::test::broken_request({data, size});
  if (!broken.empty()) {
    std::fprintf(stderr, "%s\n", broken.c_str());
    std::abort();
  }
  return 0;
}
