// TLS as our servers and clients speak it: versions, groups, suites, tickets, verification. RFC
// 8446, RFC 9325, RFC 7858 §3 and §4.2 (pins), RFC 8310 §8.1 (strict verification). Contexts are
// made off the hot path.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "certs/openssl.h"
#include "conf/config.h"

namespace certs {

struct Identity;
class TicketKeys;

/// Protocol names in ALPN's wire format (RFC 7301 §3.1), most wanted first. Always a literal:
/// connections point at it.
struct Alpn {
  consteval explicit Alpn(std::string_view literal) : wire(literal) {}
  std::string_view wire;
};

inline constexpr Alpn alpn_dot{
    "\x03"
    "dot"};  // RFC 7858 §6.1 and the ALPN registry
inline constexpr Alpn alpn_http{
    "\x02"
    "h2"
    "\x08"
    "http/1.1"};  // RFC 9113 §3.2, RFC 7301 §6
inline constexpr Alpn alpn_http3{
    "\x02"
    "h3"};  // RFC 9114 §3.1
inline constexpr Alpn alpn_doq{
    "\x03"
    "doq"};  // RFC 9250 §4.1.1

// ---- servers

/// Groups with post-quantum first, AEAD suites, one ticket under `tickets`, no session cache, no
/// renegotiation. The context keeps what it needs of its arguments.
std::expected<SslContextPtr, std::string> make_server_context(
    const conf::Tls& tls, const Identity& identity, std::shared_ptr<const TicketKeys> tickets);

/// A server's side of one connection, which takes only the protocols of `alpn` (an object with
/// static lifetime). A client that offers others alone is refused with alert 120; one that offers
/// none is taken (RFC 7301 §3.2). Null when memory is short.
SslPtr make_server_session(SSL_CTX& context, const Alpn& alpn);

struct NamedContext {
  std::shared_ptr<const Identity> identity;
  SslContextPtr context;
};
/// Handshakes begin with `context`, whose identity is `own`. They go on with the one, of all, that
/// has the client's SNI as a name, or else by a wildcard; with `context` when none has. All have
/// the same TicketKeys. `context` keeps its arguments.
void choose_by_server_name(SSL_CTX& context, std::shared_ptr<const Identity> own,
                           std::vector<NamedContext> others);

// ---- clients

/// Trusted authorities, each file read once and shared. Owned by App; thread-safe.
class Authorities {
 public:
  /// The store of a PEM bundle, or with an empty path the system's, looked up where distributions
  /// keep it ($SSL_CERT_FILE comes first). The error is a sentence.
  std::expected<CertificateStorePtr, std::string> load(const std::string& file);

 private:
  std::mutex mutex_;
  std::map<std::string, CertificateStorePtr> stores_;
};

/// How one upstream is spoken to over TLS, and the sessions that it gave for resumption. Owned by
/// its upstream; used by that upstream's worker alone.
class ClientContext {
 public:
  /// Reads `upstream.ca_file` at once when it is given; the system's authorities are read at the
  /// first connection.
  static std::expected<std::unique_ptr<ClientContext>, std::string> make(
      const conf::Upstream& upstream, Authorities& authorities);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  /// A client's side of one connection: SNI, ALPN, verification of the whole path and of the name
  /// or address in the SAN (never the CN, RFC 8310 §8.1), or of the pins; the newest unused session
  /// offered. Must not outlive this context. The error is a sentence (no authorities to be found).
  std::expected<SslPtr, std::string> make_session();

  /// `look` sees each session that the server gives, while its connection lives.
  void look_at_sessions(std::function<void(SSL&, SSL_SESSION&)> look) { look_ = std::move(look); }
  /// Forgets all sessions: a resumption that went wrong must not be tried again.
  void forget_sessions() { sessions_.clear(); }
  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }

 private:
  explicit ClientContext(Authorities& authorities) : authorities_(authorities) {}

  std::expected<void, std::string> load_authorities();
  static int on_new_session(SSL* ssl, SSL_SESSION* session);
  static int verify_pins(X509_STORE_CTX* path, void* context);

  static constexpr std::size_t sessions_max = 4;

  Authorities& authorities_;
  SslContextPtr context_;
  std::string server_name_;  ///< to be found in the SAN
  std::string ca_file_;
  bool name_is_address_ = false;
  bool authorities_loaded_ = false;
  std::vector<std::string>
      pins_;  ///< 32 raw octets each; given, they stand for name and authorities
  std::function<void(SSL&, SSL_SESSION&)> look_;
  std::vector<SessionPtr> sessions_;  ///< oldest first; one of TLS 1.3 is used once (RFC 8446 §C.4)
};

/// SHA-256 over the SubjectPublicKeyInfo, base64, as pins are written (RFC 7858 §4.2).
std::string spki_pin(X509& certificate);

}  // namespace certs
