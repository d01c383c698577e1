// A message is the reply to its own question and to no other id.
#include <cstdio>
#include <cstdlib>

#include "tests/dns/invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string broken = dns::test::broken_match({data, size});
  if (!broken.empty()) {
    std::fprintf(stderr, "%s\n", broken.c_str());
    std::abort();
  }
  return 0;
}
