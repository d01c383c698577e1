// Certificates as PEM, and a directory of files that goes away with the test.
#pragma once

#include <openssl/pem.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "certs/identity.h"
#include "certs/internal_ca.h"
#include "conf/config.h"
#include "tests/support/test_certificates.h"

namespace certs::test {

inline std::string key_pem(const test_support::KeyedCertificate& made,
                           const char* pass_phrase = nullptr) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(out.get(), made.key.get(),
                                pass_phrase != nullptr ? EVP_aes_128_cbc() : nullptr, pass_phrase,
                                pass_phrase != nullptr ? 4 : 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

inline test_support::KeyedCertificate certificate_for(
    const std::string& name, const test_support::KeyedCertificate* issuer = nullptr,
    bool authority = false) {
  return test_support::make_certificate(
      {.common_name = name, .dns_names = {name}, .addresses = {}, .authority = authority}, issuer);
}

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/sallyport-certs-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + '/' + name; }
  [[nodiscard]] static std::string read(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }
  /// Writes a pair as renewal tools do: each file as a whole, under its name at once.
  conf::Certificate write_pair(const std::string& stem, std::string_view chain,
                               std::string_view key) const {
    conf::Certificate files{file(stem + ".pem"), file(stem + ".key")};
    if (!write_atomically(files.key_file, key, 0600) ||
        !write_atomically(files.chain_file, chain, 0644)) {
      throw std::runtime_error("cannot write " + stem);
    }
    return files;
  }

 private:
  std::string path_;
};

}  // namespace certs::test
