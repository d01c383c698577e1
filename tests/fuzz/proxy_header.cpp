// Fuzz target: a PROXY header means the same however it is cut, and nothing behind it is touched.
#include "transports/proxy_header.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using transports::ProxyHeader;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

/// The first octet is the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{1} + data[0];
  const base::Bytes stream(data + 1, size - 1);

  ProxyHeader whole;
  const std::size_t taken = whole.take(stream);
  require(taken <= stream.size() && taken <= 16 + ProxyHeader::rest_size_max);
  require(whole.state() != ProxyHeader::State::more || taken == stream.size());
  require(!whole.client() || whole.state() == ProxyHeader::State::complete);
  require(whole.state() == ProxyHeader::State::more || whole.take(stream) == 0);

  ProxyHeader cut;
  std::size_t at = 0;
  while (at < stream.size() && cut.state() == ProxyHeader::State::more)
    at += cut.take(stream.subspan(at, std::min(piece, stream.size() - at)));
  require(at == taken && cut.state() == whole.state() && cut.client() == whole.client());

  if (whole.state() == ProxyHeader::State::complete) {
    ProxyHeader exact;
    require(exact.take(stream.first(taken)) == taken && exact.client() == whole.client());
    ProxyHeader shorter;
    shorter.take(stream.first(taken - 1));
    require(shorter.state() == ProxyHeader::State::more);
  }
  return 0;
}
