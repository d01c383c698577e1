// Writing and reading the saved cache. RFC 8767 §4: what outlived its TTL may be kept as stale.
#include "cache/archive.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <format>
#include <optional>
#include <vector>

#include "cache/entry.h"
#include "dns/answer.h"
#include "dns/message.h"

namespace cache::archive {
namespace {

constexpr std::array<std::uint8_t, 8> magic{'S', 'A', 'L', 'L', 'Y', 'C', 'H', '1'};
constexpr std::size_t digest_offset = magic.size();
constexpr std::size_t digested_offset = digest_offset + SHA256_DIGEST_LENGTH;
constexpr std::size_t record_header_size = 22;
static_assert(block_header_size + record_header_size + dns::message_size_max +
                      Entry::ede_text_max <=
                  block_size,
              "every record fits into a block");

constexpr std::uint8_t flag_every_type = 4;
constexpr std::uint8_t flag_ede = 8;
constexpr std::uint8_t flag_asked_for = 16;

std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest_of(base::Bytes block) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(block.data() + digested_offset, block.size() - digested_offset, digest.data());
  return digest;
}

std::string what_failed(std::string_view what, const std::string& path) {
  return std::format("cannot {} {}: {}", what, path, std::strerror(errno));
}

void write_u64(base::Writer& out, std::uint64_t number) {
  out.u32(static_cast<std::uint32_t>(number >> 32));
  out.u32(static_cast<std::uint32_t>(number));
}

std::uint64_t read_u64(base::Reader& in) {
  const std::uint64_t high = in.u32();
  return high << 32 | in.u32();
}

/// A descriptor that is closed, whatever happens.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool ok() const { return number_ >= 0; }

 private:
  int number_;
};

bool write_all(int descriptor, base::Bytes octets) {
  while (!octets.empty()) {
    const ssize_t written = ::write(descriptor, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    octets = octets.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

/// As much as there is, up to the whole; nothing when the file cannot be read.
std::optional<std::size_t> read_all(int descriptor, std::span<std::uint8_t> into) {
  std::size_t size = 0;
  while (size < into.size()) {
    const ssize_t got = ::read(descriptor, into.data() + size, into.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return size;
}

void append_record(const KeptEntry& entry, base::Seconds32 now, std::vector<std::uint8_t>& out) {
  const std::size_t at = out.size();
  const dns::AnswerView& answer = entry.answer;
  out.resize(at + record_header_size + answer.wire.size() + answer.ede_text.size());
  base::Writer record{std::span{out}.subspan(at)};
  record.u32(now - std::min(entry.stored, now));  // stored meanwhile: by another thread's time
  record.u32(entry.fresh_seconds);
  record.u32(entry.stale_seconds);
  record.u8(static_cast<std::uint8_t>(entry.variant | (entry.every_type ? flag_every_type : 0) |
                                      (answer.has_ede ? flag_ede : 0) |
                                      (entry.asked_for ? flag_asked_for : 0)));
  record.u8(entry.history.bits);
  record.u16(static_cast<std::uint16_t>(answer.rcode));
  record.u16(static_cast<std::uint16_t>(answer.ede));
  record.u16(static_cast<std::uint16_t>(answer.ede_text.size()));
  record.u16(static_cast<std::uint16_t>(answer.wire.size()));
  record.bytes(answer.wire);
  record.bytes(
      {reinterpret_cast<const std::uint8_t*>(answer.ede_text.data()), answer.ede_text.size()});
}

/// Puts records together to blocks, and blocks into a file.
class BlockWriter {
 public:
  BlockWriter(int descriptor, Moment moment) : descriptor_(descriptor), moment_(moment) {
    block_.reserve(block_size);
    block_.resize(block_header_size);
  }

  bool add(base::Bytes record) {
    if (block_.size() + record.size() > block_size && !finish(true)) return false;
    block_.insert(block_.end(), record.begin(), record.end());
    ++saved_.entries;
    return true;
  }

  /// `more`: another block follows, and begins at a multiple of block_size.
  bool finish(bool more) {
    if (block_.size() == block_header_size) return true;
    seal(block_, number_++, moment_.unix_seconds, moment_.ways);
    if (more) block_.resize(block_size);
    if (!write_all(descriptor_, block_)) return false;
    saved_.octets += block_.size();
    block_.resize(block_header_size);
    return true;
  }

  [[nodiscard]] const Saved& saved() const { return saved_; }

 private:
  int descriptor_;
  Moment moment_;
  std::vector<std::uint8_t> block_;
  std::uint32_t number_ = 0;
  Saved saved_;
};

std::expected<Saved, std::string> write_file(const AnswerCache& cache, const std::string& path,
                                             Moment moment, const std::function<bool()>& go_on) {
  const Descriptor file{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file.ok() || ::fchmod(file.number(), 0600) != 0)
    return std::unexpected(what_failed("create", path));
  BlockWriter blocks{file.number(), moment};
  // Copied under the segment's mutex, written when it is free again.
  std::vector<std::uint8_t> copied;
  std::vector<std::size_t> ends;
  copied.reserve(block_size);
  ends.reserve(block_size / record_header_size);
  const std::size_t pieces = cache.pieces();
  const std::uint64_t most = cache.stats().budget;
  for (std::size_t piece = 0; piece < pieces && blocks.saved().octets + block_size < most;
       ++piece) {
    if (!go_on()) return std::unexpected("given up: saving took too long");
    copied.clear();
    ends.clear();
    cache.visit(piece, [&](const KeptEntry& entry) {
      append_record(entry, moment.now, copied);
      ends.push_back(copied.size());
    });
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      if (!blocks.add(std::span{copied}.subspan(begin, end - begin)))
        return std::unexpected(what_failed("write", path));
      begin = end;
    }
  }
  if (!blocks.finish(false) || ::fsync(file.number()) != 0)
    return std::unexpected(what_failed("write", path));
  return blocks.saved();
}

/// A record as it lies in a block.
struct Record {
  std::uint32_t age;
  KeptEntry entry;
  base::Bytes wire;
};

Record read_record(base::Reader& in) {
  Record record{};
  KeptEntry& entry = record.entry;
  record.age = in.u32();
  entry.fresh_seconds = in.u32();
  entry.stale_seconds = in.u32();
  const std::uint8_t flags = in.u8();
  entry.variant = flags & (variant_do | variant_cd);
  entry.every_type = (flags & flag_every_type) != 0;
  entry.asked_for = (flags & flag_asked_for) != 0;
  entry.history.bits = in.u8();
  entry.answer.has_ede = (flags & flag_ede) != 0;
  entry.answer.rcode = dns::Rcode{in.u16()};
  entry.answer.ede = dns::Ede{in.u16()};
  const std::uint16_t text_size = in.u16();
  const std::uint16_t wire_size = in.u16();
  record.wire = in.bytes(wire_size);
  entry.answer.ede_text = base::as_text(in.bytes(text_size));
  return record;
}

/// The message is read as strictly as one that an upstream sent.
bool check(Record& record, dns::KeptAnswer& answer) {
  auto kept = dns::keep_answer(record.wire);
  if (!kept || kept->wire.size() != record.wire.size()) return false;
  const auto rcode = static_cast<std::uint16_t>(record.entry.answer.rcode);
  if ((rcode & 0xf) != (static_cast<std::uint16_t>(kept->rcode) & 0xf)) return false;
  answer = std::move(*kept);
  answer.rcode = record.entry.answer.rcode;
  const dns::AnswerFacts facts = dns::facts_of(answer.view());
  if (facts.kind == dns::AnswerKind::failure) return false;
  if (record.entry.every_type &&
      (facts.kind != dns::AnswerKind::nxdomain || !facts.answer_section_empty)) {
    return false;
  }
  record.entry.answer.wire = answer.wire;
  record.entry.answer.ttl_offsets = answer.ttl_offsets;
  return true;
}

/// Brings the times, and the TTLs that clients will see, within today's limits; never beyond those
/// of the former run. False: today it would not be kept at all.
bool limit(Record& record, dns::KeptAnswer& answer, const conf::Cache& limits) {
  KeptEntry& entry = record.entry;
  Lifetime today = lifetime_of(dns::facts_of(answer.view()), limits);
  today.bound_stale(entry.history);
  dns::clamp_ttls(answer, 0, today.most_ttl);
  entry.fresh_seconds = std::min(entry.fresh_seconds, today.fresh_seconds);
  entry.stale_seconds = std::min(entry.stale_seconds, today.stale_seconds);
  return today.keep;
}

/// Ages the entry by the wall time that passed. A clock that went back says nothing of how much
/// that was: then nothing is fresh any more. False: not even stale.
bool age(Record& record, Moment moment, std::int64_t saved_at) {
  KeptEntry& entry = record.entry;
  std::uint64_t old = record.age;
  if (moment.unix_seconds >= saved_at) {
    old += static_cast<std::uint64_t>(moment.unix_seconds - saved_at);
  } else {
    old = std::max<std::uint64_t>(old, entry.fresh_seconds);
  }
  if (old >= std::uint64_t{entry.fresh_seconds} + entry.stale_seconds) return false;
  entry.stored = moment.now - static_cast<std::uint32_t>(old);
  return true;
}

}  // namespace

void seal(std::span<std::uint8_t> block, std::uint32_t number, std::int64_t unix_seconds,
          std::uint64_t ways) {
  std::ranges::copy(magic, block.begin());
  base::Writer header{block.first(block_header_size), digested_offset};
  write_u64(header, static_cast<std::uint64_t>(unix_seconds));
  header.u32(number);
  header.u32(static_cast<std::uint32_t>(block.size() - block_header_size));
  write_u64(header, ways);
  std::ranges::copy(digest_of(block), block.begin() + digest_offset);
}

std::expected<Saved, std::string> save(const AnswerCache& cache, const std::string& path,
                                       Moment moment, const std::function<bool()>& go_on) {
  const std::string written = path + ".new";
  auto saved = write_file(cache, written, moment, go_on);
  if (saved && ::rename(written.c_str(), path.c_str()) != 0)
    saved = std::unexpected(what_failed("replace", path));
  if (!saved) {
    ::unlink(written.c_str());
    return saved;
  }
  const std::string folder = std::filesystem::path(path).parent_path();
  const Descriptor directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory.ok() || ::fsync(directory.number()) != 0)
    return std::unexpected(what_failed("write", folder));
  return saved;
}

void load_block(AnswerCache& cache, base::Bytes block, std::uint32_t number,
                const conf::Cache& limits, Moment moment, Loaded& loaded, const Wanted& wanted) {
  const auto damaged = [&loaded] { ++loaded.damaged_blocks; };
  if (block.size() < block_header_size || !std::ranges::equal(block.first(magic.size()), magic))
    return damaged();
  base::Reader header{block, digested_offset};
  const auto saved_at = static_cast<std::int64_t>(read_u64(header));
  const std::uint32_t its_number = header.u32();
  const std::uint32_t size = header.u32();
  const std::uint64_t ways = read_u64(header);
  if (its_number != number || size > block.size() - block_header_size) return damaged();
  block = block.first(block_header_size + size);
  if (!std::ranges::equal(digest_of(block), block.subspan(digest_offset, SHA256_DIGEST_LENGTH))) {
    return damaged();
  }
  if (ways != moment.ways) {
    loaded.other_ways = true;
    return;
  }
  loaded.clock_went_back = loaded.clock_went_back || moment.unix_seconds < saved_at;

  base::Reader in{block.subspan(block_header_size)};
  while (in.remaining() != 0) {
    Record record = read_record(in);
    if (!in.ok()) {
      ++loaded.damaged_entries;
      return;
    }
    dns::KeptAnswer answer;
    if (!check(record, answer)) {
      ++loaded.damaged_entries;
    } else if (!limit(record, answer, limits) || !age(record, moment, saved_at)) {
      ++loaded.too_old;
    } else {
      const dns::Name name = dns::MessageWalk{answer.wire}.question().name;
      const bool kept = wanted(name.view()) && cache.restore(record.entry, moment.now);
      ++(kept ? loaded.entries : loaded.refused);
    }
  }
}

Loaded load(AnswerCache& cache, const std::string& path, const conf::Cache& limits, Moment moment,
            const std::function<bool()>& go_on, const Wanted& wanted) {
  Loaded loaded;
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!file.ok()) {
    if (errno != ENOENT) loaded.error = what_failed("read", path);
    return loaded;
  }
  loaded.found = true;
  std::vector<std::uint8_t> block(block_size);
  const std::uint64_t most = cache.stats().budget;  // what was saved by a larger cache
  for (std::uint32_t number = 0; std::uint64_t{number} * block_size < most; ++number) {
    if (!go_on()) {
      loaded.given_up = true;
      return loaded;
    }
    const auto size = read_all(file.number(), block);
    if (!size) {
      loaded.error = what_failed("read", path);
      return loaded;
    }
    if (*size == 0) return loaded;
    load_block(cache, std::span{block}.first(*size), number, limits, moment, loaded, wanted);
    if (loaded.other_ways) return loaded;
  }
  return loaded;
}

}  // namespace cache::archive
