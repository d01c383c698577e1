// A block of the saved cache, whatever is in it: first as it stands, then with a checksum that is
// right, so that its records are read. What gets into the cache is a sound answer to its question,
// and can be saved again.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/epoch.h"
#include "cache/archive.h"
#include "dns/message.h"

namespace {

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

constexpr cache::archive::Moment moment{1'800'000'000, 10'000'000};

void load(cache::AnswerCache& cache, base::Bytes block) {
  cache::archive::Loaded loaded;
  cache::archive::load_block(cache, block, 0, conf::Cache{}, moment, loaded);
  std::uint64_t kept = 0;
  for (std::size_t piece = 0; piece < cache.pieces(); ++piece) {
    cache.visit(piece, [&kept](const cache::KeptEntry& entry) {
      ++kept;
      dns::MessageWalk walk(entry.answer.wire);
      std::size_t records = 0;
      for (dns::Record record; walk.next(record);) {
        must(record.ttl_offset() == entry.answer.ttl_offsets[records], "a TTL elsewhere");
        ++records;
      }
      must(walk.complete(), "an answer that cannot be read");
      must(records == entry.answer.ttl_offsets.size(), "a TTL too many");
      must(entry.fresh_seconds <= 24 * 3600, "fresh beyond max_ttl");
      must(moment.now - entry.stored < entry.fresh_seconds + entry.stale_seconds, "too old");
    });
  }
  must(kept <= loaded.entries, "more than was loaded");
  cache.flush();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static base::Epochs epochs;
  static cache::AnswerCache cache{{.budget = 1 << 20, .threads = 1, .seed = {1, 2}}, epochs};
  if (size > cache::archive::block_size) return 0;
  load(cache, {data, size});
  std::vector<std::uint8_t> block(data, data + size);
  if (block.size() < cache::archive::block_header_size) return 0;
  cache::archive::seal(block, 0, moment.unix_seconds - 60, moment.ways);
  load(cache, block);
  return 0;
}
