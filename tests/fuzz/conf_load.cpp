// Any text as a configuration: no crash, and every complaint has a place in the text.
#include "conf/load.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "conf/changes.h"
#include "conf/check.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const conf::Source source{text, "fuzzed"};
  const auto loaded = conf::load_text(text, "fuzzed", "/nonexistent");
  require(!conf::check_text(loaded).empty() && conf::check_json(loaded).ends_with("}\n"));
  if (loaded) {
    require(conf::changes(*loaded, *loaded).none());
    require(!loaded->upstreams.empty() && !loaded->server.listen.empty() &&
            !loaded->server.allow.empty());
    return 0;
  }
  require(!loaded.error().empty() && loaded.error().size() <= conf::complaints_most);
  for (const conf::Complaint& complaint : loaded.error()) {
    require(!complaint.message.empty() && complaint.file == "fuzzed");
    if (complaint.line == 0) continue;
    require(complaint.line <= source.line_count() || source.line_count() == 0);
    const std::size_t line_size = source.line(complaint.line).size();
    require(complaint.column >= 1 && complaint.column <= line_size + 1);
    require(complaint.width >= 1 && complaint.column + complaint.width <= line_size + 2);
    for (const char c : complaint.message + complaint.suggestion + complaint.source_line) {
      require(static_cast<unsigned char>(c) >= 0x20);
    }
  }
  return 0;
}
