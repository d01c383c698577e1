// The files of a process that logs QUIC connections, and the thread that writes them: a disk that
// is slow, or hangs, stops no worker. What waits for it is bounded; more is left out and counted.
// Owned by Process; thread-safe.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace transports::quic {

/// One connection's, known to its log and to the writer.
struct QlogFile;

class QlogFiles {
 public:
  /// The newest that are kept.
  static constexpr std::size_t most = 256;
  static constexpr std::size_t octets_waiting_max = std::size_t{4} * 1024 * 1024;

  using Write = ssize_t (*)(int, const void*, std::size_t);
  /// `write` is write(2), or a test's disk.
  explicit QlogFiles(Write write = nullptr);
  /// Gives a disk that hangs a second for what waits.
  ~QlogFiles();
  QlogFiles(const QlogFiles&) = delete;
  QlogFiles& operator=(const QlogFiles&) = delete;

  /// A new file, which nobody else may read. The first one starts the thread. Null when too much
  /// waits for the disk.
  std::shared_ptr<QlogFile> make(std::string path);
  /// False: too much waits for the disk, and this is left out.
  [[nodiscard]] bool write(const std::shared_ptr<QlogFile>& file, std::vector<std::uint8_t> octets);
  /// The file could not be made, or the disk took no more of it.
  [[nodiscard]] static bool has_failed(const QlogFile& file);
  /// Until nothing waits: for tests.
  void settle();

 private:
  struct Writer;

  std::shared_ptr<Writer> writer_;  // the thread's, too, which may outlive this while it hangs
  std::thread thread_;
};

}  // namespace transports::quic
