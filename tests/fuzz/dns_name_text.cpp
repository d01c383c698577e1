// Names from text and from the wire lead back to themselves.
#include <cstdio>
#include <cstdlib>

#include "tests/dns/invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string broken = dns::test::broken_name({data, size});
  if (!broken.empty()) {
    std::fprintf(stderr, "%s\n", broken.c_str());
    std::abort();
  }
  return 0;
}
