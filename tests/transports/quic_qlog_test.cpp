// Logs of connections: what reaches the disk, how much of it, and what the disk may do.
#include "transports/quic/qlog.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace transports::quic {
namespace {

class QlogTest : public testing::Test {
 protected:
  QlogTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("sallyport-qlog-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(folder_);
  }
  ~QlogTest() override { std::filesystem::remove_all(folder_); }

  static ngtcp2_cid id(std::uint8_t number) {
    ngtcp2_cid made{};
    made.datalen = 8;
    made.data[0] = number;
    made.data[1] = 0xAB;
    return made;
  }
  [[nodiscard]] std::filesystem::path file(const std::string& first) const {
    return folder_ / (first + "ab000000000000.sqlog");
  }
  static std::string text_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path folder_;
  QlogFiles files_;
};

TEST_F(QlogTest, NothingIsThereBeforeItBegins) {
  {
    Qlog log(files_, folder_.string(), id(1));
    log.write(base::as_bytes("\x1e{}\n"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

TEST_F(QlogTest, WhatHasWaitedComesFirst) {
  {
    Qlog log(files_, folder_.string(), id(2));
    log.write(base::as_bytes("first\n"));
    log.begin();
    log.write(base::as_bytes("second\n"));
  }
  EXPECT_EQ(text_of(file("02")), "first\nsecond\n");
  EXPECT_EQ(std::filesystem::status(file("02")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(QlogTest, AHandshakeIsKeptInBounds) {
  const std::string record(1000, 'x');
  {
    Qlog log(files_, folder_.string(), id(3));
    for (int n = 0; n < 1000; ++n) log.write(base::as_bytes(record));
    log.begin();
  }
  EXPECT_LE(std::filesystem::file_size(file("03")), Qlog::waiting_max);
  EXPECT_EQ(std::filesystem::file_size(file("03")) % record.size(), 0);
}

TEST_F(QlogTest, AFileIsKeptInBounds) {
  const std::string record(1000, 'x');
  {
    Qlog log(files_, folder_.string(), id(4));
    log.begin();
    for (int n = 0; n < 2000; ++n) log.write(base::as_bytes(record));
  }
  EXPECT_LE(std::filesystem::file_size(file("04")), Qlog::size_max);
  EXPECT_GT(std::filesystem::file_size(file("04")), Qlog::size_max - 2 * record.size());
}

TEST_F(QlogTest, TheNewestFilesAreKept) {
  for (std::size_t n = 0; n < QlogFiles::most + 10; ++n) {
    EXPECT_TRUE(files_.make((folder_ / std::to_string(n)).string()).is_open());
  }
  const auto left = std::distance(std::filesystem::directory_iterator(folder_), {});
  EXPECT_EQ(static_cast<std::size_t>(left), QlogFiles::most);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "9"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "10"));
}

TEST_F(QlogTest, AFileThatIsThereIsNotTouched) {
  std::filesystem::create_directories(folder_);
  std::ofstream(file("05")) << "mine";
  {
    Qlog log(files_, folder_.string(), id(5));
    log.begin();
    log.write(base::as_bytes("ours\n"));
  }
  EXPECT_EQ(text_of(file("05")), "mine");
}

}  // namespace
}  // namespace transports::quic
