// Counts locks taken by the calling thread, so that a test can say "none": POSIX mutexes and
// reader-writer locks, and with them std::mutex and std::shared_mutex, of the program and of every
// library in it.
//
// The linker leads calls through the counter (--wrap, tests/CMakeLists.txt), in static and dynamic
// programs alike. Under a sanitizer these functions are its own and nothing is counted: ask
// locks_are_counted() and skip.
#pragma once

#include <cstdint>

namespace test {

bool locks_are_counted();

/// Since the thread began, tries that failed among them.
std::uint64_t locks_of_this_thread();

}  // namespace test
