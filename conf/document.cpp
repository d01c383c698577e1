// TOML 1.0 text to nodes, and the library's errors to complaints. The only file that includes the
// TOML library.
#include "conf/document.h"

#include <algorithm>
#include <array>
#include <format>
#include <optional>
#include <toml.hpp>
#include <utility>

#include "base/utf8.h"

namespace conf {
namespace {

/// The library's own types, under a name of ours, for which two of its functions are replaced
/// below.
struct TomlTypes : toml::type_config {};

/// Thrown when a file has more errors than anybody reads.
struct TooManyErrors {
  std::vector<toml::error_info> errors;
};

using TomlValue = toml::basic_value<TomlTypes>;

constexpr std::size_t errors_most = 50;

}  // namespace
}  // namespace conf

namespace toml::detail {

/// The library's (4.4) does not advance at a comment while it recovers from an error, and never
/// returns: `a = [[x # y`. This one skips comments and empty lines.
template <>
void skip_comment_block<conf::TomlTypes>(location& at, const context<conf::TomlTypes>& context) {
  while (!at.eof()) {
    skip_whitespace(at, context);
    if (at.eof() || (at.current() != '#' && at.current() != '\r' && at.current() != '\n')) return;
    while (!at.eof() && at.current() != '\n') at.advance();
    if (!at.eof()) at.advance();
  }
}

/// Recovery may come back to where it was; then it reports without end. The library's vector has no
/// bound.
template <>
void context<conf::TomlTypes>::report_error(error_info error) {
  errors_.push_back(std::move(error));
  if (errors_.size() >= conf::errors_most) throw conf::TooManyErrors{std::move(errors_)};
}

}  // namespace toml::detail

namespace conf {
namespace {

/// The library descends for each bracket and each dot, and so do its destructors; so what would
/// exhaust the stack is refused before it sees it. Strings and comments are skipped as TOML 1.0
/// defines them.
class DepthScan {
 public:
  explicit DepthScan(std::string_view text) : text_(text) {}

  /// The line that nests too deeply.
  std::optional<std::size_t> too_deep() {
    while (at_ < text_.size()) {
      step(text_[at_]);
      if (depth_ > document_depth_most || dots_ > document_depth_most) return line_;
    }
    return std::nullopt;
  }

 private:
  void step(char c) {
    switch (c) {
      case '"': return skip_string('"', true);
      case '\'': return skip_string('\'', false);
      case '#': at_ = std::min(text_.find('\n', at_), text_.size()); return;
      case '[':
      case '{': ++depth_; break;
      case ']':
      case '}': depth_ -= depth_ == 0 ? 0 : 1; break;
      case '.': ++dots_; break;
      case '\n': ++line_; [[fallthrough]];
      case '=':
      case ',': dots_ = 0; break;
      default: break;
    }
    ++at_;
  }

  void skip_string(char quote, bool escapes) {
    const std::string three(3, quote);
    const bool several_lines = text_.substr(at_).starts_with(three);
    at_ += several_lines ? 3 : 1;
    while (at_ < text_.size()) {
      if (escapes && text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
        at_ += 2;
      } else if (several_lines && text_.substr(at_).starts_with(three)) {
        at_ += 3;
        return;
      } else if (!several_lines && (text_[at_] == quote || text_[at_] == '\n')) {
        at_ += text_[at_] == quote ? 1 : 0;
        return;
      } else {
        line_ += text_[at_] == '\n' ? 1 : 0;
        ++at_;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t depth_ = 0;
  std::size_t dots_ = 0;
};

/// What the library says, and what a person can use.
struct Translation {
  std::string_view theirs;  ///< a part of their title
  std::string_view message;
  std::string_view suggestion;
};

constexpr std::array<Translation, 14> translations{{
    {"newline (LF / CRLF) or EOF is expected", "this does not belong here",
     "one `key = value` a line; text, durations, sizes and addresses stand in quotation marks"},
    {"unknown value appeared", "this is not a value",
     "text, durations, sizes and addresses stand in quotation marks, lists in brackets; `true` and "
     "`false` in small letters"},
    {"parse_basic_string", "this string does not end, or holds what must not be in it",
     "end it with `\"`; write a backslash as `\\\\`"},
    {"parse_ml_basic_string", "this string does not end, or holds what must not be in it",
     "end it with `\"\"\"`"},
    {"parse_literal_string", "this string does not end, or holds what must not be in it",
     "end it with `'`"},
    {"parse_ml_literal_string", "this string does not end, or holds what must not be in it",
     "end it with `'''`"},
    {"failed to insert a value", "this key is given twice", "keep one of the two"},
    {"failed to insert a table", "this table is given twice", "put all its keys below one heading"},
    {"failed to insert an array of tables", "this table is given twice",
     "a table is either `[name]` or, for a list, `[[name]]`"},
    {"expected value-separator", "this list does not go on",
     "put `,` between its items and `]` at its end"},
    {"parse_inline_table", "this table in braces does not go on",
     "put `,` between its keys and `}` at its end, all on one line"},
    {"invalid table key", "this heading does not end",
     "a table is `[name]`, a list of tables is `[[name]]`"},
    {"invalid key value separator", "there is no `=` behind this key", "write `key = value`"},
    {"invalid key", "this is not a key",
     "write `key = value`; a key is made of letters, digits, `_` and `-`"},
}};

std::string without_function(std::string_view title) {
  if (title.starts_with("toml::")) {
    if (const std::size_t colon = title.find(": "); colon != std::string_view::npos)
      title.remove_prefix(colon + 2);
  }
  return std::string{title};
}

/// For a text without quotation marks (`query_timeout = 30s`), the line with them.
std::optional<std::string> in_quotation_marks(std::string_view title, std::string_view line) {
  const std::size_t equals = line.find('=');
  const bool about_value = title.contains("newline (LF / CRLF) or EOF is expected") ||
                           title.contains("unknown value appeared");
  if (!about_value || equals == std::string_view::npos) return std::nullopt;
  const auto trimmed = [](std::string_view text) {
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    return text;
  };
  const std::string_view value = trimmed(line.substr(equals + 1));
  if (value.empty() || value.find_first_of("\"'[]{}=#,\\") != std::string_view::npos)
    return std::nullopt;
  return std::format("did you mean `{} = \"{}\"`?", trimmed(line.substr(0, equals)), value);
}

Complaint translate(const toml::error_info& error, const Source& source) {
  const auto& locations = error.locations();
  Place place;
  std::string message = without_function(error.title());
  std::string suggestion;
  if (!locations.empty()) {
    const toml::source_location& where = locations.front().first;
    place = source.place(where.first_line_number(), where.first_column_number(), where.length());
  }
  const auto known = std::ranges::find_if(translations, [&error](const Translation& row) {
    return error.title().contains(row.theirs);
  });
  if (known != translations.end()) {
    message = known->message;
    suggestion = known->suggestion;
  } else if (!locations.empty()) {
    suggestion = locations.front().second;
  }
  if (const auto quoted = in_quotation_marks(error.title(), source.line(place.line)))
    suggestion = *quoted;
  if (locations.size() > 1)
    message += std::format(", first on line {}", locations[1].first.first_line_number());
  return source.complaint(place, std::move(message), std::move(suggestion));
}

/// From the library's values to nodes.
class Converter {
 public:
  explicit Converter(const Source& source) : source_(source) {}

  [[nodiscard]] Node node(const TomlValue& value) const {
    Node out;
    const toml::source_location where = value.location();
    out.place =
        source_.place(where.first_line_number(), where.first_column_number(), where.length());
    switch (value.type()) {
      case toml::value_t::boolean:
        out.kind = Node::Kind::flag;
        out.flag = value.as_boolean();
        break;
      case toml::value_t::integer:
        out.kind = Node::Kind::integer;
        out.integer = value.as_integer();
        break;
      case toml::value_t::floating: out.kind = Node::Kind::fraction; break;
      case toml::value_t::string:
        out.kind = Node::Kind::text;
        out.text = value.as_string();
        return out;
      case toml::value_t::array:
        out.kind = Node::Kind::list;
        for (const TomlValue& item : value.as_array()) out.items.push_back(node(item));
        break;
      case toml::value_t::table: members(value, out); break;
      default: out.kind = Node::Kind::time; break;
    }
    out.text = source_.line(out.place.line).substr(octet_of(out.place), where.length());
    return out;
  }

 private:
  void members(const toml::value& table, Node& out) const {
    out.kind = Node::Kind::table;
    for (const auto& [key, value] : table.as_table()) {
      Member member{.key = key, .place = {}, .value = node(value)};
      member.place = key_place(key, member.value.place);
      out.members.push_back(std::move(member));
    }
    std::ranges::sort(out.members, {}, [](const Member& member) {
      return std::pair{member.place.line, member.place.column};
    });
  }

  /// A value begins on its key's line (TOML 1.0, "Key/Value Pair"), and a heading is the place of
  /// its table; so the key is the last such word before the value, or the first one in the heading.
  [[nodiscard]] Place key_place(const std::string& key, Place value) const {
    const std::string_view line = source_.line(value.line);
    const std::size_t before = octet_of(value);
    std::size_t found = line.substr(0, before).rfind(key);
    if (found == std::string_view::npos) found = line.find(key, before);
    if (found == std::string_view::npos || key.empty()) return value;
    return source_.place(value.line, found + 1, key.size());
  }

  /// From code points back to octets.
  [[nodiscard]] std::size_t octet_of(Place place) const {
    std::string_view line = source_.line(place.line);
    std::size_t octets = 0;
    for (std::uint32_t column = 1; column < place.column && octets < line.size(); ++column) {
      octets += base::utf8_front(line.substr(octets)).size;
    }
    return octets;
  }

  const Source& source_;
};

}  // namespace

const Member* Node::find(std::string_view key) const {
  const auto found = std::ranges::find(members, key, &Member::key);
  return found == members.end() ? nullptr : &*found;
}

std::string_view to_text(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::flag: return "true or false";
    case Node::Kind::integer: return "a whole number";
    case Node::Kind::fraction: return "a number with a fraction";
    case Node::Kind::text: return "text";
    case Node::Kind::time: return "a date or a time";
    case Node::Kind::list: return "a list";
    case Node::Kind::table: return "a table";
  }
  std::unreachable();
}

std::expected<Node, Complaints> parse_document(std::string_view text, const Source& source) {
  if (text.size() > document_size_most) {
    return std::unexpected(Complaints{
        source.complaint({}, "the file is larger than 256 KiB", "is it the right file?")});
  }
  if (const auto line = DepthScan{text}.too_deep()) {
    return std::unexpected(
        Complaints{source.complaint(source.place(*line, 1, 1), "this is nested too deeply",
                                    "no key of ours is more than three levels deep")});
  }
  std::vector<toml::error_info> errors;
  try {
    std::vector<unsigned char> octets(text.begin(), text.end());
    const auto parsed =
        toml::try_parse<TomlTypes>(std::move(octets), source.name(), toml::spec::v(1, 0, 0));
    if (parsed.is_ok()) return Converter{source}.node(parsed.unwrap());
    errors = parsed.unwrap_err();
  } catch (TooManyErrors& many) {
    errors = std::move(many.errors);
  }
  Complaints complaints;
  for (const toml::error_info& error : errors) {
    Complaint complaint = translate(error, source);
    if (!std::ranges::contains(complaints, complaint)) complaints.push_back(std::move(complaint));
  }
  return std::unexpected(std::move(complaints));
}

}  // namespace conf
