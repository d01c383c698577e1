// Limits, pages and signals. getrlimit(2), madvise(2), sigwaitinfo(2).
#include "gateway/cli/process.h"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

namespace gateway::cli {
namespace {

sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

/// Of the first object that is listed, which is the program: what no page was ever written of.
int release_constant_segments(dl_phdr_info* object, std::size_t, void*) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (ElfW(Half) i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
    const std::uintptr_t first = (begin + page - 1) / page * page;
    const std::uintptr_t last = (begin + segment.p_memsz) / page * page;
    // Only whole pages of this segment: its neighbours' may have been written to.
    if (first < last)
      madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);  // NOLINT(*-int-to-ptr)
  }
  return 1;
}

}  // namespace

void release_start_pages() {
  malloc_trim(0);
  dl_iterate_phdr(release_constant_segments, nullptr);
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

void hold_signals() {
  const sigset_t set = awaited_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void release_signals() {
  const sigset_t set = awaited_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int wait_for_signal() {
  const sigset_t set = awaited_signals();
  int signal = -1;
  while (signal < 0) signal = sigwaitinfo(&set, nullptr);  // EINTR: a debugger, a stopped process
  return signal;
}

}  // namespace gateway::cli
