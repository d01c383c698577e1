// Ticket keys: AES-256-CBC and HMAC-SHA-256, as RFC 5077 §4 recommends with longer keys.
#include "certs/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>

namespace certs {

namespace {

constexpr int not_mine = 0;
constexpr int good = 1;
constexpr int good_but_replace = 2;
constexpr int broken = -1;

void fill_random(std::span<std::uint8_t> out) {
  if (RAND_priv_bytes(out.data(), static_cast<int>(out.size())) != 1) {
    throw std::runtime_error("no randomness for ticket keys: " + take_openssl_error());
  }
}

}  // namespace

TicketKeys::Key TicketKeys::Key::make(base::TimePoint now) {
  Key key;
  fill_random(key.name);
  fill_random(key.cipher_key);
  fill_random(key.mac_key);
  key.created = now;
  return key;
}

TicketKeys::Key::~Key() {
  OPENSSL_cleanse(cipher_key.data(), cipher_key.size());
  OPENSSL_cleanse(mac_key.data(), mac_key.size());
}

TicketKeys::TicketKeys(std::chrono::seconds rotation, Now now)
    : rotation_(rotation),
      now_(std::move(now)),
      cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)) {
  if (!cipher_) throw std::runtime_error("AES-256-CBC is not available: " + take_openssl_error());
  keys_.current = Key::make(now_());
}

TicketKeys::Keys TicketKeys::keys_now() const {
  const base::TimePoint now = now_();
  const std::scoped_lock lock(mutex_);
  const auto age = now - keys_.current.created;
  if (age >= rotation_) {
    Key fresh = Key::make(now);
    // After a long silence the current key, too, is past twice its time.
    keys_.has_previous = age < 2 * rotation_;
    keys_.previous = keys_.has_previous ? keys_.current : Key{};
    keys_.current = fresh;
  } else if (keys_.has_previous && now - keys_.previous.created >= 2 * rotation_) {
    keys_.has_previous = false;
    keys_.previous = Key{};
  }
  return keys_;
}

int TicketKeys::seal_or_open(SSL& ssl, unsigned char* key_name, unsigned char* iv,
                             EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool seal) const {
  Keys keys;
  try {
    keys = keys_now();
  } catch (const std::runtime_error&) {
    return broken;
  }
  const Key* key = &keys.current;
  if (seal) {
    std::memcpy(key_name, key->name.data(), key->name.size());
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher_.get())) != 1) return broken;
  } else if (!std::equal(key->name.begin(), key->name.end(), key_name)) {
    key = &keys.previous;
    if (!keys.has_previous || !std::equal(key->name.begin(), key->name.end(), key_name))
      return not_mine;
  }

  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(
          OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key->mac_key.data()), key->mac_key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  if (EVP_CipherInit_ex2(cipher, cipher_.get(), key->cipher_key.data(), iv, seal ? 1 : 0,
                         nullptr) != 1 ||
      EVP_MAC_CTX_set_params(mac, parameters) != 1) {
    return broken;
  }
  // A TLS 1.3 client uses a ticket once (RFC 8446 §C.4): each resumption must bring the next one.
  const bool replace = !seal && (key == &keys.previous || SSL_version(&ssl) >= TLS1_3_VERSION);
  return replace ? good_but_replace : good;
}

}  // namespace certs
