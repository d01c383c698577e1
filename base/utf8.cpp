// Showing what somebody else wrote. RFC 8259 §7.
#include "base/utf8.h"

#include <format>

namespace base {
namespace {

std::string escaped(const Utf8& front, std::string_view as_written) {
  if (!front.valid) return "\\ufffd";
  switch (front.value) {
    case U'"': return "\\\"";
    case U'\\': return "\\\\";
    case U'\n': return "\\n";
    case U'\r': return "\\r";
    case U'\t': return "\\t";
    default: break;
  }
  if (is_printable(front.value)) return std::string{as_written};
  return std::format("\\u{:04x}", static_cast<unsigned>(front.value));
}

}  // namespace

void append_escaped(std::string& out, std::string_view text, std::size_t most) {
  while (!text.empty()) {
    const Utf8 front = utf8_front(text);
    const std::string piece = escaped(front, text.substr(0, front.size));
    if (out.size() + piece.size() > most) {
      out += "\xe2\x80\xa6";
      return;
    }
    out += piece;
    text.remove_prefix(front.size);
  }
}

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  append_escaped(out, text);
  return out + '"';
}

}  // namespace base
