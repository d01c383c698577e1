// The cache on disk, from one run of the process to the next: saved whole, replaced at once, read
// back block by block. Damage costs the block that it is in and nothing else. Nobody owns it;
// called off the workers.
//
// The file is a row of blocks of 128 KiB, the last one shorter; numbers are big-endian:
//
// | at | octets | of a block                                                  |
// | -- | ------ | ----------------------------------------------------------- |
// | 0  | 8      | "SALLYCH1": what this is, and the version                   |
// | 8  | 32     | SHA-256 of all that follows, to the end of the records      |
// | 40 | 8      | when the cache was saved, seconds of Unix time              |
// | 48 | 4      | the block's number, from 0                                  |
// | 52 | 4      | octets of records                                           |
// | 56 | 8      | the ways by which the answers came                          |
// | 64 |        | records                                                     |
//
// | at | octets | of a record                                                 |
// | -- | ------ | ----------------------------------------------------------- |
// | 0  | 4      | age in seconds when the cache was saved                     |
// | 4  | 4      | seconds for which it was fresh, from age 0                  |
// | 8  | 4      | seconds for which it serves stale after that                |
// | 12 | 1      | bits: 1 DO, 2 CD, 4 for every type, 8 EDE, 16 was asked for |
// | 13 | 1      | which of the last eight refreshes changed it                |
// | 14 | 2      | rcode                                                       |
// | 16 | 2      | EDE                                                         |
// | 18 | 2      | octets of EDE text                                          |
// | 20 | 2      | octets of message                                           |
// | 22 |        | the message without OPT, and the EDE text                   |
//
// Hashes are not saved: each process has its own secret.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "cache/answer_cache.h"
#include "conf/config.h"

namespace cache::archive {

inline constexpr std::size_t block_size = std::size_t{128} * 1024;
inline constexpr std::size_t block_header_size = 64;

/// The wall clock and the cache's own, read together.
struct Moment {
  std::int64_t unix_seconds = 0;
  base::Seconds32 now = 0;
  /// Stands for all that decides where answers come from. What came by other ways is not loaded:
  /// under the same names others may be asked by now.
  std::uint64_t ways = 0;
};

struct Saved {
  std::uint64_t entries = 0;
  std::uint64_t octets = 0;
};

/// Writes everything to `path`.new with mode 0600, and puts it in the place of `path` when it is on
/// the disk: whatever happens meanwhile, `path` is whole. Asks `go_on` now and then. The error is a
/// sentence.
std::expected<Saved, std::string> save(const AnswerCache& cache, const std::string& path,
                                       Moment moment, const std::function<bool()>& go_on);

struct Loaded {
  bool found = false;  ///< there was a file
  std::uint64_t entries = 0;
  std::uint64_t too_old = 0;         ///< not even stale any more
  std::uint64_t refused = 0;         ///< something newer was known, no room, or not wanted
  std::uint64_t damaged_blocks = 0;  ///< dropped, with all that was in them
  std::uint64_t damaged_entries = 0;
  bool clock_went_back = false;  ///< all that was fresh is now stale
  bool other_ways = false;       ///< set aside: its answers came by other ways than today's
  bool given_up = false;         ///< the rest was not looked at: `go_on` said so
  std::string error;             ///< the file could not be read, or not to its end
};

/// Whether an answer of this name is to be kept.
using Wanted = std::function<bool(dns::NameView)>;
inline bool every_name(dns::NameView /*name*/) { return true; }

/// Keeps what the file holds, aged by the wall time since, within today's limits. Asks `go_on`
/// before each block; what that changes holds for `wanted` from there on.
Loaded load(AnswerCache& cache, const std::string& path, const conf::Cache& limits, Moment moment,
            const std::function<bool()>& go_on, const Wanted& wanted = every_name);

/// One block of it. `number`: which it must be.
void load_block(AnswerCache& cache, base::Bytes block, std::uint32_t number,
                const conf::Cache& limits, Moment moment, Loaded& loaded,
                const Wanted& wanted = every_name);

/// Fills in the header of a block whose records are in place.
void seal(std::span<std::uint8_t> block, std::uint32_t number, std::int64_t unix_seconds,
          std::uint64_t ways);

}  // namespace cache::archive
