// The kinds of single values: durations, sizes, counts, words and files.
#include "conf/kinds.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <format>
#include <system_error>

#include "base/utf8.h"
#include "conf/spelling.h"
#include "conf/urls.h"

namespace conf {
namespace {

void refuse_kind(const Node& node, std::string_view wanted, std::string suggestion,
                 Reading& reading) {
  reading.complain(node.place, std::format("{} is wanted here, not {}", wanted, to_text(node.kind)),
                   std::move(suggestion));
}

/// Refused, not trimmed; both bounds are said.
template <class T>
std::optional<T> bounded(T value, const Bounds<T>& bounds, const Node& node, auto print,
                         Reading& reading) {
  if (value >= bounds.least && value <= bounds.most) return value;
  reading.complain(node.place,
                   std::format("`{}` is out of bounds",
                               node.kind == Node::Kind::text ? node.text : print(value)),
                   std::format("at least {}, at most {}", print(bounds.least), print(bounds.most)));
  return std::nullopt;
}

/// A text, or else a complaint; about a number that lacks only its unit, with the likeliest one.
template <class T>
std::optional<std::string> text_with_unit(const Node& node, std::string_view noun,
                                          const Bounds<T>& bounds, const std::string& usual,
                                          Reading& reading) {
  if (node.kind == Node::Kind::text) return node.text;
  const bool number = node.kind == Node::Kind::integer;
  const auto meant = number ? with_likely_unit(node.integer, bounds) : std::nullopt;
  reading.complain(node.place,
                   number ? std::format("{} is a text with its unit, not a number", noun)
                          : std::format("{} is wanted here, not {}", noun, to_text(node.kind)),
                   meant ? std::format("did you mean `\"{}\"`?", *meant)
                         : std::format("write it like `\"{}\"`", usual));
  return std::nullopt;
}

template <class Duration>
Kind<Duration> duration_of(Bounds<Duration> bounds, std::string_view noun) {
  const auto print = [](Duration value) { return duration_to_text(value); };
  return {
      .read = [bounds, noun, print](const Node& node, Reading& reading) -> std::optional<Duration> {
        const Bounds<std::chrono::milliseconds> exact{bounds.usual, bounds.least, bounds.most};
        const auto text = text_with_unit(node, noun, exact, print(bounds.usual), reading);
        if (!text) return std::nullopt;
        const auto parsed = parse_duration(*text);
        if (!parsed) {
          reading.complain(node.place, parsed.error());
          return std::nullopt;
        }
        const auto value = std::chrono::floor<Duration>(*parsed);
        if (value != *parsed) {
          reading.complain(node.place, std::format("`{}` is not a number of whole seconds", *text),
                           "times to live are counted in seconds");
          return std::nullopt;
        }
        return bounded(value, bounds, node, print, reading);
      },
      .print = [print](const Duration& value) { return toml_string(print(value)); },
      .accepts = std::format("{} to {}", print(bounds.least), print(bounds.most))};
}

struct Descriptor {
  explicit Descriptor(const std::string& path)
      : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number;
};

std::string what_errno_says() { return std::generic_category().message(errno); }

/// The first 64 KiB, which is where the first PEM block begins; or why not.
std::expected<std::string, Refusal> head_of_file(const std::string& path,
                                                 const std::string& where_relative) {
  const Descriptor file{path};
  struct stat facts{};
  if (file.number < 0 || ::fstat(file.number, &facts) != 0) {
    const int error = errno;
    return std::unexpected(Refusal{std::format("`{}` cannot be read: {}", path, what_errno_says()),
                                   error == EACCES ? "may the user that Sallyport runs as read it?"
                                   : error == ENOENT ? where_relative
                                                     : ""});
  }
  if (!S_ISREG(facts.st_mode))
    return std::unexpected(Refusal{std::format("`{}` is not a file", path), ""});
  std::string head(std::size_t{64} * 1024, '\0');
  const ssize_t size = ::read(file.number, head.data(), head.size());
  if (size < 0)
    return std::unexpected(
        Refusal{std::format("`{}` cannot be read: {}", path, what_errno_says()), ""});
  head.resize(static_cast<std::size_t>(size));
  return head;
}

/// The same for a file as the configuration names it.
std::expected<std::string, Refusal> head_of_named_file(const std::string& text,
                                                       const Reading& reading) {
  return head_of_file(reading.path(text),
                      text.starts_with('/')
                          ? ""
                          : std::format("relative paths begin at `{}`", reading.directory()));
}

std::string_view pem_kind_of(std::string_view head) {
  if (head.contains("PRIVATE KEY-----")) return "a private key";
  if (head.contains("-----BEGIN CERTIFICATE REQUEST-----")) return "a request for a certificate";
  if (head.contains("-----BEGIN CERTIFICATE-----")) return "a certificate";
  return "no PEM file";
}

/// RFC 7617 §2: no control characters, and no colon in the user's name.
bool is_login(std::string_view text) {
  constexpr std::size_t size_most = 255;
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text.size() <= size_most && text.find(':') != std::string_view::npos && text[0] != ':' &&
         std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// One of a few words; `others` are kinds of values that get a hint of their own.
std::optional<std::string> read_word(const Node& node, const std::vector<std::string>& words,
                                     Reading& reading) {
  const std::vector<std::string_view> known(words.begin(), words.end());
  std::string all;
  for (const std::string& word : words)
    all += std::format("{}`\"{}\"`", all.empty() ? "one of " : ", ", word);
  if (node.kind != Node::Kind::text) {
    const bool forgot = std::ranges::contains(words, node.text);
    refuse_kind(node, "text in quotation marks",
                forgot ? std::format("write `\"{}\"`", node.text) : all, reading);
    return std::nullopt;
  }
  if (std::ranges::contains(words, node.text)) return node.text;
  const auto meant = nearest(node.text, known);
  reading.complain(node.place, std::format("`{}` is not known here", node.text),
                   meant ? std::format("did you mean `\"{}\"`? ({})", *meant, all) : all);
  return std::nullopt;
}

template <class T>
Kind<T> word_kind(const std::vector<std::pair<T, std::string>>& meanings) {
  std::vector<std::string> words;
  for (const auto& [value, word] : meanings) words.push_back(word);
  std::string accepts;
  for (const std::string& word : words)
    accepts += std::format("{}{}", accepts.empty() ? "" : ", ", word);
  return {.read = [meanings, words](const Node& node, Reading& reading) -> std::optional<T> {
            const auto word = read_word(node, words, reading);
            if (!word) return std::nullopt;
            return std::ranges::find(meanings, *word, &std::pair<T, std::string>::second)->first;
          },
          .print =
              [meanings](const T& value) {
                return toml_string(
                    std::ranges::find(meanings, value, &std::pair<T, std::string>::first)->second);
              },
          .accepts = accepts};
}

}  // namespace

std::optional<std::string> read_text(const Node& node, std::string_view like, Reading& reading) {
  if (node.kind == Node::Kind::text) return node.text;
  refuse_kind(node, "text in quotation marks", std::format("write it like `{}`", like), reading);
  return std::nullopt;
}

std::string toml_string(std::string_view text) {
  return base::json_quoted(text);
}  // a TOML basic string escapes alike

Kind<std::chrono::milliseconds> duration(Bounds<std::chrono::milliseconds> bounds) {
  return duration_of(bounds, "a duration");
}
Kind<std::chrono::seconds> whole_seconds(Bounds<std::chrono::seconds> bounds) {
  return duration_of(bounds, "a duration");
}

Kind<std::uint64_t> size(Bounds<std::uint64_t> bounds) {
  return {
      .read = [bounds](const Node& node, Reading& reading) -> std::optional<std::uint64_t> {
        const auto text =
            text_with_unit(node, "a size", bounds, size_to_text(bounds.usual), reading);
        if (!text) return std::nullopt;
        const auto parsed = parse_size(*text);
        if (parsed) return bounded(*parsed, bounds, node, size_to_text, reading);
        reading.complain(node.place, parsed.error());
        return std::nullopt;
      },
      .print = [](const std::uint64_t& value) { return toml_string(size_to_text(value)); },
      .accepts = std::format("{} to {}", size_to_text(bounds.least), size_to_text(bounds.most))};
}

Kind<std::uint32_t> count(Bounds<std::uint32_t> bounds) {
  return {.read = [bounds](const Node& node, Reading& reading) -> std::optional<std::uint32_t> {
            if (node.kind == Node::Kind::integer) {
              const Bounds<std::int64_t> wide{bounds.usual, bounds.least, bounds.most};
              const auto value = bounded(
                  node.integer, wide, node,
                  [](std::int64_t number) { return std::to_string(number); }, reading);
              return value ? std::optional{static_cast<std::uint32_t>(*value)} : std::nullopt;
            }
            const bool digits = node.kind == Node::Kind::text && !node.text.empty() &&
                                node.text.find_first_not_of("0123456789") == std::string::npos;
            refuse_kind(node, "a whole number",
                        digits ? std::format("write `{}` without quotation marks", node.text)
                               : std::format("from {} to {}", bounds.least, bounds.most),
                        reading);
            return std::nullopt;
          },
          .print = [](const std::uint32_t& value) { return std::to_string(value); },
          .accepts = std::format("{} to {}", bounds.least, bounds.most)};
}

Kind<bool> flag() {
  return {.read = [](const Node& node, Reading& reading) -> std::optional<bool> {
            if (node.kind == Node::Kind::flag) return node.flag;
            refuse_kind(node, "`true` or `false`",
                        node.kind == Node::Kind::text ? "without quotation marks" : "", reading);
            return std::nullopt;
          },
          .print = [](const bool& value) { return std::string{value ? "true" : "false"}; },
          .accepts = "true or false"};
}

Kind<std::string> choice(const std::vector<std::string>& words) {
  std::vector<std::pair<std::string, std::string>> meanings;
  for (const std::string& word : words) meanings.emplace_back(word, word);
  return word_kind(meanings);
}

Kind<DohMethod> doh_method() {
  return word_kind<DohMethod>({{DohMethod::post, "post"}, {DohMethod::get, "get"}});
}

Kind<std::optional<Protocol>> fallback() {
  return word_kind<std::optional<Protocol>>(
      {{std::nullopt, "none"}, {Protocol::dot, "tls"}, {Protocol::doh, "https"}});
}

Kind<Strategy> strategy() {
  return word_kind<Strategy>({{Strategy::failover, "failover"},
                              {Strategy::fastest, "fastest"},
                              {Strategy::hash, "hash"},
                              {Strategy::random, "random"},
                              {Strategy::race2, "race2"}});
}

Kind<std::string> set_name() {
  constexpr std::size_t size_most = 40;
  return {.read = [](const Node& node, Reading& reading) -> std::optional<std::string> {
            const auto text = read_text(node, "\"inner\"", reading);
            if (!text) return text;
            const bool good = std::ranges::all_of(*text, [](unsigned char c) {
              return std::isdigit(c) != 0 || c == '-' || c == '_' || (c >= 'a' && c <= 'z');
            });
            if (good && !text->empty() && text->size() <= size_most) return text;
            reading.complain(node.place, std::format("`{}` is no name for a set", *text),
                             "small letters, digits and hyphens, 40 at most, like `\"inner\"`");
            return std::nullopt;
          },
          .print = [](const std::string& value) { return toml_string(value); },
          .accepts = "a word of small letters, digits and hyphens"};
}

Kind<base::LogLevel> log_level() {
  std::vector<std::pair<base::LogLevel, std::string>> meanings;
  for (const auto& [level, name] : base::log_levels) meanings.emplace_back(level, name);
  return word_kind(meanings);
}

Kind<base::LogFormat> log_format() {
  return word_kind<base::LogFormat>(
      {{base::LogFormat::text, "text"}, {base::LogFormat::json, "json"}});
}

Kind<std::string> host_name() {
  return {.read = [](const Node& node, Reading& reading) -> std::optional<std::string> {
            const auto text = read_text(node, "\"dns.example.org\"", reading);
            if (!text || text->empty() || is_host_name(*text)) return text;
            const bool only_dot = text->ends_with('.') &&
                                  is_host_name(std::string_view{*text}.substr(0, text->size() - 1));
            const bool ascii = std::ranges::all_of(
                *text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
            reading.complain(
                node.place, std::format("`{}` is not a host name", *text),
                only_dot ? std::format("write `\"{}\"`", text->substr(0, text->size() - 1))
                : ascii  ? "letters, digits and hyphens between dots, like `\"dns.example.org\"`"
                         : "write it in ASCII, as `xn--…`");
            return std::nullopt;
          },
          .print = [](const std::string& value) { return toml_string(value); },
          .accepts = "a host name, or \"\" for none"};
}

Kind<std::string> readable_file(std::string_view holds, std::string_view mark) {
  return {.read = [holds, mark](const Node& node, Reading& reading) -> std::optional<std::string> {
            const auto text = read_text(node, "\"/etc/sallyport/file.pem\"", reading);
            if (!text || text->empty()) return text;
            const std::string path = reading.path(*text);
            const auto head = head_of_named_file(*text, reading);
            if (!head) {
              reading.complain(node.place, head.error());
            } else if (!head->contains(mark)) {
              reading.complain(
                  node.place,
                  std::format("`{}` is {}, and {} is wanted here", path, pem_kind_of(*head), holds),
                  std::format("a file with the line `{}` in it", mark));
            } else {
              return path;
            }
            return std::nullopt;
          },
          .print = toml_string,
          .accepts = std::format("a PEM file with {}", holds)};
}

Kind<std::string> login_file() {
  return {.read = [](const Node& node, Reading& reading) -> std::optional<std::string> {
            const auto text = read_text(node, "\"/etc/sallyport/proxy.login\"", reading);
            if (!text || text->empty()) return text;
            const std::string path = reading.path(*text);
            const auto head = head_of_named_file(*text, reading);
            if (!head) {
              reading.complain(node.place, head.error());
              return std::nullopt;
            }
            if (is_login(*head)) return path;
            reading.complain(node.place, std::format("`{}` holds no user and password", path),
                             "one line of at most 255 characters, `user:password`");
            return std::nullopt;
          },
          .print = toml_string,
          .accepts = "a file with the line user:password"};
}

Kind<std::string> new_file() {
  return {.read = [](const Node& node, Reading& reading) -> std::optional<std::string> {
            const auto text = read_text(node, "\"/var/log/sallyport.log\"", reading);
            if (!text || text->empty()) return text;
            const std::filesystem::path path{reading.path(*text)};
            const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
            std::error_code error;
            if (std::filesystem::is_directory(path, error)) {
              reading.complain(node.place, std::format("`{}` is a directory", path.string()),
                               "name a file in it");
            } else if (!std::filesystem::is_directory(parent, error)) {
              reading.complain(node.place,
                               std::format("there is no directory `{}`", parent.string()),
                               "make it, or write another path");
            } else {
              return path.string();
            }
            return std::nullopt;
          },
          .print = toml_string,
          .accepts = "a file, or \"\" for standard error"};
}

Kind<std::string> directory() {
  return {.read = [](const Node& node, Reading& reading) -> std::optional<std::string> {
            const auto text = read_text(node, "\"/var/lib/sallyport\"", reading);
            if (!text || text->empty()) return text;
            const std::string path = reading.path(*text);
            std::error_code error;
            if (!std::filesystem::exists(path, error) || std::filesystem::is_directory(path, error))
              return path;
            reading.complain(node.place, std::format("`{}` is not a directory", path));
            return std::nullopt;
          },
          .print = toml_string,
          .accepts = "a directory"};
}

}  // namespace conf
