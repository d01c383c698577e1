// Logs of connections: what reaches the disk, how much of it, and what the disk may do.
#include "transports/quic/qlog.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gateway/admin/metrics_table.h"

namespace transports::quic {
namespace {

class QlogTest : public testing::Test {
 protected:
  QlogTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("sallyport-qlog-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(folder_);
    place_.directory = folder_.string();
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
  base::MetricRegistry registry_{gateway::admin::metric_families};
  base::MetricSheet& sheet_ = registry_.add_sheet();
  QlogFiles files_;
  QlogPlace place_{files_, sheet_};
};

TEST_F(QlogTest, NothingIsThereBeforeItBegins) {
  {
    Qlog log(place_, id(1), Qlog::Side::server);
    log.write(base::as_bytes("\x1e{}\n"));
  }
  files_.settle();
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

TEST_F(QlogTest, WhatHasWaitedComesFirst) {
  {
    Qlog log(place_, id(2), Qlog::Side::server);
    log.write(base::as_bytes("first\n"));
    log.begin();
    log.write(base::as_bytes("second\n"));
  }
  files_.settle();
  EXPECT_EQ(text_of(file("02")), "first\nsecond\n");
  EXPECT_EQ(std::filesystem::status(file("02")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(QlogTest, AHandshakeIsKeptInBounds) {
  const std::string record(1000, 'x');
  {
    Qlog log(place_, id(3), Qlog::Side::server);
    for (int n = 0; n < 1000; ++n) log.write(base::as_bytes(record));
    log.begin();
  }
  files_.settle();
  EXPECT_LE(std::filesystem::file_size(file("03")), Qlog::waiting_max);
  EXPECT_EQ(std::filesystem::file_size(file("03")) % record.size(), 0);
}

TEST_F(QlogTest, AFileIsKeptInBounds) {
  const std::string record(1000, 'x');
  {
    Qlog log(place_, id(4), Qlog::Side::server);
    log.begin();
    for (int n = 0; n < 2000; ++n) log.write(base::as_bytes(record));
  }
  files_.settle();
  EXPECT_LE(std::filesystem::file_size(file("04")), Qlog::size_max);
  EXPECT_GT(std::filesystem::file_size(file("04")), Qlog::size_max - 2 * record.size());
}

TEST_F(QlogTest, TheNewestFilesAreKept) {
  for (std::size_t n = 0; n < QlogFiles::most + 10; ++n) {
    EXPECT_NE(files_.make((folder_ / std::to_string(n)).string()), nullptr);
  }
  files_.settle();
  const auto left = std::distance(std::filesystem::directory_iterator(folder_), {});
  EXPECT_EQ(static_cast<std::size_t>(left), QlogFiles::most);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "9"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "10"));
}

TEST_F(QlogTest, AFileThatIsThereIsNotTouched) {
  std::filesystem::create_directories(folder_);
  std::ofstream(file("05")) << "mine";
  {
    Qlog log(place_, id(5), Qlog::Side::server);
    log.begin();
    log.write(base::as_bytes("ours\n"));
  }
  files_.settle();
  EXPECT_EQ(text_of(file("05")), "mine");
}

TEST_F(QlogTest, BothSidesOfAConnectionHaveAFile) {
  for (const Qlog::Side side : {Qlog::Side::server, Qlog::Side::client}) {
    Qlog log(place_, id(6), side);
    log.begin();
    log.write(base::as_bytes(side == Qlog::Side::server ? "server\n" : "client\n"));
  }
  files_.settle();
  EXPECT_EQ(text_of(file("06")), "server\n");
  EXPECT_EQ(text_of(folder_ / "06ab000000000000_client.sqlog"), "client\n");
}

// ---- disks

std::atomic<bool> disk_hangs = false;

ssize_t slow_disk(int descriptor, const void* octets, std::size_t size) {
  while (disk_hangs) std::this_thread::yield();
  return ::write(descriptor, octets, size);
}

/// Half of it, and then there is no room any more.
ssize_t full_disk(int descriptor, const void* octets, std::size_t size) {
  return ::write(descriptor, octets, size / 2);
}

TEST_F(QlogTest, ADiskThatHangsStopsNobodyAndCostsBoundedMemory) {
  QlogFiles files(&slow_disk);
  QlogPlace place(files, sheet_);
  place.directory = folder_.string();
  disk_hangs = true;
  const std::string record = std::string(999, 'x') + '\n';
  constexpr std::uint8_t logs = 10;
  constexpr std::size_t records = 1000;
  for (std::uint8_t n = 0; n < logs; ++n) {
    Qlog log(place, id(n), Qlog::Side::server);
    log.begin();
    for (std::size_t i = 0; i < records; ++i) log.write(base::as_bytes(record));
  }
  // That this is reached at all is what is shown; what there was no room for is counted.
  const double left_out = registry_.total("sallyport_qlog_left_out_octets_total", {});
  EXPECT_GE(left_out,
            static_cast<double>(logs * records * record.size() - QlogFiles::octets_waiting_max));
  disk_hangs = false;
  files.settle();
  double written = 0;
  for (const auto& each : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(each.file_size() % record.size(), 0U);
    written += static_cast<double>(each.file_size());
  }
  EXPECT_EQ(written + left_out, static_cast<double>(logs * records * record.size()));
}

TEST_F(QlogTest, ARecordIsNotLeftByHalfOnAFullDisk) {
  QlogFiles files(&full_disk);
  QlogPlace place(files, sheet_);
  place.directory = folder_.string();
  {
    Qlog log(place, id(7), Qlog::Side::server);
    log.begin();
    log.write(base::as_bytes("a record\n"));
  }
  files.settle();
  EXPECT_EQ(std::filesystem::file_size(file("07")), 0U);
}

}  // namespace
}  // namespace transports::quic
