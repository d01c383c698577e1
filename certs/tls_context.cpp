// Server contexts.
#include "certs/tls_context.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <string>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "certs/identity.h"
#include "certs/ticket_keys.h"
#include "dns/name.h"

namespace certs {

namespace {

/// What a server context must keep alive, in its ex_data: SSL objects hold their context, and
/// thereby this.
struct ServerState {
  std::shared_ptr<const TicketKeys> tickets;
  std::shared_ptr<const Identity> own;
  std::vector<NamedContext> others;
};

void free_state(void*, void* state, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<ServerState*>(state);
}

int state_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, &free_state);
  return index;
}

int alpn_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

ServerState& state_of(const SSL_CTX* context) {
  return *static_cast<ServerState*>(SSL_CTX_get_ex_data(context, state_index()));
}

int on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                  EVP_MAC_CTX* mac, int seal) {
  return state_of(SSL_get_SSL_CTX(ssl))
      .tickets->seal_or_open(*ssl, name, iv, cipher, mac, seal == 1);
}

int on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
            const unsigned char* offered, unsigned offered_size, void*) {
  const auto* ours = static_cast<const Alpn*>(SSL_get_ex_data(ssl, alpn_index()));
  if (ours == nullptr) return SSL_TLSEXT_ERR_NOACK;
  unsigned char* out = nullptr;
  const base::Bytes wire = base::as_bytes(ours->wire);
  const int found = SSL_select_next_proto(
      &out, chosen_size, wire.data(), static_cast<unsigned>(wire.size()), offered, offered_size);
  if (found != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 §3.2: alert 120
  *chosen = out;
  return SSL_TLSEXT_ERR_OK;
}

int on_server_name(SSL* ssl, int*, void*) {
  const char* given = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (given == nullptr) return SSL_TLSEXT_ERR_NOACK;
  std::string name(given);
  if (name.size() > dns::name_size_max) return SSL_TLSEXT_ERR_OK;
  std::ranges::transform(name, name.begin(), [](char octet) {
    return static_cast<char>(dns::to_lower(static_cast<std::uint8_t>(octet)));
  });
  const ServerState& state = state_of(SSL_get_SSL_CTX(ssl));
  if (state.own->names_exactly(name)) return SSL_TLSEXT_ERR_OK;
  const auto switch_to = [&state, ssl](auto holds) {
    const auto found = std::ranges::find_if(
        state.others, holds,
        [](const NamedContext& other) -> const Identity& { return *other.identity; });
    if (found == state.others.end()) return false;
    SSL_set_SSL_CTX(ssl, found->context.get());
    return true;
  };
  if (switch_to([&name](const Identity& identity) { return identity.names_exactly(name); }) ||
      state.own->names_by_wildcard(name)) {
    return SSL_TLSEXT_ERR_OK;
  }
  switch_to([&name](const Identity& identity) { return identity.names_by_wildcard(name); });
  return SSL_TLSEXT_ERR_OK;
}

bool processor_has_aes() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  constexpr unsigned long hwcap_aes = 1UL << 3;
  return (getauxval(AT_HWCAP) & hwcap_aes) != 0;
#else
  return false;
#endif
}

struct Suites {
  const char* tls13;
  const char* tls12;
};

Suites suites() {
  // AEAD with ephemeral keys alone (RFC 9325 §4.2); AES-128 before AES-256: cheaper, and no weaker
  // here.
  if (processor_has_aes()) {
    return {
        "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
        "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"};
  }
  return {"TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
          "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:"
          "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"};
}

/// The post-quantum group is asked for where a client knows it, at the price of a round trip when
/// it did not send a share of it; who does not know it keeps what it sent. RFC 8446 §4.1.1.
constexpr const char* groups = "X25519MLKEM768/X25519:P-256";

bool set_identity(SSL_CTX& context, const Identity& identity) {
  if (SSL_CTX_use_certificate(&context, identity.chain.front().get()) != 1) return false;
  for (auto link = identity.chain.begin() + 1; link != identity.chain.end(); ++link) {
    if (SSL_CTX_add1_chain_cert(&context, link->get()) != 1) return false;
  }
  return SSL_CTX_use_PrivateKey(&context, identity.key.get()) == 1 &&
         SSL_CTX_check_private_key(&context) == 1;
}

}  // namespace

std::expected<SslContextPtr, std::string> make_server_context(
    const conf::Tls& tls, const Identity& identity, std::shared_ptr<const TicketKeys> tickets) {
  SslContextPtr made(SSL_CTX_new(TLS_server_method()));
  if (!made) return std::unexpected("no TLS: " + take_openssl_error());
  SSL_CTX* context = made.get();
  const Suites wanted = suites();
  const int minimum = tls.minimum_version == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(context, minimum) != 1 ||
      SSL_CTX_set_ciphersuites(context, wanted.tls13) != 1 ||
      SSL_CTX_set_cipher_list(context, wanted.tls12) != 1 ||
      SSL_CTX_set1_groups_list(context, groups) != 1 || !set_identity(*context, identity)) {
    return std::unexpected("cannot serve TLS as " + identity.name + ": " + take_openssl_error());
  }
  // Messages carry their length, so a cut shows itself (RFC 7858 §3.4): a client whose stream ends
  // without close_notify still gets its answers.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Sessions live in tickets alone: a cache would grow with clients that never come back
  // (CVE-2024-2511).
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_timeout(context, static_cast<long>(2 * tickets->rotation().count()));
  constexpr std::string_view session_scope = "sallyport";
  SSL_CTX_set_session_id_context(context, base::as_bytes(session_scope).data(),
                                 session_scope.size());
  SSL_CTX_set_ex_data(context, state_index(), new ServerState{std::move(tickets), nullptr, {}});
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &on_ticket_key);
  SSL_CTX_set_alpn_select_cb(context, &on_alpn, nullptr);
  return made;
}

SslPtr make_server_session(SSL_CTX& context, const Alpn& alpn) {
  SslPtr session(SSL_new(&context));
  if (!session) return nullptr;
  SSL_set_ex_data(session.get(), alpn_index(), const_cast<Alpn*>(&alpn));
  SSL_set_accept_state(session.get());
  return session;
}

void choose_by_server_name(SSL_CTX& context, std::shared_ptr<const Identity> own,
                           std::vector<NamedContext> others) {
  ServerState& state = state_of(&context);
  state.own = std::move(own);
  state.others = std::move(others);
  SSL_CTX_set_tlsext_servername_callback(&context, &on_server_name);
}

}  // namespace certs
