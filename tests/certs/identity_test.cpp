// Which pairs are taken, and the sentence for each that is not. RFC 6125 §6.4.
#include "certs/identity.h"

#include <gtest/gtest.h>

#include "tests/certs/pem_files.h"

namespace certs {
namespace {

using test::certificate_for;
using test::key_pem;
using test_support::KeyedCertificate;
using test_support::make_certificate;

std::string complaint(const std::string& chain, const std::string& key,
                      std::time_t now = std::time(nullptr)) {
  const auto parsed = parse_identity(chain, key, now);
  return parsed ? "none" : parsed.error();
}

TEST(Identity, SoundPairIsTakenWithItsNames) {
  const KeyedCertificate made = make_certificate({.common_name = "x",
                                                  .dns_names = {"DNS.Example.org", "*.example.net"},
                                                  .addresses = {"192.0.2.1", "2001:db8::1"}});
  const auto identity = parse_identity(made.certificate_pem(), key_pem(made), std::time(nullptr));
  ASSERT_TRUE(identity) << identity.error();
  EXPECT_EQ(identity->name, "dns.example.org");
  EXPECT_EQ(identity->dns_names, (std::vector<std::string>{"dns.example.org", "*.example.net"}));
  ASSERT_EQ(identity->addresses.size(), 2U);
  EXPECT_EQ(identity->addresses[0].to_text(), "192.0.2.1");
  EXPECT_EQ(identity->addresses[1].to_text(), "2001:db8::1");
  EXPECT_EQ(identity->fingerprint.size(), 64U);
  EXPECT_LT(identity->not_before, identity->not_after);
}

TEST(Rfc6125_6_4_3, WildcardIsOneWholeLabel) {
  const KeyedCertificate made = certificate_for("*.example.net");
  const auto identity = parse_identity(made.certificate_pem(), key_pem(made), std::time(nullptr));
  ASSERT_TRUE(identity);
  EXPECT_TRUE(identity->names_by_wildcard("a.example.net"));
  EXPECT_FALSE(identity->names_by_wildcard("a.b.example.net"));
  EXPECT_FALSE(identity->names_by_wildcard("example.net"));
  EXPECT_FALSE(identity->names_by_wildcard(".example.net"));
  EXPECT_FALSE(identity->names_exactly("a.example.net"));
}

TEST(Identity, ChainInOrderIsTakenAndInAnotherRefused) {
  const KeyedCertificate root = certificate_for("root.example", nullptr, true);
  const KeyedCertificate middle = certificate_for("middle.example", &root, true);
  const KeyedCertificate leaf = certificate_for("leaf.example", &middle);
  const std::string key = key_pem(leaf);
  EXPECT_EQ(complaint(leaf.certificate_pem() + middle.certificate_pem(), key), "none");
  EXPECT_EQ(
      complaint(leaf.certificate_pem() + middle.certificate_pem() + root.certificate_pem(), key),
      "none");
  EXPECT_EQ(
      complaint(leaf.certificate_pem() + root.certificate_pem() + middle.certificate_pem(), key),
      "certificate 2 of the chain is not the issuer of certificate 1: the order is leaf, its "
      "issuer, and so on");
  EXPECT_EQ(complaint(middle.certificate_pem() + leaf.certificate_pem(), key),
            "the key does not belong to the first certificate of the chain");
}

TEST(Identity, SentencesForWhatIsWrong) {
  const KeyedCertificate good = certificate_for("dns.example.org");
  const KeyedCertificate other = certificate_for("dns.example.org");
  const std::string pem = good.certificate_pem();
  const std::string key = key_pem(good);
  EXPECT_EQ(complaint("", key), "no certificate in it (PEM is expected)");
  EXPECT_EQ(complaint(key, key), "no certificate in it (PEM is expected)");
  EXPECT_EQ(complaint(pem.substr(0, pem.size() / 2), key).find("not a PEM certificate: "), 0U);
  EXPECT_EQ(complaint(pem, "").find("no private key in it"), 0U);
  EXPECT_EQ(complaint(pem, key_pem(good, "pass")),
            "the key is under a pass phrase; a server needs it without one");
  EXPECT_EQ(complaint(pem, key_pem(other)),
            "the key does not belong to the first certificate of the chain");
  const KeyedCertificate nameless =
      make_certificate({.common_name = "dns.example.org", .dns_names = {}, .addresses = {}});
  EXPECT_EQ(complaint(nameless.certificate_pem(), key_pem(nameless)),
            "the certificate names nobody: it has no DNS name or address in its subjectAltName");
  constexpr std::time_t before_2000 = 946'000'000;
  EXPECT_EQ(complaint(pem, key, before_2000).find("the certificate is not valid before 20"), 0U);
  EXPECT_EQ(complaint(pem, key, std::time(nullptr) + 3600).find("the certificate expired on 20"),
            0U);
  std::string eleven;
  for (int i = 0; i < 11; ++i) eleven += pem;
  EXPECT_EQ(complaint(eleven, key), "more than 10 certificates in one chain");
}

TEST(Identity, FilesAreNamedInSentences) {
  const test::Directory directory;
  const auto missing = read_identity(directory.file("no.pem"), directory.file("no.key"), 0);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), directory.file("no.pem") + ": No such file or directory");
  const conf::Certificate files = directory.write_pair("x", std::string((1 << 20) + 1, 'x'), "y");
  const auto large = read_identity(files.chain_file, files.key_file, 0);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error(), files.chain_file + ": more than 1 MiB; this is no certificate");
}

}  // namespace
}  // namespace certs
