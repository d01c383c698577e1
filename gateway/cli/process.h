// What the process asks of the kernel before it becomes the gateway.
#pragma once

#include <cstdint>

namespace gateway::cli {

/// Raises the soft limit of file descriptors to the hard one, for each client's session is one;
/// gives what holds now.
std::uint64_t raise_descriptor_limit();

/// Unmaps the program's own code and constants, to be mapped again where they are still used. What
/// only a start needs (the configuration's parser, the making of certificates) then no longer
/// counts as memory of the gateway. Costs a minor fault per 64 KiB that runs again; nothing is read
/// from disk unless the system is short of memory.
void release_start_pages();

/// SIGTERM, SIGINT and SIGHUP wait until wait_for_signal() takes them, in this thread and in all
/// that it starts from now on: to be called before the first thread.
void hold_signals();
/// The next of them; blocks.
int wait_for_signal();
/// Signals do what they usually do again, in this thread: whoever is impatient may end a drain.
void release_signals();

}  // namespace gateway::cli
