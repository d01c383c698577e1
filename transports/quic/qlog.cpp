// Files of records. Whatever the disk does, it is the log alone that suffers.
#include "transports/quic/qlog.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <format>
#include <system_error>

namespace transports::quic {

namespace {

std::string hex_of(const ngtcp2_cid& id) {
  std::string out;
  for (const std::uint8_t octet : octets_of(id)) out += std::format("{:02x}", octet);
  return out;
}

}  // namespace

Descriptor QlogFiles::make(const std::string& path) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  constexpr mode_t for_us_alone = 0600;
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, for_us_alone));
  if (!file.is_open()) return file;
  const std::scoped_lock lock(mutex_);
  made_.push_back(path);
  if (made_.size() > most) {
    ::unlink(made_.front().c_str());
    made_.pop_front();
  }
  return file;
}

Qlog::Qlog(QlogFiles& files, std::string_view directory, const ngtcp2_cid& first_id)
    : files_(files), path_(std::format("{}/{}.sqlog", directory, hex_of(first_id))) {}

void Qlog::write(base::Bytes records) {
  if (state_ == State::ended) return;
  if (waiting_.size() + records.size() > waiting_max) {
    if (state_ == State::waiting) return;
    flush();
  }
  if (written_ + waiting_.size() + records.size() > size_max) {
    flush();
    state_ = State::ended;
  }
  if (state_ != State::ended) waiting_.insert(waiting_.end(), records.begin(), records.end());
}

void Qlog::begin() {
  if (state_ != State::waiting) return;
  file_ = files_.make(path_);
  state_ = file_.is_open() ? State::writing : State::ended;
  if (state_ == State::ended) waiting_ = {};
}

/// A record that does not fit on the disk is not left there by half.
void Qlog::flush() {
  if (state_ != State::writing || waiting_.empty()) return;
  if (::write(file_.get(), waiting_.data(), waiting_.size()) ==
      static_cast<ssize_t>(waiting_.size())) {
    written_ += waiting_.size();
  } else {
    static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(written_)) == 0);
    state_ = State::ended;
  }
  waiting_.clear();
}

}  // namespace transports::quic
