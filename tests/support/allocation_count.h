// Counts heap allocations of the calling thread, so that a test can say "none": malloc and its
// family, and with them operator new, of the program and of every library in it.
//
// Without a sanitizer the linker leads calls through the counter (--wrap, tests/CMakeLists.txt), in
// static and dynamic programs alike; with one, the sanitizer's own hook counts. Freeing is not
// counted.
#pragma once

#include <cstdint>

namespace test {

/// Since the thread began. The difference of two calls is what lay between them; the call itself
/// allocates nothing.
std::uint64_t allocations_of_this_thread();

/// False under the thread sanitizer, whose hook does not see allocations with an alignment of their
/// own.
bool aligned_allocations_are_counted();

}  // namespace test
