// A TOML file as a tree of nodes that know their place. The only thing the rest of conf/ sees of
// the TOML library, which is slow to compile and recurses without a bound of its own. Values:
// nobody owns them.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "conf/complaint.h"

namespace conf {

struct Member;

struct Node {
  enum class Kind : std::uint8_t { flag, integer, fraction, text, time, list, table };

  Kind kind = Kind::table;
  Place place;
  bool flag = false;
  std::int64_t integer = 0;
  std::string text;  ///< of a text: without quotation marks; else as written, on its first line
  std::vector<Node> items;      ///< of a list
  std::vector<Member> members;  ///< of a table, in the order of the file

  /// Null when there is none.
  [[nodiscard]] const Member* find(std::string_view key) const;
};

struct Member {
  std::string key;
  Place place;  ///< of the key
  Node value;
};

/// "a list", "a number": for sentences.
std::string_view to_text(Node::Kind kind);

inline constexpr std::size_t document_size_most = std::size_t{256} * 1024;  ///< octets
inline constexpr std::size_t document_depth_most = 32;  ///< brackets inside brackets, dots in a key

/// Every syntax error in one run. The root is a table.
std::expected<Node, Complaints> parse_document(std::string_view text, const Source& source);

}  // namespace conf
