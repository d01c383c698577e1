// Reading and checking identities.
#include "certs/identity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <format>
#include <fstream>
#include <iterator>
#include <optional>

#include "dns/name.h"

namespace certs {

namespace {

constexpr std::size_t file_size_max = 1 << 20;
constexpr std::size_t chain_length_max = 10;

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpensslDelete<&GENERAL_NAMES_free>>;

/// A pass phrase is never asked for: nobody sits at a gateway's terminal.
int no_pass_phrase(char*, int, int, void*) { return -1; }

BioPtr memory_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& octet : out)
    octet = static_cast<char>(dns::to_lower(static_cast<std::uint8_t>(octet)));
  return out;
}

std::expected<std::vector<CertificatePtr>, std::string> parse_chain(std::string_view pem) {
  std::vector<CertificatePtr> chain;
  const BioPtr source = memory_of(pem);
  while (X509* certificate = PEM_read_bio_X509(source.get(), nullptr, &no_pass_phrase, nullptr)) {
    chain.emplace_back(certificate);
    if (chain.size() > chain_length_max)
      return std::unexpected("more than 10 certificates in one chain");
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = take_openssl_error();
  if (!at_end) return std::unexpected("not a PEM certificate: " + why);
  if (chain.empty()) return std::unexpected("no certificate in it (PEM is expected)");
  return chain;
}

std::expected<KeyPtr, std::string> parse_key(std::string_view pem) {
  const BioPtr source = memory_of(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(source.get(), nullptr, &no_pass_phrase, nullptr));
  if (key) return key;
  const bool sealed = pem.find("ENCRYPTED") != std::string_view::npos;
  const std::string why = take_openssl_error();
  if (sealed)
    return std::unexpected("the key is under a pass phrase; a server needs it without one");
  return std::unexpected("no private key in it (PEM is expected): " + why);
}

void read_names(Identity& identity) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(identity.chain.front().get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    int kind = 0;
    const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &kind));
    const base::Bytes octets(ASN1_STRING_get0_data(value),
                             static_cast<std::size_t>(ASN1_STRING_length(value)));
    if (kind == GEN_DNS) {
      identity.dns_names.push_back(lower(base::as_text(octets)));
    } else if (kind == GEN_IPADD && octets.size() == 4) {
      identity.addresses.push_back(base::Address::v4({octets[0], octets[1], octets[2], octets[3]}));
    } else if (kind == GEN_IPADD && octets.size() == 16) {
      std::array<std::uint8_t, 16> all{};
      std::ranges::copy(octets, all.begin());
      identity.addresses.push_back(base::Address::v6(all));
    }
  }
}

std::string fingerprint_of(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(&certificate, EVP_sha256(), digest.data(), &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += std::format("{:02x}", digest[i]);
  return text;
}

std::string date_text(std::time_t when) {
  std::tm parts{};
  gmtime_r(&when, &parts);
  return std::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

std::optional<std::string> complaint_about(const Identity& identity, std::time_t now) {
  X509* leaf = identity.chain.front().get();
  if (X509_check_private_key(leaf, identity.key.get()) != 1) {
    ERR_clear_error();
    return "the key does not belong to the first certificate of the chain";
  }
  for (std::size_t i = 0; i + 1 < identity.chain.size(); ++i) {
    X509* issuer = identity.chain[i + 1].get();
    if (X509_check_issued(issuer, identity.chain[i].get()) == X509_V_OK &&
        X509_verify(identity.chain[i].get(), X509_get0_pubkey(issuer)) == 1) {
      continue;
    }
    ERR_clear_error();
    return std::format(
        "certificate {} of the chain is not the issuer of certificate {}: the order is leaf, its "
        "issuer, and so on",
        i + 2, i + 1);
  }
  if (identity.dns_names.empty() && identity.addresses.empty()) {
    return "the certificate names nobody: it has no DNS name or address in its subjectAltName";
  }
  if (now >= identity.not_after)
    return "the certificate expired on " + date_text(identity.not_after);
  if (now < identity.not_before)
    return "the certificate is not valid before " + date_text(identity.not_before);
  return std::nullopt;
}

std::expected<std::string, std::string> read_small_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::unexpected(path + ": " + std::strerror(errno));
  std::string text(file_size_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return std::unexpected(path + ": cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_size_max)
    return std::unexpected(path + ": more than 1 MiB; this is no certificate");
  return text;
}

}  // namespace

std::time_t to_time(const ASN1_TIME& time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(&time, &parts) == 1 ? timegm(&parts) : 0;
}

bool Identity::names_exactly(std::string_view server_name) const {
  return std::ranges::find(dns_names, server_name) != dns_names.end();
}

bool Identity::names_by_wildcard(std::string_view server_name) const {
  const std::size_t dot = server_name.find('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  return std::ranges::any_of(dns_names, [parent = server_name.substr(dot)](std::string_view name) {
    return name.starts_with("*.") && name.substr(1) == parent;
  });
}

std::expected<Identity, std::string> parse_identity(std::string_view chain_pem,
                                                    std::string_view key_pem, std::time_t now) {
  ERR_clear_error();
  auto chain = parse_chain(chain_pem);
  if (!chain) return std::unexpected(chain.error());
  auto key = parse_key(key_pem);
  if (!key) return std::unexpected(key.error());

  Identity identity;
  identity.chain = std::move(*chain);
  identity.key = std::move(*key);
  read_names(identity);
  const X509& leaf = *identity.chain.front();
  identity.not_before = to_time(*X509_get0_notBefore(&leaf));
  identity.not_after = to_time(*X509_get0_notAfter(&leaf));
  identity.fingerprint = fingerprint_of(leaf);
  if (!identity.dns_names.empty()) {
    identity.name = identity.dns_names.front();
  } else if (!identity.addresses.empty()) {
    identity.name = identity.addresses.front().to_text();
  }
  if (auto complaint = complaint_about(identity, now))
    return std::unexpected(std::move(*complaint));
  return identity;
}

std::expected<Identity, std::string> read_identity(const std::string& chain_file,
                                                   const std::string& key_file, std::time_t now) {
  const auto chain = read_small_file(chain_file);
  if (!chain) return std::unexpected(chain.error());
  const auto key = read_small_file(key_file);
  if (!key) return std::unexpected(key.error());
  auto identity = parse_identity(*chain, *key, now);
  if (!identity) return std::unexpected(chain_file + " with " + key_file + ": " + identity.error());
  return identity;
}

}  // namespace certs
