// The counter of system calls.
#include "tests/support/system_call_count.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SALLYPORT_SANITIZER_SYSTEM_CALLS
#endif
#endif

namespace {

constinit thread_local test::SystemCalls calls;

}  // namespace

test::SystemCalls test::system_calls_of_this_thread() { return calls; }

#ifdef SALLYPORT_SANITIZER_SYSTEM_CALLS

bool test::system_calls_are_counted() { return false; }

#else

bool test::system_calls_are_counted() { return true; }

// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {

int __real_epoll_wait(int epoll, epoll_event* events, int most, int timeout);
int __real_epoll_ctl(int epoll, int operation, int descriptor, epoll_event* event);
int __real_recvmmsg(int descriptor, mmsghdr* messages, unsigned most, int flags, timespec* timeout);
int __real_sendmmsg(int descriptor, mmsghdr* messages, unsigned count, int flags);

int __wrap_epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
  ++calls.waits;
  return __real_epoll_wait(epoll, events, most, timeout);
}
int __wrap_epoll_ctl(int epoll, int operation, int descriptor, epoll_event* event) {
  ++calls.preparations;
  return __real_epoll_ctl(epoll, operation, descriptor, event);
}
int __wrap_recvmmsg(int descriptor, mmsghdr* messages, unsigned most, int flags,
                    timespec* timeout) {
  ++calls.receipts;
  return __real_recvmmsg(descriptor, messages, most, flags, timeout);
}
int __wrap_sendmmsg(int descriptor, mmsghdr* messages, unsigned count, int flags) {
  ++calls.dispatches;
  return __real_sendmmsg(descriptor, messages, count, flags);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)

#endif
