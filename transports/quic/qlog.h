// What happened on a connection, for whoever debugs it: qlog as JSON text sequences, a file for
// each connection (draft-ietf-quic-qlog-main-schema, RFC 7464). Nothing of it is on disk before the
// client's address is proved. Writing waits for the disk: it is off unless somebody looks for
// something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "transports/descriptor.h"
#include "transports/quic/library.h"

namespace transports::quic {

/// The files of a process: the newest ones are kept. Owned by Process; thread-safe.
class QlogFiles {
 public:
  static constexpr std::size_t most = 256;

  /// A new file for its owner alone; none when it cannot be made.
  Descriptor make(const std::string& path);

 private:
  std::mutex mutex_;
  std::deque<std::string> made_;  // oldest first
};

/// One connection's. Owned by it.
class Qlog {
 public:
  static constexpr std::size_t size_max = 1 << 20;
  /// Of a handshake, whose address may be anybody's: more is left out.
  static constexpr std::size_t waiting_max = 16 * 1024;

  Qlog(QlogFiles& files, std::string_view directory, const ngtcp2_cid& first_id);
  ~Qlog() { flush(); }
  Qlog(const Qlog&) = delete;
  Qlog& operator=(const Qlog&) = delete;

  /// Whole records.
  void write(base::Bytes records);
  /// The client's address is its own: what has waited, and all that follows, goes into the file.
  void begin();

 private:
  enum class State : std::uint8_t { waiting, writing, ended };
  void flush();

  QlogFiles& files_;
  std::string path_;
  State state_ = State::waiting;
  std::vector<std::uint8_t> waiting_;
  std::size_t written_ = 0;
  Descriptor file_;
};

}  // namespace transports::quic
