// Setting OpenSSL up, its memory, and its error queue in words.
#include "certs/openssl.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <array>
#include <cstdlib>

namespace certs {

namespace {

// The address sanitizer must see every use after free, so it gets no stock between it and OpenSSL.
#if __has_feature(address_sanitizer)
constexpr bool memory_is_watched = true;
#else
constexpr bool memory_is_watched = false;
#endif

// A TLS record with its overhead, as OpenSSL 3.5 asks for it when it reads (about 16.7 KiB) and
// writes.
constexpr std::size_t block_size_min = std::size_t{16} * 1024;
constexpr std::size_t block_size = std::size_t{18} * 1024;

/// Blocks of one size that wait for their next use: a worker reads or writes one record at a time,
/// and a handshake holds two blocks for a while. Needs no destructor, as OpenSSL frees memory of a
/// thread after the thread's objects have gone.
struct BlockStock {
  std::array<void*, 16> blocks;
  std::size_t count;
  bool ended;
};
thread_local constinit BlockStock stock{};

struct StockEnd {
  ~StockEnd() {
    while (stock.count != 0) std::free(stock.blocks[--stock.count]);
    stock.ended = true;
  }
};
thread_local const StockEnd stock_end;

void* take_block() {
  static_cast<void>(&stock_end);  // its destructor counts from here on
  return stock.count == 0 ? std::malloc(block_size) : stock.blocks[--stock.count];
}

bool put_block(void* block) {
  if (stock.ended || stock.count == stock.blocks.size()) return false;
  stock.blocks[stock.count++] = block;
  return true;
}

void* allocate(std::size_t size, const char*, int) {
  if (size > block_size_min && size <= block_size) return take_block();
  return size == 0 ? nullptr : std::malloc(size);
}

void release(void* block, const char*, int) {
  if (block == nullptr) return;
  const std::size_t size = malloc_usable_size(block);
  // What malloc rounds up to the size is as good.
  if (size >= block_size && size < block_size + block_size_min / 4 && put_block(block)) return;
  std::free(block);
}

void* reallocate(void* block, std::size_t size, const char*, int) {
  if (size == 0) {
    release(block, nullptr, 0);
    return nullptr;
  }
  return std::realloc(block, size);
}

}  // namespace

bool set_up_openssl() {
  bool in_time = true;
  if (!memory_is_watched) in_time = CRYPTO_set_mem_functions(&allocate, &reallocate, &release) == 1;
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  return in_time;
}

void forget_key_share(SSL& tls) {
  EVP_PKEY* share = nullptr;
  // A resumed session may have none.
  if (SSL_get_peer_tmp_key(&tls, &share) != 1) return;  // NOLINT(*-multi-level-*): its macro
  EVP_PKEY_set_type(share, EVP_PKEY_X25519);            // an object of any type without a key
  EVP_PKEY_free(share);
}

std::string take_openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "unknown error";
  if (const char* reason = ERR_reason_error_string(code)) return reason;
  return "error " + std::to_string(code);
}

void clear_openssl_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace certs

#if __has_feature(thread_sanitizer)
// OpenSSL counts references with atomics that this sanitizer does not see, as OpenSSL is not built
// for it: what a context owns would seem to be freed while another thread, which has let go of it,
// still read it.
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() {
  return "race:CRYPTO_free\nrace:CRYPTO_clear_free\nrace:SSL_CTX_free\n";
}
#endif
