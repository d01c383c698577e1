// Process metrics from /proc and getrusage(2). Owned by nobody: the registry keeps the callbacks.
#include "gateway/admin/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>

namespace gateway::admin {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_files() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  double count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') count += 1;
  }
  closedir(directory);
  return count - 1;  // the directory's own
}

double most_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void add_process_metrics(base::MetricRegistry& registry, std::string_view version) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const double started = std::chrono::duration<double>(now).count();
  registry.add_gauge("sallyport_build_info", {{"version", std::string(version)}},
                     [] { return 1.0; });
  registry.add_gauge("process_start_time_seconds", {}, [started] { return started; });
  registry.add_counter("process_cpu_seconds_total", {}, cpu_seconds);
  registry.add_gauge("process_resident_memory_bytes", {}, resident_bytes);
  registry.add_gauge("process_open_fds", {}, open_files);
  registry.add_gauge("process_max_fds", {}, most_files);
}

}  // namespace gateway::admin
