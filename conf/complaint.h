// One thing that is wrong with a configuration, told to a person. Values: nobody owns them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace conf {

/// Where in a file, as an editor counts: lines and columns from 1, columns in code points.
struct Place {
  std::uint32_t line = 0;  ///< 0 when it is the whole file
  std::uint32_t column = 0;
  std::uint32_t width = 1;  ///< how much to underline; never beyond the line

  auto operator<=>(const Place&) const = default;
};

/// For a person: to_text() prints file, line, the line itself, a caret below the place and what to
/// do.
struct Complaint {
  std::string file;
  std::uint32_t line = 0;    ///< from 1; 0 when it concerns the whole file
  std::uint32_t column = 0;  ///< from 1, in code points
  std::uint32_t width = 1;   ///< how much to underline
  std::string source_line;   ///< printable: tabs are spaces, control characters "?"
  std::string message;       ///< "unknown key `lisen`"
  std::string suggestion;    ///< "did you mean `listen`?"; may be empty

  /// Two to four lines, each with a line feed; a long source line is cut to what surrounds the
  /// place.
  [[nodiscard]] std::string to_text() const;

  bool operator==(const Complaint&) const = default;
};

using Complaints = std::vector<Complaint>;

/// A file's text cut into lines, from which complaints take theirs.
class Source {
 public:
  Source(std::string_view text, std::string name);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::size_t line_count() const { return lines_.size(); }
  /// As written, without its end; empty beyond the last line.
  [[nodiscard]] std::string_view line(std::uint32_t number) const;
  /// From a column in octets (as parsers count) to one in code points; `octets` is cut at the end
  /// of the line.
  [[nodiscard]] Place place(std::size_t line, std::size_t octet_column, std::size_t octets) const;
  [[nodiscard]] Complaint complaint(Place place, std::string_view message,
                                    std::string_view suggestion = {}) const;

 private:
  std::string name_;
  std::vector<std::string> lines_;
};

}  // namespace conf
