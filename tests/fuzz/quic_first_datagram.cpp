// Fuzz target: what an endpoint reads of a datagram before there is a connection: header, Initial,
// token. Whatever comes, only a token of ours proves anything.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "transports/quic/connection_ids.h"
#include "transports/quic/secrets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using transports::quic::ConnectionIds;
  using transports::quic::Path;
  using transports::quic::Secrets;
  static const Secrets secrets;
  static const ConnectionIds ids;
  Path path;
  path.remote.in.sin_family = AF_INET;
  path.remote_size = sizeof path.remote.in;

  ngtcp2_version_cid header;
  if (size == 0 || ngtcp2_pkt_decode_version_cid(&header, data, size, ConnectionIds::size) != 0)
    return 0;
  if (header.dcidlen == ConnectionIds::size)
    static_cast<void>(ids.worker_of({header.dcid, header.dcidlen}));
  ngtcp2_pkt_hd initial;
  if (ngtcp2_accept(&initial, data, size) != 0) return 0;
  ngtcp2_cid original{};
  const Secrets::Verdict verdict = secrets.check(initial, path, original);
  if (verdict == Secrets::Verdict::retry || verdict == Secrets::Verdict::address) std::abort();
  return 0;
}
