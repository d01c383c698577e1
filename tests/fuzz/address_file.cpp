// The file of upstreams' addresses, whatever is in it: first as it stands, then as rows under a
// checksum that is right. What is read is written the same, and is where hosts can be.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "gateway/upstreams/address_file.h"

namespace {

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void read(std::string_view text) {
  using namespace gateway::upstreams;
  const auto rows = parse_addresses(text);
  if (!rows) return must(!rows.error().empty(), "refused without a word");
  for (const AddressRow& row : *rows) {
    must(!row.host.empty() && !row.resolvers.empty() && !row.addresses.empty(), "an empty row");
    for (const base::Address& address : row.addresses)
      must(is_of_a_host(address), "where no host can be");
  }
  must(parse_addresses(print_addresses(*rows)) == *rows, "written otherwise than read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  read(text);
  read(gateway::upstreams::sealed(text));
  return 0;
}
