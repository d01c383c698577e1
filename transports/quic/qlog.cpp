// Records, until they are the writer's.
#include "transports/quic/qlog.h"

#include <format>
#include <utility>

namespace transports::quic {

namespace {

/// A connection between two of us is logged by both.
std::string name_of(const ngtcp2_cid& id, Qlog::Side side) {
  std::string out;
  for (const std::uint8_t octet : octets_of(id)) out += std::format("{:02x}", octet);
  return out + (side == Qlog::Side::client ? "_client.sqlog" : ".sqlog");
}

}  // namespace

QlogPlace::QlogPlace(QlogFiles& of_process, base::MetricSheet& sheet)
    : files(of_process), left_out(sheet.counter("sallyport_qlog_left_out_octets_total")) {}

Qlog::Qlog(const QlogPlace& place, const ngtcp2_cid& first_id, Side side)
    : files_(place.files),
      left_out_(place.left_out),
      path_(std::format("{}/{}", place.directory, name_of(first_id, side))) {}

void Qlog::write(base::Bytes records) {
  if (state_ == State::ended) return;
  if (waiting_.size() + records.size() > waiting_max) {
    if (state_ == State::waiting) return;
    flush();
  }
  if (written_ + waiting_.size() + records.size() > size_max) {
    flush();
    end();
  }
  if (state_ != State::ended) waiting_.insert(waiting_.end(), records.begin(), records.end());
}

void Qlog::begin() {
  if (state_ != State::waiting) return;
  file_ = files_.make(path_);
  state_ = State::writing;
  if (file_ != nullptr) return;
  left_out_.add(waiting_.size());
  end();
}

/// What there is no room for is left out, and later records are written again: each is whole.
void Qlog::flush() {
  if (state_ != State::writing || waiting_.empty()) return;
  if (QlogFiles::has_failed(*file_)) return end();
  const std::size_t size = waiting_.size();
  written_ += size;
  if (!files_.write(file_, std::exchange(waiting_, {}))) left_out_.add(size);
}

void Qlog::end() {
  state_ = State::ended;
  waiting_ = {};
}

}  // namespace transports::quic
