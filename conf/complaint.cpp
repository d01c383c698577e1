// Complaints as people read them.
#include "conf/complaint.h"

#include <algorithm>
#include <format>

#include "base/utf8.h"

namespace conf {
namespace {

constexpr std::string_view ellipsis = "\xe2\x80\xa6";
constexpr std::size_t window = 96;        // code points of a source line that are shown
constexpr std::size_t before_place = 32;  // of them before the place when the line is cut

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(base::utf8_front(text).size);
  return count;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const base::Utf8 front = base::utf8_front(text);
    if (front.valid && base::is_printable(front.value)) {
      out += text.substr(0, front.size);
    } else {
      out += front.value == U'\t' ? ' ' : '?';
    }
    text.remove_prefix(front.size);
  }
  return out;
}

/// `count` code points of a printable text from `first` on.
std::string_view slice(std::string_view text, std::size_t first, std::size_t count) {
  for (; first > 0 && !text.empty(); --first) text.remove_prefix(base::utf8_front(text).size);
  std::size_t octets = 0;
  for (; count > 0 && octets < text.size(); --count)
    octets += base::utf8_front(text.substr(octets)).size;
  return text.substr(0, octets);
}

}  // namespace

std::string Complaint::to_text() const {
  std::string out = file;
  if (line != 0) out += std::format(":{}:{}", line, column);
  out += std::format(": {}\n", message);
  if (line != 0) {
    const std::size_t length = code_points(source_line);
    const std::size_t indent = column - 1;
    const std::size_t cut = length <= window || indent <= before_place ? 0 : indent - before_place;
    const bool goes_on = cut + window < length;
    const std::size_t shift = indent - cut + (cut > 0 ? 1 : 0);
    const std::size_t underlined =
        std::clamp<std::size_t>(width, 1, std::max<std::size_t>(cut + window, indent + 1) - indent);
    out += std::format("{:>5} | {}{}{}\n", line, cut > 0 ? ellipsis : "",
                       slice(source_line, cut, window), goes_on ? ellipsis : "");
    out += std::format("      | {}{}\n", std::string(shift, ' '), std::string(underlined, '^'));
  }
  if (!suggestion.empty()) out += std::format("      = {}\n", suggestion);
  return out;
}

Source::Source(std::string_view text, std::string name) : name_(std::move(name)) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view content = text.substr(0, end);
    if (content.ends_with('\r')) content.remove_suffix(1);
    lines_.emplace_back(content);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string_view Source::line(std::uint32_t number) const {
  return number >= 1 && number <= lines_.size() ? std::string_view{lines_[number - 1]}
                                                : std::string_view{};
}

Place Source::place(std::size_t line_number, std::size_t octet_column, std::size_t octets) const {
  const std::size_t known =
      std::clamp<std::size_t>(line_number, 1, std::max<std::size_t>(lines_.size(), 1));
  const std::string_view content = line(static_cast<std::uint32_t>(known));
  const std::size_t before =
      known < line_number ? content.size()
                          : std::min(std::max<std::size_t>(octet_column, 1) - 1, content.size());
  const std::size_t width = code_points(content.substr(before, octets));
  return {.line = static_cast<std::uint32_t>(known),
          .column = static_cast<std::uint32_t>(code_points(content.substr(0, before)) + 1),
          .width = static_cast<std::uint32_t>(std::max<std::size_t>(width, 1))};
}

Complaint Source::complaint(Place place, std::string_view message,
                            std::string_view suggestion) const {
  return {.file = name_,
          .line = place.line,
          .column = place.line == 0 ? 0 : place.column,
          .width = place.width,
          .source_line = printable(line(place.line)),
          .message = printable(message),
          .suggestion = printable(suggestion)};
}

}  // namespace conf
