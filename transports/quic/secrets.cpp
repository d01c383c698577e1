// Tokens, by ngtcp2's sealing; reset tokens, one block of AES each.
#include "transports/quic/secrets.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "certs/openssl.h"
#include "transports/quic/connection_ids.h"

namespace transports::quic {

static_assert(Secrets::token_size_max >= NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2 &&
              Secrets::token_size_max >= NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN);

Secrets::Secrets() {
  if (RAND_priv_bytes(tokens_.data(), tokens_.size()) != 1 ||
      RAND_priv_bytes(resets_.data(), resets_.size()) != 1) {
    throw std::runtime_error("no randomness from the system");
  }
}

Secrets::~Secrets() {
  OPENSSL_cleanse(tokens_.data(), tokens_.size());
  OPENSSL_cleanse(resets_.data(), resets_.size());
}

Secrets::Token Secrets::retry_token(std::uint32_t version, const Path& path,
                                    const ngtcp2_cid& retry_id, const ngtcp2_cid& original) const {
  Token token;
  const ngtcp2_ssize size = ngtcp2_crypto_generate_retry_token2(
      token.octets.data(), tokens_.data(), tokens_.size(), version, &path.remote.sa,
      path.remote_size, &retry_id, &original, stamp_now());
  token.size = size > 0 ? static_cast<std::size_t>(size) : 0;
  return token;
}

Secrets::Token Secrets::address_token(const ngtcp2_addr& remote) const {
  Token token;
  const ngtcp2_ssize size =
      ngtcp2_crypto_generate_regular_token(token.octets.data(), tokens_.data(), tokens_.size(),
                                           remote.addr, remote.addrlen, stamp_now());
  token.size = size > 0 ? static_cast<std::size_t>(size) : 0;
  return token;
}

Secrets::Verdict Secrets::check(const ngtcp2_pkt_hd& initial, const Path& path,
                                ngtcp2_cid& original) const {
  if (initial.tokenlen == 0) return Verdict::none;
  switch (initial.token[0]) {
    case NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2:
      return ngtcp2_crypto_verify_retry_token2(&original, initial.token, initial.tokenlen,
                                               tokens_.data(), tokens_.size(), initial.version,
                                               &path.remote.sa, path.remote_size, &initial.dcid,
                                               duration_of(retry_lifetime), stamp_now()) == 0
                 ? Verdict::retry
                 : Verdict::bad;
    case NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR:
      return ngtcp2_crypto_verify_regular_token(initial.token, initial.tokenlen, tokens_.data(),
                                                tokens_.size(), &path.remote.sa, path.remote_size,
                                                duration_of(address_lifetime), stamp_now()) == 0
                 ? Verdict::address
                 : Verdict::none;
    default: return Verdict::none;  // of another server, or of this one before it was started anew
  }
}

void Secrets::reset_token(const ngtcp2_cid& id, std::uint8_t* token) const {
  using Cipher = std::unique_ptr<EVP_CIPHER_CTX, certs::OpensslDelete<&EVP_CIPHER_CTX_free>>;
  thread_local const Cipher cipher(EVP_CIPHER_CTX_new());
  std::array<std::uint8_t, NGTCP2_STATELESS_RESET_TOKENLEN> block{};
  std::copy_n(id.data, std::min<std::size_t>(id.datalen, block.size()), block.begin());
  int size = 0;
  EVP_EncryptInit_ex2(cipher.get(), EVP_aes_128_ecb(), resets_.data(), nullptr, nullptr);
  EVP_CIPHER_CTX_set_padding(cipher.get(), 0);
  EVP_EncryptUpdate(cipher.get(), token, &size, block.data(), static_cast<int>(block.size()));
}

}  // namespace transports::quic
