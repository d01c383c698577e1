// The internal authority: what it writes, keeps and renews. RFC 5280 §4.2.
#include "certs/internal_ca.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <string>

#include "tests/certs/pem_files.h"

namespace certs {
namespace {

constexpr std::time_t day = 24 * 60 * 60;

const LeafNames names{
    {"dns.example.org", "localhost"},
    {*base::Address::from_text("192.0.2.1"), *base::Address::from_text("2001:db8::1")}};

unsigned mode_of(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777U : 0;
}

class Internal : public testing::Test {
 protected:
  [[nodiscard]] InternalLeaf leaf(const LeafNames& wanted = names) const {
    auto made = ca_.leaf_for(wanted, now_);
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }
  test::Directory directory_;
  std::string state_ = directory_.file("state");
  InternalCa ca_{state_};
  std::time_t now_ = std::time(nullptr);
};

TEST_F(Internal, LeafHoldsForNamesAndAddressesAndVerifiesUnderTheAuthority) {
  const InternalLeaf made = leaf();
  X509* certificate = made.identity.chain.front().get();
  EXPECT_EQ(made.identity.dns_names, names.dns_names);
  EXPECT_EQ(made.identity.addresses, names.addresses);
  EXPECT_LE(made.identity.not_after - made.identity.not_before, 397 * day);

  const std::unique_ptr<X509_STORE, OpensslDelete<&X509_STORE_free>> trusted(X509_STORE_new());
  ASSERT_EQ(X509_STORE_load_file(trusted.get(), ca_.authority_file().c_str()), 1);
  const std::unique_ptr<X509_STORE_CTX, OpensslDelete<&X509_STORE_CTX_free>> path(
      X509_STORE_CTX_new());
  X509_STORE_CTX_init(path.get(), trusted.get(), certificate, nullptr);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(path.get());
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set1_host(parameters, "dns.example.org", 0);
  EXPECT_EQ(X509_verify_cert(path.get()), 1)
      << X509_verify_cert_error_string(X509_STORE_CTX_get_error(path.get()));
}

TEST_F(Internal, KeysAreOursAloneAndTheAuthorityIsForAll) {
  static_cast<void>(leaf());
  EXPECT_EQ(mode_of(state_ + "/private"), 0700U);
  EXPECT_EQ(mode_of(state_ + "/private/ca.key"), 0600U);
  EXPECT_EQ(mode_of(state_ + "/private/server.key"), 0600U);
  EXPECT_EQ(mode_of(state_ + "/private/server.pem"), 0600U);
  EXPECT_EQ(mode_of(ca_.authority_file()), 0644U);
}

TEST_F(Internal, NextStartServesTheSame) {
  const std::string first = leaf().identity.fingerprint;
  EXPECT_EQ(leaf().identity.fingerprint, first);
}

TEST_F(Internal, OtherNamesMakeANewLeafUnderTheSameAuthority) {
  const std::string first = leaf().identity.fingerprint;
  const std::string authority = test::Directory::read(ca_.authority_file());
  LeafNames others = names;
  others.dns_names.front() = "dns.example.net";
  const InternalLeaf second = leaf(others);
  EXPECT_NE(second.identity.fingerprint, first);
  EXPECT_EQ(second.identity.name, "dns.example.net");
  others.addresses.pop_back();
  EXPECT_EQ(leaf(others).identity.addresses.size(), 1U);
  EXPECT_EQ(test::Directory::read(ca_.authority_file()), authority);
}

TEST_F(Internal, LeafIsRenewedWhenAThirdOfItsTimeIsLeft) {
  const std::string first = leaf().identity.fingerprint;
  now_ += 397 * day * 2 / 3 - day;
  EXPECT_EQ(leaf().identity.fingerprint, first);
  now_ += 2 * day;
  const InternalLeaf renewed = leaf();
  EXPECT_NE(renewed.identity.fingerprint, first);
  EXPECT_GT(renewed.identity.not_after, now_ + 390 * day);
}

TEST_F(Internal, AuthorityThatEndsBeforeItsLeafIsMadeAnew) {
  static_cast<void>(leaf());
  const std::string authority = test::Directory::read(ca_.authority_file());
  now_ += 3653 * day - 300 * day;
  static_cast<void>(leaf());
  EXPECT_NE(test::Directory::read(ca_.authority_file()), authority);
}

TEST_F(Internal, DamagedFilesAreMadeAnew) {
  const std::string first = leaf().identity.fingerprint;
  ASSERT_TRUE(write_atomically(state_ + "/private/server.key", "scrap", 0600));
  const std::string second = leaf().identity.fingerprint;
  EXPECT_NE(second, first);
  ASSERT_TRUE(write_atomically(state_ + "/private/ca.key", "", 0600));
  EXPECT_NE(leaf().identity.fingerprint, second);
}

TEST_F(Internal, NoPlaceToWriteIsASentence) {
  const auto made = InternalCa(directory_.file("no/where")).leaf_for(names, now_);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error(), directory_.file("no/where") + ": No such file or directory");
}

TEST(WriteAtomically, LeavesTheOldFileWhenItCannotWriteTheNew) {
  const test::Directory directory;
  const std::string path = directory.file("x");
  ASSERT_TRUE(write_atomically(path, "old", 0644));
  ASSERT_TRUE(write_atomically(path, "new", 0600));
  EXPECT_EQ(test::Directory::read(path), "new");
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  EXPECT_FALSE(write_atomically(directory.file("no/where"), "x", 0600));
}

}  // namespace
}  // namespace certs
