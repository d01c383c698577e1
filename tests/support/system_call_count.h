// Counts the system calls by which a worker waits for datagrams, takes them and sends them, so that
// a test can say how many so many hits cost. By the linker, as locks are counted; under a sanitizer
// nothing is counted: ask system_calls_are_counted() and skip.
#pragma once

#include <cstdint>

namespace test {

struct SystemCalls {
  std::uint64_t waits = 0;         ///< epoll_wait
  std::uint64_t preparations = 0;  ///< epoll_ctl
  std::uint64_t receipts = 0;      ///< recvmmsg
  std::uint64_t dispatches = 0;    ///< sendmmsg
};

bool system_calls_are_counted();

/// Of the calling thread, since it began.
SystemCalls system_calls_of_this_thread();

}  // namespace test
