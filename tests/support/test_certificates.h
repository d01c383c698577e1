// Certificates of every kind for tests: sound ones, and those that a strict client must refuse.
// Keys are P-256.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "certs/openssl.h"

namespace test_support {

struct CertificateWish {
  std::string common_name = "test";
  std::vector<std::string> dns_names{};  ///< in the SAN
  std::vector<std::string> addresses{};  ///< in the SAN
  long valid_from = -3600;               ///< seconds from now
  long valid_until = 3600;
  bool authority = false;
};

struct KeyedCertificate {
  certs::CertificatePtr certificate;
  certs::KeyPtr key;

  [[nodiscard]] std::string certificate_pem() const;
};

/// Signed by `issuer`, or by itself without one.
KeyedCertificate make_certificate(const CertificateWish& wish,
                                  const KeyedCertificate* issuer = nullptr);

/// A file that lives as long as the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& contents);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace test_support
