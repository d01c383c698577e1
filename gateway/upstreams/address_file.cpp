// Writing and reading the file of addresses.
#include "gateway/upstreams/address_file.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <format>
#include <system_error>

#include "base/bytes.h"
#include "conf/urls.h"
#include "transports/descriptor.h"

namespace gateway::upstreams {
namespace {

constexpr std::string_view first_line = "sallyport addresses 1\n";
constexpr std::string_view digest_word = "sha256 ";
constexpr std::size_t size_most = 256 * 1024;

std::string digest_of(std::string_view text) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(base::as_bytes(text).data(), text.size(), digest.data());
  std::string hex;
  for (const std::uint8_t octet : digest) hex += std::format("{:02x}", octet);
  return hex;
}

std::string joined(const auto& values) {
  std::string out;
  for (const auto& value : values) out += (out.empty() ? "" : ",") + value.to_text();
  return out;
}

/// Up to `mark`, which has to be there; the rest is left in `text`.
std::optional<std::string_view> take_until(std::string_view& text, char mark) {
  const std::size_t end = text.find(mark);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end + 1);
  return taken;
}

/// All of a list, read by `read`; false for an empty one, and for one that is not as we write it.
template <class T>
bool read_list(std::string_view text, std::vector<T>& out, auto read) {
  for (std::string rest{text}; !rest.empty();) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const auto value = read(std::string_view{rest}.substr(0, end));
    if (!value) return false;
    out.push_back(*value);
    rest.erase(0, end + 1);
  }
  return !out.empty() && joined(out) == text;
}

std::optional<AddressRow> read_row(std::string_view line) {
  AddressRow row;
  const auto host = take_until(line, ' ');
  const auto expires = take_until(line, ' ');
  const auto resolvers = take_until(line, ' ');
  if (!resolvers || !conf::is_host_name(*host)) return std::nullopt;
  row.host = *host;
  const auto [end, error] =
      std::from_chars(expires->data(), expires->data() + expires->size(), row.expires);
  if (error != std::errc{} || end != expires->data() + expires->size()) return std::nullopt;
  const auto of_a_host = [](std::string_view text) {
    const auto address = base::Address::from_text(text);
    return address && is_of_a_host(*address) ? address : std::nullopt;
  };
  if (!read_list(*resolvers, row.resolvers, &conf::read_resolver)) return std::nullopt;
  if (!read_list(line, row.addresses, of_a_host)) return std::nullopt;
  return row;
}

std::string what_failed(std::string_view verb, const std::string& path) {
  return std::format("cannot {} {}: {}", verb, path, std::generic_category().message(errno));
}

bool write_whole(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(descriptor, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return ::fsync(descriptor) == 0;
}

}  // namespace

std::string sealed(std::string_view lines) {
  const std::string text = std::format("{}{}", first_line, lines);
  return std::format("{}{}{}\n", text, digest_word, digest_of(text));
}

std::string print_addresses(std::span<const AddressRow> rows) {
  std::string lines;
  for (const AddressRow& row : rows) {
    lines += std::format("{} {} {} {}\n", row.host, row.expires, joined(row.resolvers),
                         joined(row.addresses));
  }
  return sealed(lines);
}

std::expected<std::vector<AddressRow>, std::string> parse_addresses(std::string_view text) {
  const std::size_t digest_size = digest_word.size() + 2 * SHA256_DIGEST_LENGTH + 1;
  if (!text.starts_with(first_line)) return std::unexpected("it is not of this version");
  if (text.size() < first_line.size() + digest_size) return std::unexpected("it is not whole");
  std::string_view rows = text.substr(0, text.size() - digest_size);
  if (text.substr(rows.size()) != std::format("{}{}\n", digest_word, digest_of(rows)))
    return std::unexpected("its checksum is wrong");
  rows.remove_prefix(first_line.size());
  std::vector<AddressRow> out;
  while (!rows.empty()) {
    const auto line = take_until(rows, '\n');
    auto row = line ? read_row(*line) : std::nullopt;
    if (!row) return std::unexpected(std::format("line {} cannot be read", out.size() + 2));
    out.push_back(*std::move(row));
  }
  return out;
}

std::expected<std::vector<AddressRow>, std::string> load_addresses(const std::string& path) {
  const transports::Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file.is_open() && errno == ENOENT) return std::vector<AddressRow>{};
  if (!file.is_open()) return std::unexpected(what_failed("open", path));
  std::string text;
  std::array<char, 16384> chunk;
  for (ssize_t size = 1; size != 0 && text.size() <= size_most;) {
    size = ::read(file.get(), chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::unexpected(what_failed("read", path));
    text.append(chunk.data(), static_cast<std::size_t>(size));
  }
  if (text.size() > size_most) return std::unexpected("it is too long");
  return parse_addresses(text);
}

std::expected<void, std::string> save_addresses(const std::string& path,
                                                std::span<const AddressRow> rows) {
  const std::string written = path + ".new";
  const transports::Descriptor file{
      ::open(written.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file.is_open() || ::fchmod(file.get(), 0600) != 0)
    return std::unexpected(what_failed("create", written));
  std::expected<void, std::string> saved;
  if (!write_whole(file.get(), print_addresses(rows))) {
    saved = std::unexpected(what_failed("write", written));
  } else if (::rename(written.c_str(), path.c_str()) != 0) {
    saved = std::unexpected(what_failed("replace", path));
  }
  if (!saved) {
    ::unlink(written.c_str());
    return saved;
  }
  const std::string folder = std::filesystem::path(path).parent_path();
  const transports::Descriptor directory{
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory.is_open() || ::fsync(directory.get()) != 0)
    return std::unexpected(what_failed("write", folder));
  return saved;
}

}  // namespace gateway::upstreams
