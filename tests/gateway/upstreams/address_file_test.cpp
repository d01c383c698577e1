// The file of addresses: whole, or nothing of it.
#include "gateway/upstreams/address_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/gateway/temporary_directory.h"

namespace gateway::upstreams {
namespace {

base::Address address(std::string_view text) { return *base::Address::from_text(text); }

const std::vector<AddressRow> rows{
    {"dns.example",
     {{address("192.0.2.53"), 53}, {address("2001:db8::53"), 5353}},
     1'800'000'000,
     {address("192.0.2.1"), address("2001:db8::1")}},
    {"DoH.example", {{address("127.0.0.1"), 53}}, -1, {address("127.0.0.2")}}};

TEST(AddressFile, IsReadAsItWasWritten) {
  EXPECT_EQ(parse_addresses(print_addresses(rows)), rows);
  EXPECT_EQ(parse_addresses(print_addresses({})), std::vector<AddressRow>{});
}

TEST(AddressFile, APartOfItIsNone) {
  const std::string text = print_addresses(rows);
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(parse_addresses(std::string_view{text}.substr(0, size))) << size;
  EXPECT_FALSE(parse_addresses(text + "\n"));
}

TEST(AddressFile, AFlippedBitIsNoticedWhereverItIs) {
  const std::string text = print_addresses(rows);
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(parse_addresses(damaged)) << "bit " << bit;
  }
}

TEST(AddressFile, AnotherVersionIsSaidToBeOne) {
  std::string text = print_addresses(rows);
  text[text.find('\n') - 1] = '0';
  EXPECT_EQ(parse_addresses(text).error(), "it is not of this version");
}

TEST(AddressFile, WhatMakesNoSenseUnderASoundChecksumIsRefused) {
  const auto with = [](auto change) {
    AddressRow row = rows.front();
    change(row);
    return parse_addresses(print_addresses(std::vector{row}));
  };
  EXPECT_TRUE(with([](AddressRow&) {}));
  EXPECT_FALSE(with([](AddressRow& row) { row.host = "192.0.2.1"; }));
  EXPECT_FALSE(with([](AddressRow& row) { row.host = "dns example"; }));
  EXPECT_FALSE(with([](AddressRow& row) { row.resolvers.clear(); }));
  EXPECT_FALSE(with([](AddressRow& row) { row.resolvers.front().port = 0; }));
  EXPECT_FALSE(with([](AddressRow& row) { row.addresses.clear(); }));
  EXPECT_FALSE(with([](AddressRow& row) { row.addresses.push_back(address("0.0.0.0")); }));
  const auto refused = with([](AddressRow& row) { row.addresses = {address("ff02::1")}; });
  EXPECT_EQ(refused.error(), "line 2 cannot be read");
}

TEST(AddressFile, IsReplacedAsAWholeAndForTheOwnerAlone) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("addresses.saved");
  EXPECT_EQ(load_addresses(path), std::vector<AddressRow>{}) << "there is none yet";
  ASSERT_TRUE(save_addresses(path, rows));
  ASSERT_TRUE(save_addresses(path, std::span{rows}.first(1)));
  EXPECT_EQ(load_addresses(path), std::vector{rows.front()});
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{directory.path()}, {}), 1);
}

TEST(AddressFile, WhatCannotBeWrittenOrReadIsSaid) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("addresses.saved");
  ASSERT_TRUE(save_addresses(path, rows));
  std::filesystem::create_directory(path + ".new");  // what even root cannot write to
  EXPECT_TRUE(save_addresses(path, {}).error().starts_with("cannot create "));
  EXPECT_EQ(load_addresses(path), rows) << "what was there stays";
  EXPECT_TRUE(load_addresses(path + ".new").error().starts_with("cannot read "));
  std::ofstream{path} << std::string(300'000, 'x');
  EXPECT_EQ(load_addresses(path).error(), "it is too long");
}

}  // namespace
}  // namespace gateway::upstreams
