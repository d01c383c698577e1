// Views of octets, and a sticky reader and writer for big-endian wire formats. Nothing here owns
// memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace base {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline std::uint16_t load_u16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>((at[0] << 8) | at[1]);
}

inline std::uint32_t load_u32(const std::uint8_t* at) {
  return (std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) | (std::uint32_t{at[2]} << 8) |
         std::uint32_t{at[3]};
}

inline void store_u16(std::uint8_t* at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

inline void store_u32(std::uint8_t* at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 24);
  at[1] = static_cast<std::uint8_t>(value >> 16);
  at[2] = static_cast<std::uint8_t>(value >> 8);
  at[3] = static_cast<std::uint8_t>(value);
}

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads big-endian fields in order. The first read past the end fails the reader for good: every
/// later read gives zeros, and `ok()` is asked once at the end.
class Reader {
 public:
  explicit Reader(Bytes bytes, std::size_t offset = 0)
      : bytes_(bytes), offset_(std::min(offset, bytes.size())), ok_(offset <= bytes.size()) {}

  std::uint8_t u8() { return take(1) ? bytes_[offset_ - 1] : std::uint8_t{0}; }
  std::uint16_t u16() { return take(2) ? load_u16(&bytes_[offset_ - 2]) : std::uint16_t{0}; }
  std::uint32_t u32() { return take(4) ? load_u32(&bytes_[offset_ - 4]) : std::uint32_t{0}; }
  Bytes bytes(std::size_t count) {
    return take(count) ? bytes_.subspan(offset_ - count, count) : Bytes{};
  }
  void skip(std::size_t count) { take(count); }

  /// Marks the input as wrong although there were octets enough.
  void fail() { ok_ = false; }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t offset() const { return offset_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - offset_; }
  [[nodiscard]] Bytes whole() const { return bytes_; }

 private:
  bool take(std::size_t count) {
    if (!ok_ || count > bytes_.size() - offset_) {
      ok_ = false;
      return false;
    }
    offset_ += count;
    return true;
  }

  Bytes bytes_;
  std::size_t offset_;
  bool ok_;
};

/// Writes big-endian fields in order into memory of a fixed size. The first write that does not fit
/// fails the writer for good and writes nothing; `ok()` is asked once at the end.
class Writer {
 public:
  explicit Writer(MutableBytes out) : out_(out) {}
  /// Goes on behind `size` octets that are already there.
  Writer(MutableBytes out, std::size_t size) : out_(out), size_(size) {}

  void u8(std::uint8_t value) {
    if (room(1)) out_[size_++] = value;
  }
  void u16(std::uint16_t value) {
    if (room(2)) {
      store_u16(&out_[size_], value);
      size_ += 2;
    }
  }
  void u32(std::uint32_t value) {
    if (room(4)) {
      store_u32(&out_[size_], value);
      size_ += 4;
    }
  }
  void bytes(Bytes value) {
    if (!value.empty() && room(value.size())) {
      std::memcpy(&out_[size_], value.data(), value.size());
      size_ += value.size();
    }
  }
  void zeros(std::size_t count) {
    if (count != 0 && room(count)) {
      std::memset(&out_[size_], 0, count);
      size_ += count;
    }
  }
  /// Overwrites two octets that were written before.
  void patch_u16(std::size_t offset, std::uint16_t value) {
    if (ok_ && offset + 2 <= size_) store_u16(&out_[offset], value);
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t remaining() const { return out_.size() - size_; }
  [[nodiscard]] Bytes written() const { return {out_.data(), size_}; }

 private:
  bool room(std::size_t count) {
    ok_ = ok_ && count <= out_.size() - size_;
    return ok_;
  }

  MutableBytes out_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace base
