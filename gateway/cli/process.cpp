// Limits and signals. getrlimit(2), sigwaitinfo(2).
#include "gateway/cli/process.h"

#include <sys/resource.h>

#include <csignal>

namespace gateway::cli {
namespace {

sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

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
