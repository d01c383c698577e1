// What happened on a connection, for whoever debugs it: qlog as JSON text sequences, a file for
// each connection (draft-ietf-quic-qlog-main-schema, RFC 7464). Nothing of a client's is on disk
// before its address is proved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/counters.h"
#include "transports/quic/library.h"
#include "transports/quic/qlog_files.h"

namespace transports::quic {

/// Where connections are logged. What it points at outlives them.
struct QlogPlace {
  QlogPlace(QlogFiles& of_process, base::MetricSheet& sheet);

  QlogFiles& files;
  base::Counter& left_out;  ///< octets that the disk did not take in time
  std::string directory{};  ///< empty: nowhere
};

/// One connection's. Owned by it.
class Qlog {
 public:
  static constexpr std::size_t size_max = 1 << 20;
  /// Of a handshake, whose address may be anybody's: more is left out.
  static constexpr std::size_t waiting_max = 16 * 1024;

  enum class Side : std::uint8_t { server, client };

  Qlog(const QlogPlace& place, const ngtcp2_cid& first_id, Side side);
  ~Qlog() { flush(); }
  Qlog(const Qlog&) = delete;
  Qlog& operator=(const Qlog&) = delete;

  /// Whole records.
  void write(base::Bytes records);
  /// The peer's address is its own: what has waited, and all that follows, goes into the file.
  void begin();

 private:
  enum class State : std::uint8_t { waiting, writing, ended };
  void flush();
  void end();

  QlogFiles& files_;
  base::Counter& left_out_;
  std::string path_;
  State state_ = State::waiting;
  std::vector<std::uint8_t> waiting_;
  std::size_t written_ = 0;  // or left out
  std::shared_ptr<QlogFile> file_;
};

}  // namespace transports::quic
