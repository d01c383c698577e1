// Any octets are printed without a crash, and nothing of them controls a terminal.
#include <cstdlib>

#include "tests/dns/invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const char letter : dns::message_to_text({data, size})) {
    const bool harmless = (letter >= ' ' && letter <= '~') || letter == '\n' || letter == '\t';
    if (!harmless) std::abort();
  }
  return 0;
}
