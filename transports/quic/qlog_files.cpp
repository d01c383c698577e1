// The thread, and what waits for it.
#include "transports/quic/qlog_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

#include "base/thread.h"
#include "transports/descriptor.h"

namespace transports::quic {

struct QlogFile {
  explicit QlogFile(std::string its_path) : path(std::move(its_path)) {}

  const std::string path;
  std::atomic<bool> failed = false;
  // the writer's
  Descriptor descriptor;
  std::size_t written = 0;
};

namespace {

constexpr std::chrono::seconds patience_at_the_end{1};

/// Nothing is written: the file is to be made.
struct Job {
  std::shared_ptr<QlogFile> file;
  std::vector<std::uint8_t> octets;

  [[nodiscard]] std::size_t size() const {
    return sizeof(QlogFile) + file->path.size() + octets.size();
  }
};

}  // namespace

struct QlogFiles::Writer {
  explicit Writer(Write write) : to_disk(write == nullptr ? &::write : write) {}

  bool put(Job job);
  void run();
  void make(QlogFile& file);
  void write(QlogFile& file, const std::vector<std::uint8_t>& octets);

  const Write to_disk;
  std::deque<std::string> made;  // the thread's; oldest first

  std::mutex mutex;
  std::condition_variable work;     // for the thread: a job, or the end
  std::condition_variable settled;  // nothing waits
  std::deque<Job> jobs;             // the first is under way
  std::size_t octets_waiting = 0;
  bool started = false;
  bool stopping = false;
};

bool QlogFiles::Writer::put(Job job) {
  const std::scoped_lock lock(mutex);
  if (octets_waiting + job.size() > octets_waiting_max) return false;
  octets_waiting += job.size();
  jobs.push_back(std::move(job));
  work.notify_one();
  return true;
}

void QlogFiles::Writer::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    work.wait(lock, [this] { return stopping || !jobs.empty(); });
    if (jobs.empty()) return;
    const Job& job = jobs.front();  // stays where it is, whatever is put behind it
    lock.unlock();
    if (job.octets.empty()) {
      make(*job.file);
    } else {
      write(*job.file, job.octets);
    }
    lock.lock();
    octets_waiting -= jobs.front().size();
    jobs.pop_front();
    if (jobs.empty()) settled.notify_all();
  }
}

void QlogFiles::Writer::make(QlogFile& file) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(file.path).parent_path(), ignored);
  constexpr mode_t for_us_alone = 0600;
  file.descriptor =
      Descriptor(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, for_us_alone));
  if (!file.descriptor.is_open()) {
    file.failed = true;
    return;
  }
  made.push_back(file.path);
  if (made.size() > most) {
    ::unlink(made.front().c_str());
    made.pop_front();
  }
}

/// A record that does not fit on the disk is not left there by half.
void QlogFiles::Writer::write(QlogFile& file, const std::vector<std::uint8_t>& octets) {
  if (file.failed) return;
  if (to_disk(file.descriptor.get(), octets.data(), octets.size()) ==
      static_cast<ssize_t>(octets.size())) {
    file.written += octets.size();
    return;
  }
  static_cast<void>(::ftruncate(file.descriptor.get(), static_cast<off_t>(file.written)) == 0);
  file.failed = true;
}

QlogFiles::QlogFiles(Write write) : writer_(std::make_shared<Writer>(write)) {}

QlogFiles::~QlogFiles() {
  std::unique_lock lock(writer_->mutex);
  writer_->stopping = true;
  writer_->work.notify_one();
  const bool done = writer_->settled.wait_for(lock, patience_at_the_end,
                                              [this] { return writer_->jobs.empty(); });
  lock.unlock();
  if (!thread_.joinable()) return;
  if (done) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

std::shared_ptr<QlogFile> QlogFiles::make(std::string path) {
  auto file = std::make_shared<QlogFile>(std::move(path));
  if (!writer_->put({file, {}})) return nullptr;
  const std::scoped_lock lock(writer_->mutex);
  if (std::exchange(writer_->started, true)) return file;
  thread_ = base::start_without_signals([writer = writer_] { writer->run(); });
  return file;
}

bool QlogFiles::write(const std::shared_ptr<QlogFile>& file, std::vector<std::uint8_t> octets) {
  return octets.empty() || writer_->put({file, std::move(octets)});
}

bool QlogFiles::has_failed(const QlogFile& file) { return file.failed; }

void QlogFiles::settle() {
  std::unique_lock lock(writer_->mutex);
  writer_->settled.wait(lock, [this] { return writer_->jobs.empty(); });
}

}  // namespace transports::quic
