// The counter of locks.
#include "tests/support/lock_count.h"

#include <pthread.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SALLYPORT_SANITIZER_LOCKS
#endif
#endif

namespace {

constinit thread_local std::uint64_t locks = 0;

}  // namespace

std::uint64_t test::locks_of_this_thread() { return locks; }

#ifdef SALLYPORT_SANITIZER_LOCKS

bool test::locks_are_counted() { return false; }

#else

bool test::locks_are_counted() { return true; }

// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {

int __real_pthread_mutex_lock(pthread_mutex_t* mutex);
int __real_pthread_mutex_trylock(pthread_mutex_t* mutex);
int __real_pthread_rwlock_rdlock(pthread_rwlock_t* lock);
int __real_pthread_rwlock_wrlock(pthread_rwlock_t* lock);

int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex) {
  ++locks;
  return __real_pthread_mutex_lock(mutex);
}
int __wrap_pthread_mutex_trylock(pthread_mutex_t* mutex) {
  ++locks;
  return __real_pthread_mutex_trylock(mutex);
}
int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  ++locks;
  return __real_pthread_rwlock_rdlock(lock);
}
int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  ++locks;
  return __real_pthread_rwlock_wrlock(lock);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)

#endif
