// Writing an entry.
#include "cache/entry.h"

#include <new>

namespace cache {
namespace {

template <class Item>
std::uint8_t* copy_to(std::uint8_t* at, std::span<const Item> items) {
  if (!items.empty()) std::memcpy(at, items.data(), items.size_bytes());
  return at + items.size_bytes();
}

/// As much of the text as fits, no character cut in two (RFC 8914 §2: UTF-8).
std::string_view shortened(std::string_view text) {
  if (text.size() <= Entry::ede_text_max) return text;
  std::size_t size = Entry::ede_text_max;
  while (size != 0 && (static_cast<std::uint8_t>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace

Entry* Entry::make(void* block, std::uint64_t hash, const Key& key, Scope scope,
                   const dns::AnswerView& answer, const Lifetime& lifetime, base::Seconds32 now) {
  const std::string_view text = shortened(answer.ede_text);
  auto* const entry = new (block) Entry{
      .hash = hash,
      .newer = 0,
      .older = 0,
      .inserted = now,
      .expires = now + lifetime.fresh_seconds,
      .useless_from = now + lifetime.fresh_seconds + lifetime.stale_seconds,
      .wire_size = static_cast<std::uint16_t>(answer.wire.size()),
      .ttl_count = static_cast<std::uint16_t>(answer.ttl_offsets.size()),
      .rcode = answer.rcode,
      .ede = answer.ede,
      .ede_text_size = static_cast<std::uint8_t>(text.size()),
      .variant = static_cast<std::uint8_t>(key.variant & 3U),
      .has_ede = answer.has_ede,
      .scope = scope,
      .history = lifetime.history,
      .marks = 0,
  };
  auto* at = reinterpret_cast<std::uint8_t*>(entry + 1);
  at = copy_to(at, answer.ttl_offsets);
  at = copy_to(at, answer.wire);
  copy_to(at, std::span{text.data(), text.size()});
  return entry;
}

}  // namespace cache
