// Making certificates, and keeping them in files that only we can read.
#include "certs/internal_ca.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <format>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace certs {

namespace {

constexpr std::time_t day = std::time_t{24} * 60 * 60;
constexpr std::time_t authority_life = 3653 * day;  // ten years
// What browsers and mobile systems accept at most is 398 days; a leaf is renewed when a third is
// left.
constexpr std::time_t leaf_life = 397 * day;
constexpr std::time_t clock_skew = std::time_t{60} * 60;
constexpr int serial_bits = 159;  // RFC 5280 §4.1.2.2: positive, 20 octets at most

using RequestNamePtr = std::unique_ptr<X509_NAME, OpensslDelete<&X509_NAME_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpensslDelete<&X509_EXTENSION_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, OpensslDelete<&BN_free>>;

std::unexpected<std::string> complain(const std::string& path) {
  return std::unexpected(path + ": " + std::strerror(errno));
}

std::string pem_of(const X509& certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), &certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(const EVP_PKEY& key) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(out.get(), &key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  std::string text(data, static_cast<std::size_t>(size));
  OPENSSL_cleanse(data, static_cast<std::size_t>(size));
  return text;
}

bool add_extension(X509& certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer != nullptr ? issuer : &certificate, &certificate, nullptr,
                 nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

bool set_serial(X509& certificate) {
  const BignumPtr number(BN_new());
  return number && BN_rand(number.get(), serial_bits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool set_name(X509& certificate, const std::string& common_name) {
  X509_NAME* name = X509_get_subject_name(&certificate);
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, base::as_bytes(common_name).data(),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

/// A certificate with everything but extensions and signature.
CertificatePtr begin_certificate(EVP_PKEY& key, const std::string& common_name, std::time_t now,
                                 std::time_t life) {
  CertificatePtr made(X509_new());
  if (!made || X509_set_version(made.get(), X509_VERSION_3) != 1 || !set_serial(*made) ||
      !set_name(*made, common_name) || X509_set_pubkey(made.get(), &key) != 1) {
    return nullptr;
  }
  ASN1_TIME_set(X509_getm_notBefore(made.get()), now - clock_skew);
  ASN1_TIME_set(X509_getm_notAfter(made.get()), now - clock_skew + life);
  return made;
}

std::string subject_names(const LeafNames& names) {
  std::string text;
  for (const std::string& name : names.dns_names) text += (text.empty() ? "DNS:" : ",DNS:") + name;
  for (const base::Address& address : names.addresses) {
    // A scope is of this machine alone and has no place in a certificate.
    const base::Address plain = address.is_v4() ? address : base::Address::v6(address.octets());
    text += (text.empty() ? "IP:" : ",IP:") + plain.to_text();
  }
  return text;
}

struct Pair {
  CertificatePtr certificate;
  KeyPtr key;
};

std::expected<Pair, std::string> make_authority(std::time_t now) {
  KeyPtr key(EVP_EC_gen("P-256"));
  // The name differs from one installation to the next: clients that trust two must not mix them
  // up.
  std::array<unsigned char, 4> mark{};
  RAND_bytes(mark.data(), static_cast<int>(mark.size()));
  const std::string name = std::format("Sallyport internal authority {:02x}{:02x}{:02x}{:02x}",
                                       mark[0], mark[1], mark[2], mark[3]);
  CertificatePtr made = key ? begin_certificate(*key, name, now, authority_life) : nullptr;
  if (!made || X509_set_issuer_name(made.get(), X509_get_subject_name(made.get())) != 1 ||
      !add_extension(*made, nullptr, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(*made, nullptr, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(*made, nullptr, NID_subject_key_identifier, "hash") ||
      X509_sign(made.get(), key.get(), EVP_sha256()) == 0) {
    return std::unexpected("cannot make an internal authority: " + take_openssl_error());
  }
  return Pair{std::move(made), std::move(key)};
}

std::expected<Pair, std::string> make_leaf(const Pair& authority, const LeafNames& names,
                                           std::time_t now) {
  KeyPtr key(EVP_EC_gen("P-256"));
  constexpr std::size_t common_name_max = 64;  // RFC 5280 appendix A, ub-common-name
  std::string name = names.dns_names.empty() ? "Sallyport" : names.dns_names.front();
  if (name.size() > common_name_max) name = "Sallyport";
  CertificatePtr made = key ? begin_certificate(*key, name, now, leaf_life) : nullptr;
  X509* issuer = authority.certificate.get();
  if (!made || X509_set_issuer_name(made.get(), X509_get_subject_name(issuer)) != 1 ||
      !add_extension(*made, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(*made, issuer, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(*made, issuer, NID_ext_key_usage, "serverAuth") ||
      !add_extension(*made, issuer, NID_subject_key_identifier, "hash") ||
      !add_extension(*made, issuer, NID_authority_key_identifier, "keyid:always") ||
      !add_extension(*made, issuer, NID_subject_alt_name, subject_names(names)) ||
      X509_sign(made.get(), authority.key.get(), EVP_sha256()) == 0) {
    return std::unexpected("cannot make a certificate for " + subject_names(names) + ": " +
                           take_openssl_error());
  }
  return Pair{std::move(made), std::move(key)};
}

std::expected<void, std::string> make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return complain(path);
  return {};
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The authority on disk while it outlives a leaf made now.
std::optional<Pair> load_authority(const std::string& certificate_file, const std::string& key_file,
                                   std::time_t now) {
  const auto certificate_pem = read_file(certificate_file);
  const auto key_pem = read_file(key_file);
  if (!certificate_pem || !key_pem) return std::nullopt;
  const BioPtr certificate_in(
      BIO_new_mem_buf(certificate_pem->data(), static_cast<int>(certificate_pem->size())));
  const BioPtr key_in(BIO_new_mem_buf(key_pem->data(), static_cast<int>(key_pem->size())));
  Pair pair{CertificatePtr(PEM_read_bio_X509(certificate_in.get(), nullptr, nullptr, nullptr)),
            KeyPtr(PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nullptr))};
  const bool good = pair.certificate && pair.key &&
                    X509_check_private_key(pair.certificate.get(), pair.key.get()) == 1 &&
                    to_time(*X509_get0_notAfter(pair.certificate.get())) > now + leaf_life;
  ERR_clear_error();
  if (!good) return std::nullopt;
  return pair;
}

bool holds_for_all(const Identity& identity, const LeafNames& names) {
  std::vector<std::string> wanted_names = names.dns_names;
  std::vector<std::string> given_names = identity.dns_names;
  std::ranges::sort(wanted_names);
  std::ranges::sort(given_names);
  if (wanted_names != given_names || identity.addresses.size() != names.addresses.size())
    return false;
  return std::ranges::all_of(names.addresses, [&identity](const base::Address& address) {
    const base::Address plain = address.is_v4() ? address : base::Address::v6(address.octets());
    return std::ranges::find(identity.addresses, plain) != identity.addresses.end();
  });
}

bool issued_by(const Identity& identity, const X509& authority) {
  return X509_verify(identity.chain.front().get(), X509_get0_pubkey(&authority)) == 1;
}

}  // namespace

std::expected<void, std::string> write_atomically(const std::string& path, std::string_view text,
                                                  unsigned mode) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());  // of a run that was cut off
  const int descriptor =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
             static_cast<mode_t>(mode));
  if (descriptor < 0) return complain(temporary);
  std::size_t written = 0;
  bool good = ::fchmod(descriptor, static_cast<mode_t>(mode)) == 0;  // whatever the umask says
  while (good && written < text.size()) {
    const ssize_t count = ::write(descriptor, text.data() + written, text.size() - written);
    good = count > 0 || (count < 0 && errno == EINTR);
    if (count > 0) written += static_cast<std::size_t>(count);
  }
  good = good && ::fsync(descriptor) == 0;
  const int error = errno;
  ::close(descriptor);
  if (!good || ::rename(temporary.c_str(), path.c_str()) != 0) {
    if (!good) errno = error;
    auto complaint = complain(path);
    ::unlink(temporary.c_str());
    return complaint;
  }
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  const int directory_descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_descriptor >= 0) {
    ::fsync(directory_descriptor);  // the new name itself
    ::close(directory_descriptor);
  }
  return {};
}

std::expected<InternalLeaf, std::string> InternalCa::leaf_for(const LeafNames& names,
                                                              std::time_t now) const {
  const std::string hidden = directory_ + "/private";
  const std::string authority_key_file = hidden + "/ca.key";
  const std::string leaf_file = hidden + "/server.pem";
  const std::string leaf_key_file = hidden + "/server.key";
  if (auto made = make_directory(directory_, 0755); !made) return std::unexpected(made.error());
  if (auto made = make_directory(hidden, 0700); !made) return std::unexpected(made.error());

  std::optional<Pair> authority = load_authority(authority_file(), authority_key_file, now);
  if (authority) {
    auto kept = read_identity(leaf_file, leaf_key_file, now);
    if (kept && holds_for_all(*kept, names) && issued_by(*kept, *authority->certificate) &&
        kept->not_after - now > leaf_life / 3) {
      return InternalLeaf{names, std::move(*kept)};
    }
  } else {
    auto made = make_authority(now);
    if (!made) return std::unexpected(made.error());
    authority = std::move(*made);
    // The key first: a certificate whose key is lost would be trusted by clients for nothing.
    if (auto wrote = write_atomically(authority_key_file, pem_of(*authority->key), 0600); !wrote) {
      return std::unexpected(wrote.error());
    }
    if (auto wrote = write_atomically(authority_file(), pem_of(*authority->certificate), 0644);
        !wrote) {
      return std::unexpected(wrote.error());
    }
  }

  auto leaf = make_leaf(*authority, names, now);
  if (!leaf) return std::unexpected(leaf.error());
  const std::string chain_pem = pem_of(*leaf->certificate);  // who trusts the authority has it
  const std::string key_pem = pem_of(*leaf->key);
  if (auto wrote = write_atomically(leaf_key_file, key_pem, 0600); !wrote)
    return std::unexpected(wrote.error());
  if (auto wrote = write_atomically(leaf_file, chain_pem, 0600); !wrote)
    return std::unexpected(wrote.error());
  auto identity = parse_identity(chain_pem, key_pem, now);
  if (!identity) return std::unexpected("the certificate just made: " + identity.error());
  return InternalLeaf{names, std::move(*identity)};
}

}  // namespace certs
