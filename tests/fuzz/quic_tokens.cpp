// Fuzz target: tokens of ours that somebody has changed, and ids of ours that somebody has changed:
// a token proves what it was made for, unchanged and at its address, and nothing else; an id leads
// to its worker, a changed one to any, in bounds. RFC 9000 §8.1.3-8.1.4, §5.1.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "transports/quic/connection_ids.h"
#include "transports/quic/secrets.h"

namespace {

using namespace transports::quic;

void require(bool holds) {
  if (!holds) std::abort();
}

Path path_from(std::uint8_t host, std::uint8_t port) {
  Path path;
  path.remote.in.sin_family = AF_INET;
  path.remote.in.sin_addr.s_addr = htonl(0x7F000000U | host);
  path.remote.in.sin_port = htons(static_cast<std::uint16_t>(1000 + port));
  path.remote_size = sizeof path.remote.in;
  return path;
}

}  // namespace

/// Kind, host, port and version; how long the token is then; where it is changed, and by what.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Secrets secrets;
  static const ConnectionIds ids;
  base::Reader in({data, size});
  const bool retry = (in.u8() & 1) != 0;
  const std::uint8_t host = in.u8();
  const std::uint8_t port = in.u8();
  const std::uint32_t version = NGTCP2_PROTO_VER_V1 + in.u8();
  const std::uint8_t cut = in.u8();
  if (!in.ok()) return 0;

  const Path made_for = path_from(0, 0);
  ngtcp2_cid id{};
  ngtcp2_cid original{};
  require(ids.make(host, id) && ids.worker_of(octets_of(id)) == host);
  original.datalen = NGTCP2_MIN_INITIAL_DCIDLEN;
  std::fill_n(original.data, original.datalen, std::uint8_t{0x5a});
  const Secrets::Token token =
      retry ? secrets.retry_token(NGTCP2_PROTO_VER_V1, made_for, id, original)
            : secrets.address_token(
                  {const_cast<sockaddr*>(&made_for.remote.sa), made_for.remote_size});
  require(token.size > 0);
  std::vector<std::uint8_t> octets(token.octets.begin(),
                                   token.octets.begin() + static_cast<std::ptrdiff_t>(token.size));
  const std::vector<std::uint8_t> unchanged = octets;
  if (cut != 0) octets.resize(std::min<std::size_t>(octets.size(), cut - 1U));
  ngtcp2_cid destination = id;
  while (in.remaining() >= 2) {
    const std::uint8_t where = in.u8();
    const std::uint8_t by = in.u8();
    if (where < octets.size()) {
      octets[where] ^= by;
    } else {
      destination.data[where % destination.datalen] ^= by;
    }
  }

  ngtcp2_pkt_hd initial{};
  initial.version = version;
  initial.token = octets.data();
  initial.tokenlen = octets.size();
  initial.dcid = destination;
  ngtcp2_cid told{};
  const Secrets::Verdict verdict = secrets.check(initial, path_from(host, port), told);
  const bool same_token = octets == unchanged;
  const bool same_id = ngtcp2_cid_eq(&destination, &id) != 0;
  static_cast<void>(ids.worker_of(octets_of(destination)));
  // A Retry's is bound to address, port, version and id; the other to the address alone.
  const bool holds = same_token && host == 0 &&
                     (!retry || (port == 0 && version == NGTCP2_PROTO_VER_V1 && same_id));
  const Secrets::Verdict good = retry ? Secrets::Verdict::retry : Secrets::Verdict::address;
  require((verdict == good) == holds);
  if (holds && retry) require(ngtcp2_cid_eq(&told, &original) != 0);
  return 0;
}
