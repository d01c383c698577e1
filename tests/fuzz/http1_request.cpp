// Fuzz target: requests over HTTP/1.1, one behind the other. Wherever the octets are cut, the same
// requests come of them, with the same contents, and the same end.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "transports/http1/request_parser.h"

namespace {

using transports::DohRequest;
using transports::http1::RequestParser;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Of one request: what it asks, or the status that it is refused with.
struct Read {
  std::uint16_t status = 0;
  std::uint16_t failure = 0;
  bool keeps_open = false;
  std::string message;
  bool operator==(const Read&) const = default;
};

std::vector<Read> read_all(base::Bytes octets, std::size_t piece) {
  static const conf::Doh settings;
  transports::OctetBudget budget;
  DohRequest request(budget);
  std::optional<RequestParser> parser;
  std::vector<Read> found;
  std::vector<std::uint8_t> unread;
  for (std::size_t at = 0; at < octets.size();) {
    const base::Bytes next = octets.subspan(at, std::min(piece, octets.size() - at));
    unread.insert(unread.end(), next.begin(), next.end());
    at += next.size();
    while (!unread.empty()) {
      if (!parser) {
        request.begin();
        parser.emplace(request, settings);
      }
      const std::size_t taken = parser->take(unread);
      require(taken <= unread.size());
      unread.erase(unread.begin(), unread.begin() + static_cast<std::ptrdiff_t>(taken));
      if (parser->failure() == 0 && !parser->is_whole()) break;
      Read& read = found.emplace_back();
      read.failure = parser->failure();
      if (read.failure != 0) return found;
      read.status = request.finish();
      read.keeps_open = parser->keeps_open();
      read.message = base::as_text(request.message());
      if (!read.keeps_open || found.size() == 100) return found;
      parser.reset();
    }
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const base::Bytes octets{data + 1, size - 1};
  require(read_all(octets, octets.size() + 1) == read_all(octets, std::size_t{data[0]} + 1));
  return 0;
}
