// Who a server is: a certificate chain, its key, and the names that it holds for. RFC 6125 §6.4
// (names), RFC 8310 §8.1.
#pragma once

#include <ctime>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "certs/openssl.h"

namespace certs {

/// Whoever makes one has checked that its parts belong together.
struct Identity {
  std::vector<CertificatePtr> chain;  ///< leaf first, each issued by the next
  KeyPtr key;
  std::string name;                      ///< the first name of the leaf, for logs and metrics
  std::vector<std::string> dns_names;    ///< of the SAN, lower case; "*.example.org" is one
  std::vector<base::Address> addresses;  ///< of the SAN
  std::time_t not_before = 0;
  std::time_t not_after = 0;
  std::string fingerprint;  ///< SHA-256 of the leaf, hexadecimal

  /// `server_name` is in lower case, without a final dot.
  [[nodiscard]] bool names_exactly(std::string_view server_name) const;
  /// By a wildcard, which stands for one label (RFC 6125 §6.4.3).
  [[nodiscard]] bool names_by_wildcard(std::string_view server_name) const;
};

/// Reads PEM text. Refused, with a sentence: no certificate, no SAN, a key of another certificate,
/// a key under a pass phrase, dates that do not hold at `now`, certificates in another order than
/// leaf, issuer, issuer's issuer.
std::expected<Identity, std::string> parse_identity(std::string_view chain_pem,
                                                    std::string_view key_pem, std::time_t now);
/// The same from files; sentences begin with the file's name.
std::expected<Identity, std::string> read_identity(const std::string& chain_file,
                                                   const std::string& key_file, std::time_t now);

/// Whole seconds since the epoch of an ASN.1 time.
std::time_t to_time(const ASN1_TIME& time);

}  // namespace certs
