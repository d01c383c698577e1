// Making connection ids, and the kernel's program that reads them.
#include "transports/quic/connection_ids.h"

#include <linux/filter.h>
#include <openssl/rand.h>

#include <array>
#include <stdexcept>

namespace transports::quic {

namespace {

constexpr std::size_t worker_at = 4;
constexpr unsigned first_shift = 15;
constexpr unsigned second_shift = 24;

}  // namespace

ConnectionIds::ConnectionIds() {
  std::array<std::uint8_t, 8> key{};
  if (RAND_bytes(key.data(), key.size()) != 1)
    throw std::runtime_error("no randomness from the system");
  // Odd, so that multiplying loses nothing.
  first_key_ = base::load_u32(key.data()) | 1U;
  second_key_ = base::load_u32(&key[4]) | 1U;
}

std::uint32_t ConnectionIds::mask_of(std::uint32_t nonce) const {
  std::uint32_t mixed = nonce * first_key_;
  mixed ^= mixed >> first_shift;
  return (mixed * second_key_) >> second_shift;
}

bool ConnectionIds::make(std::uint8_t worker, ngtcp2_cid& id) const {
  id.datalen = size;
  if (RAND_bytes(id.data, size) != 1) return false;
  id.data[worker_at] = static_cast<std::uint8_t>(worker ^ mask_of(base::load_u32(id.data)));
  return true;
}

std::uint8_t ConnectionIds::worker_of(base::Bytes id) const {
  return static_cast<std::uint8_t>(id[worker_at] ^ mask_of(base::load_u32(id.data())));
}

bool ConnectionIds::steer(int descriptor) const {
  // The id begins behind the first octet (RFC 9000 §17.3). No socket has the index 2^32-1: the hash
  // decides. A program that reads past the end gives 0, which is as good for such scraps.
  const std::array<sock_filter, 14> program{{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80, 11, 0),  // a long header: the hash
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 1),
      BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, first_key_),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, first_shift),
      BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
      BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, second_key_),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, second_shift),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 1 + worker_at),
      BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
      BPF_STMT(BPF_RET | BPF_A, 0),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
  }};
  const sock_fprog attached{.len = static_cast<unsigned short>(program.size()),
                            .filter = const_cast<sock_filter*>(program.data())};
  return ::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached,
                      sizeof attached) == 0;
}

}  // namespace transports::quic
