// The PROXY protocol: a line, or a binary block. HAProxy's proxy-protocol.txt §2; RFC 9260 appendix
// A for the checksum.
#include "transports/proxy_header.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace transports {

namespace {

constexpr std::array<std::uint8_t, 12> signature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::string_view line_begin = "PROXY ";
constexpr std::size_t fixed_size = 16;  // signature, command, family, length
constexpr std::size_t extension_header_size = 3;
constexpr std::uint8_t checksum_type = 0x03;  // PP2_TYPE_CRC32C
constexpr std::uint16_t checksum_size = 4;

enum class Family : std::uint8_t { unspecified, v4, v6, local_socket };

/// How many octets a family's addresses have; nothing for one that does not exist.
constexpr std::optional<std::uint16_t> addresses_size(std::uint8_t family) {
  switch (static_cast<Family>(family)) {
    case Family::unspecified: return 0;
    case Family::v4: return 12;
    case Family::v6: return 36;
    case Family::local_socket: return 216;
  }
  return std::nullopt;
}

/// The text up to the next space, which is taken, too.
std::string_view next_word(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return word;
}

std::optional<std::uint16_t> read_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool plain = text.size() == 1 || !text.starts_with('0');
  if (error != std::errc{} || end != text.data() + text.size() || !plain) return std::nullopt;
  return port;
}

/// An address of the family that was announced, without a zone, which means nothing here.
std::optional<base::Address> read_address(std::string_view text, bool v6) {
  if (text.contains(':') != v6 || text.contains('%')) return std::nullopt;
  return base::Address::from_text(text);
}

}  // namespace

std::size_t ProxyHeader::take(base::Bytes octets) {
  std::size_t taken = 0;
  while (taken < octets.size() && state_ == State::more) step(octets[taken++]);
  return taken;
}

void ProxyHeader::step(std::uint8_t octet) {
  if (size_ == 0) kept_[0] = octet;
  kept_[0] == line_begin[0] ? step_line(octet) : step_binary(octet);
}

void ProxyHeader::step_line(std::uint8_t octet) {
  kept_[size_++] = octet;
  const bool begun_well = size_ > line_begin.size() ||
                          octet == static_cast<std::uint8_t>(line_begin[size_ - std::size_t{1}]);
  if (octet == '\n') return finish_line();
  if (!begun_well || size_ == line_size_max) state_ = State::invalid;
}

void ProxyHeader::finish_line() {
  state_ = State::invalid;
  std::string_view rest = base::as_text({kept_.data(), size_});
  if (!rest.starts_with(line_begin) || !rest.ends_with("\r\n")) return;
  rest.remove_prefix(line_begin.size());
  rest.remove_suffix(2);
  if (rest.contains('\r')) return;  // "must not tolerate a single CR"
  const std::string_view family = next_word(rest);
  if (family == "UNKNOWN") {  // whatever follows it
    state_ = State::complete;
    return;
  }
  if ((family != "TCP4" && family != "TCP6") || std::ranges::count(rest, ' ') != 3) return;
  const bool v6 = family == "TCP6";
  const auto source = read_address(next_word(rest), v6);
  const auto destination = read_address(next_word(rest), v6);
  const auto source_port = read_port(next_word(rest));
  const auto destination_port = read_port(rest);
  if (!source || !destination || !source_port || !destination_port) return;
  client_ = base::Endpoint{.address = *source, .port = *source_port};
  state_ = State::complete;
}

void ProxyHeader::step_binary(std::uint8_t octet) {
  if (size_ < kept_.size()) kept_[size_] = octet;
  const std::size_t at = size_++;
  if (at < signature.size() && octet != signature[at]) {
    state_ = State::invalid;
    return;
  }
  if (at >= addresses_end_) {
    step_extension(octet);
  } else {
    add_to_checksum(octet);
  }
  if (state_ == State::more && size_ == fixed_size) begin_rest();
  if (state_ == State::more && size_ == whole_ && size_ >= fixed_size) finish_binary();
}

/// The first 16 octets are here: which command, what follows, and how much.
void ProxyHeader::begin_rest() {
  const unsigned version = kept_[12] >> 4U;
  const unsigned command = kept_[12] & 0x0fU;
  const unsigned transport = kept_[13] & 0x0fU;
  const auto addresses = addresses_size(kept_[13] >> 4U);
  const std::uint16_t rest = base::load_u16(&kept_[14]);
  // LOCAL says nothing about anybody: "discard the protocol block including the family".
  const bool local = command == 0;
  const bool sound = version == 2 && command <= 1 && rest <= rest_size_max &&
                     (local || (transport <= 2 && addresses && *addresses <= rest));
  if (!sound) {
    state_ = State::invalid;
    return;
  }
  whole_ = static_cast<std::uint16_t>(fixed_size + rest);
  addresses_end_ = local ? whole_ : static_cast<std::uint16_t>(fixed_size + *addresses);
}

void ProxyHeader::step_extension(std::uint8_t octet) {
  const std::size_t at = extension_size_++;
  if (at < extension_header_size) {
    extension_[at] = octet;
    add_to_checksum(octet);
    if (extension_size_ < extension_header_size) return;
    const bool repeated = extension_[0] == checksum_type && has_checksum_;
    const std::uint16_t length = base::load_u16(&extension_[1]);
    if (length > whole_ - size_ || repeated ||
        (extension_[0] == checksum_type && length != checksum_size)) {
      state_ = State::invalid;
    }
  } else if (extension_[0] == checksum_type) {
    checksum_told_ = (checksum_told_ << 8U) | octet;
    has_checksum_ = true;
    add_to_checksum(0);  // it was made over zeros in its own place
  } else {
    add_to_checksum(octet);
  }
  if (extension_size_ == extension_header_size + base::load_u16(&extension_[1]))
    extension_size_ = 0;
}

void ProxyHeader::finish_binary() {
  const bool whole_extensions = extension_size_ == 0;
  const bool checksum_fits = !has_checksum_ || checksum_told_ == ~checksum_;
  state_ = whole_extensions && checksum_fits ? State::complete : State::invalid;
  if (state_ == State::complete) client_ = binary_client();
}

std::optional<base::Endpoint> ProxyHeader::binary_client() const {
  const auto family = static_cast<Family>(kept_[13] >> 4U);
  const unsigned transport = kept_[13] & 0x0fU;
  if ((kept_[12] & 0x0fU) == 0 || transport == 0) return std::nullopt;
  const std::uint8_t* const at = &kept_[fixed_size];
  if (family == Family::v4) {
    return base::Endpoint{.address = base::Address::v4({at[0], at[1], at[2], at[3]}),
                          .port = base::load_u16(at + 8)};
  }
  if (family == Family::v6) {
    std::array<std::uint8_t, 16> octets{};
    std::copy_n(at, octets.size(), octets.begin());
    return base::Endpoint{.address = base::Address::v6(octets), .port = base::load_u16(at + 32)};
  }
  return std::nullopt;
}

/// CRC-32C, bit by bit: once per connection there is no need for a table.
void ProxyHeader::add_to_checksum(std::uint8_t octet) {
  constexpr std::uint32_t polynomial = 0x82f63b78;
  checksum_ ^= octet;
  for (int bit = 0; bit < 8; ++bit)
    checksum_ = (checksum_ >> 1U) ^ ((checksum_ & 1U) != 0 ? polynomial : 0);
}

}  // namespace transports
