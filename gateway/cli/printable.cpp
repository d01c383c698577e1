// Making text harmless, one code point at a time.
#include "gateway/cli/printable.h"

#include "base/utf8.h"

namespace gateway::cli {

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const base::Utf8 front = base::utf8_front(text);
    out += front.valid && base::is_printable(front.value) ? text.substr(0, front.size)
                                                          : "\xef\xbf\xbd";
    text.remove_prefix(front.size);
  }
  return out;
}

}  // namespace gateway::cli
