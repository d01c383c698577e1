// What the process asks of the kernel before it becomes the gateway.
#pragma once

#include <cstdint>

namespace gateway::cli {

/// Raises the soft limit of file descriptors to the hard one, for each client's session is one;
/// gives what holds now.
std::uint64_t raise_descriptor_limit();

/// SIGTERM, SIGINT and SIGHUP wait until wait_for_signal() takes them, in this thread and in all
/// that it starts from now on: to be called before the first thread.
void hold_signals();
/// The next of them; blocks.
int wait_for_signal();
/// Signals do what they usually do again, in this thread: whoever is impatient may end a drain.
void release_signals();

}  // namespace gateway::cli
