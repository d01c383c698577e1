// Packets that stand alone. None is larger than what it answers, but for a Retry, which stays below
// three times that.
#include "transports/quic/stateless.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace transports::quic {

namespace {

constexpr unsigned answers_per_second = 1000;
// A reset that looks like any packet (RFC 9000 §10.3).
constexpr std::size_t reset_size_most = 43;
constexpr std::size_t reset_size_least =
    NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN;

}  // namespace

bool StatelessAnswers::may_answer() {
  const base::TimePoint now = base::Clock::now();
  if (now - counted_since_ >= std::chrono::seconds(1)) {
    counted_since_ = now;
    counted_ = 0;
  }
  return ++counted_ <= answers_per_second;
}

void StatelessAnswers::negotiate_version(const Datagram& datagram, const ngtcp2_version_cid& header,
                                         int descriptor) {
  if (datagram.octets.size() < datagram_size || !may_answer()) return;
  std::array<std::uint8_t, 5> random{};
  RAND_bytes(random.data(), random.size());
  // A reserved one too, so that clients keep in practice (RFC 9000 §6.3).
  const std::array<std::uint32_t, 2> versions{
      (base::load_u32(random.data()) & 0xF0F0F0F0U) | 0x0A0A0A0AU, NGTCP2_PROTO_VER_V1};
  const base::MutableBytes room = work_.datagrams.room(descriptor);
  const ngtcp2_ssize size = ngtcp2_pkt_write_version_negotiation(
      room.data(), datagram_size, random.back(), header.scid, header.scidlen, header.dcid,
      header.dcidlen, versions.data(), versions.size());
  if (size <= 0) return;
  Path path = datagram.path;
  work_.datagrams.queue(path.view(), 0, static_cast<std::size_t>(size),
                        static_cast<std::size_t>(size));
  work_.counters.version_answers.add();
}

void StatelessAnswers::retry(const Datagram& datagram, const ngtcp2_pkt_hd& initial,
                             int descriptor) {
  ngtcp2_cid id{};
  if (!work_.process.ids.make(work_.worker, id)) return;
  const Secrets::Token token =
      work_.process.secrets.retry_token(initial.version, datagram.path, id, initial.dcid);
  if (token.size == 0) return;
  const base::MutableBytes room = work_.datagrams.room(descriptor);
  const ngtcp2_ssize size =
      ngtcp2_crypto_write_retry(room.data(), datagram_size, initial.version, &initial.scid, &id,
                                &initial.dcid, token.octets.data(), token.size);
  if (size <= 0) return;
  Path path = datagram.path;
  work_.datagrams.queue(path.view(), 0, static_cast<std::size_t>(size),
                        static_cast<std::size_t>(size));
  work_.counters.retries.add();
}

void StatelessAnswers::reset(const Datagram& datagram, base::Bytes id, int descriptor) {
  // Smaller than what it answers: two servers that reset each other come to an end (§10.3.3).
  if (datagram.octets.size() <= reset_size_least || !may_answer()) return;
  const std::size_t size = std::min(datagram.octets.size() - 1, reset_size_most);
  ngtcp2_cid unknown;
  ngtcp2_cid_init(&unknown, id.data(), id.size());
  ngtcp2_stateless_reset_token token;
  work_.process.secrets.reset_token(unknown, token.data);
  std::array<std::uint8_t, reset_size_most> random{};
  RAND_bytes(random.data(), random.size());
  const base::MutableBytes room = work_.datagrams.room(descriptor);
  const ngtcp2_ssize written = ngtcp2_pkt_write_stateless_reset2(
      room.data(), size, &token, random.data(), size - NGTCP2_STATELESS_RESET_TOKENLEN);
  if (written <= 0) return;
  Path path = datagram.path;
  work_.datagrams.queue(path.view(), 0, static_cast<std::size_t>(written),
                        static_cast<std::size_t>(written));
  work_.counters.resets.add();
}

void StatelessAnswers::refuse(const Datagram& datagram, const ngtcp2_pkt_hd& initial,
                              std::uint64_t code, int descriptor) {
  if (!may_answer()) return;
  const base::MutableBytes room = work_.datagrams.room(descriptor);
  const ngtcp2_ssize size = ngtcp2_crypto_write_connection_close(
      room.data(), datagram_size, initial.version, &initial.scid, &initial.dcid, code, nullptr, 0);
  if (size <= 0) return;
  Path path = datagram.path;
  work_.datagrams.queue(path.view(), 0, static_cast<std::size_t>(size),
                        static_cast<std::size_t>(size));
  work_.counters.refusals.add();
}

}  // namespace transports::quic
