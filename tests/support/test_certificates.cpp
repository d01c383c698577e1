// Making certificates with OpenSSL; every call that fails ends the test program.
#include "tests/support/test_certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace test_support {

namespace {

void must(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string(what) + ": " + certs::take_openssl_error());
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  must(extension != nullptr, "extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string alternative_names(const CertificateWish& wish) {
  std::string text;
  for (const std::string& name : wish.dns_names) text += (text.empty() ? "DNS:" : ",DNS:") + name;
  for (const std::string& address : wish.addresses)
    text += (text.empty() ? "IP:" : ",IP:") + address;
  return text;
}

}  // namespace

std::string KeyedCertificate::certificate_pem() const {
  const certs::BioPtr bio(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(bio.get(), certificate.get()) == 1, "PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

KeyedCertificate make_certificate(const CertificateWish& wish, const KeyedCertificate* issuer) {
  KeyedCertificate made{certs::CertificatePtr(X509_new()), certs::KeyPtr(EVP_EC_gen("P-256"))};
  X509* certificate = made.certificate.get();
  must(certificate != nullptr && made.key != nullptr, "certificate");
  static long serial = 1;
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.valid_until);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1,
                             -1, 0);
  X509* const signer = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  X509_set_pubkey(certificate, made.key.get());
  if (wish.authority) add_extension(certificate, signer, NID_basic_constraints, "critical,CA:TRUE");
  if (const std::string names = alternative_names(wish); !names.empty()) {
    add_extension(certificate, signer, NID_subject_alt_name, names);
  }
  EVP_PKEY* const key = issuer != nullptr ? issuer->key.get() : made.key.get();
  must(X509_sign(certificate, key, EVP_sha256()) > 0, "signature");
  return made;
}

TemporaryFile::TemporaryFile(const std::string& contents) {
  const char* directory = std::getenv("TMPDIR");
  path_ = std::string(directory != nullptr ? directory : "/tmp") + "/sallyport-test-XXXXXX";
  const int descriptor = ::mkstemp(path_.data());
  const ssize_t written = ::write(descriptor, contents.data(), contents.size());
  ::close(descriptor);
  if (written != static_cast<ssize_t>(contents.size())) throw std::runtime_error("temporary file");
}

TemporaryFile::~TemporaryFile() { ::unlink(path_.c_str()); }

}  // namespace test_support
