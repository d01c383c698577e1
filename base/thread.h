// A thread that signals pass by: they are the main thread's.
#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace base {

/// Starts `work` with all signals blocked, as they then stay in it and in what it starts.
template <class Work>
std::thread start_without_signals(Work work) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread thread(std::move(work));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace base
