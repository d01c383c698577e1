// The PROXY header in whatever pieces, of both versions. Named after the sections of HAProxy's
// proxy-protocol.txt.
#include "transports/proxy_header.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace transports {
namespace {

using State = ProxyHeader::State;
using Octets = std::vector<std::uint8_t>;

constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};

std::string binary(std::uint8_t command, std::uint8_t family, const std::string& rest) {
  std::string out{signature};
  out += static_cast<char>(command);
  out += static_cast<char>(family);
  out += static_cast<char>(rest.size() >> 8);
  out += static_cast<char>(rest.size());
  return out + rest;
}

const std::string v4_addresses{"\xcb\x00\x71\x07\x7f\x00\x00\x01\x12\x67\x03\x55", 12};
const std::string v6_addresses = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') +
                                 '\x07' + std::string(15, '\0') + '\x01' + "\x12\x67\x03\x55";

std::string extension(char type, std::string_view value) {
  return std::string{type} + static_cast<char>(value.size() >> 8) +
         static_cast<char>(value.size()) + std::string(value);
}

struct Outcome {
  State state;
  std::string client;  // "" for none
  std::size_t taken;

  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << static_cast<int>(outcome.state) << ' ' << outcome.client << ' ' << outcome.taken;
}

Outcome read_in_pieces(std::string_view text, std::size_t piece) {
  ProxyHeader header;
  std::size_t taken = 0;
  while (taken < text.size() && header.state() == State::more)
    taken += header.take(base::as_bytes(text.substr(taken, piece)));
  return {header.state(), header.client() ? header.client()->to_text() : "", taken};
}

/// However it is cut, the outcome is the same.
Outcome outcome_of(std::string_view text) {
  const Outcome whole = read_in_pieces(text, text.size());
  for (const std::size_t piece : {1U, 2U, 3U, 5U, 16U})
    EXPECT_EQ(read_in_pieces(text, piece), whole);
  return whole;
}

State state_of(std::string_view text) { return outcome_of(text).state; }

TEST(ProxyHeader_2_1, TellsTheClient) {
  constexpr std::string_view line = "PROXY TCP4 203.0.113.7 127.0.0.1 4711 853\r\n";
  EXPECT_EQ(outcome_of(line), (Outcome{State::complete, "203.0.113.7:4711", line.size()}));
  EXPECT_EQ(outcome_of("PROXY TCP6 2001:db8::7 ::1 4711 853\r\n").client, "[2001:db8::7]:4711");
}

TEST(ProxyHeader_2_1, IsNeverReadBeyondItsEnd) {
  const std::string line = "PROXY TCP4 203.0.113.7 127.0.0.1 4711 853\r\n";
  EXPECT_EQ(outcome_of(line + "\x16\x03\x01 and more\r\n").taken, line.size());
}

TEST(ProxyHeader_2_1, TakesUnknownAndWhateverFollowsIt) {
  EXPECT_EQ(outcome_of("PROXY UNKNOWN\r\n"), (Outcome{State::complete, "", 15}));
  EXPECT_EQ(state_of("PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n"), State::complete);
}

TEST(ProxyHeader_2_1, RefusesWhatDoesNotMatchExactly) {
  for (const std::string_view line :
       {"PROXY TCP4 203.0.113.7 127.0.0.1 4711 853\n",      // LF alone
        "PROXY TCP4 203.0.113.7 127.0.0.1 4711\r 853\r\n",  // CR alone
        "PROXY TCP4 203.0.113.7 127.0.0.1 4711\r\n",        // a word less
        "PROXY TCP4 203.0.113.7 127.0.0.1 4711 853 1\r\n",  // a word more
        "PROXY TCP4  203.0.113.7 127.0.0.1 4711 853\r\n",   // two spaces
        "PROXY TCP4 2001:db8::7 ::1 4711 853\r\n",          // the other family
        "PROXY TCP6 203.0.113.7 127.0.0.1 4711 853\r\n",    // the other family
        "PROXY TCP6 fe80::1%1 ::1 4711 853\r\n",            // a zone
        "PROXY TCP4 203.0.113.07 127.0.0.1 4711 853\r\n",   // leading zero
        "PROXY TCP4 203.0.113.256 127.0.0.1 4711 853\r\n",  // too large
        "PROXY TCP4 203.0.113.7 127.0.0.1 04711 853\r\n",   // leading zero
        "PROXY TCP4 203.0.113.7 127.0.0.1 65536 853\r\n",   // too large
        "PROXY TCP4 203.0.113.7 127.0.0.1 +1 853\r\n",      // a sign
        "PROXY UDP4 203.0.113.7 127.0.0.1 4711 853\r\n",    // no such family
        "PROXY\r\n", "PROXY \r\n", "PROXYUNKNOWN\r\n", "proxy UNKNOWN\r\n", "GET / HTTP/1.1\r\n"}) {
    EXPECT_EQ(state_of(line), State::invalid) << line;
  }
}

TEST(ProxyHeader_2_1, EndsWithin107Octets) {
  const std::string filler(92, 'x');
  EXPECT_EQ(state_of("PROXY UNKNOWN" + filler.substr(0, 92) + "\r\n"), State::invalid);
  EXPECT_EQ(state_of("PROXY UNKNOWN " + filler.substr(0, 91) + "\r\n"), State::complete);
  EXPECT_EQ(outcome_of("PROXY UNKNOWN " + filler + filler), (Outcome{State::invalid, "", 107}));
}

TEST(ProxyHeader_2_1, WaitsForTheWholeLine) {
  EXPECT_EQ(state_of("PROXY TCP4 203.0.113.7 127.0.0.1 4711 853\r"), State::more);
  EXPECT_EQ(state_of("P"), State::more);
}

TEST(ProxyHeader_2_2, TellsTheClient) {
  const std::string v4 = binary(0x21, 0x11, v4_addresses);
  EXPECT_EQ(outcome_of(v4), (Outcome{State::complete, "203.0.113.7:4711", 28}));
  EXPECT_EQ(outcome_of(v4 + v4).taken, 28U);
  EXPECT_EQ(outcome_of(binary(0x21, 0x21, v6_addresses)),
            (Outcome{State::complete, "[2001:db8::7]:4711", 52}));
  EXPECT_EQ(outcome_of(binary(0x21, 0x12, v4_addresses)).client, "203.0.113.7:4711");  // UDP
}

TEST(ProxyHeader_2_2, TakesMappedAddressesForWhatTheyAre) {
  const std::string mapped = std::string(10, '\0') + "\xff\xff" + v4_addresses.substr(0, 4) +
                             std::string(16, '\0') + std::string("\x12\x67\x03\x55", 4);
  EXPECT_EQ(outcome_of(binary(0x21, 0x21, mapped)).client, "203.0.113.7:4711");
}

TEST(ProxyHeader_2_2, LocalAndUnspecifiedAreTheBalancerItself) {
  EXPECT_EQ(outcome_of(binary(0x20, 0x00, "")), (Outcome{State::complete, "", 16}));
  EXPECT_EQ(outcome_of(binary(0x20, 0x11, v4_addresses)), (Outcome{State::complete, "", 28}));
  EXPECT_EQ(outcome_of(binary(0x20, 0xff, "anything")), (Outcome{State::complete, "", 24}));
  EXPECT_EQ(outcome_of(binary(0x21, 0x00, "")), (Outcome{State::complete, "", 16}));
  EXPECT_EQ(outcome_of(binary(0x21, 0x31, std::string(216, 'x'))),
            (Outcome{State::complete, "", 232}));
}

TEST(ProxyHeader_2_2, RefusesWhatIsNotDefined) {
  EXPECT_EQ(state_of(binary(0x11, 0x11, v4_addresses)), State::invalid);  // version 1
  EXPECT_EQ(state_of(binary(0x22, 0x11, v4_addresses)), State::invalid);  // no such command
  EXPECT_EQ(state_of(binary(0x21, 0x41, v4_addresses)), State::invalid);  // no such family
  EXPECT_EQ(state_of(binary(0x21, 0x13, v4_addresses)), State::invalid);  // no such transport
  EXPECT_EQ(state_of(binary(0x21, 0x21, v4_addresses)), State::invalid);  // shorter than addresses
  EXPECT_EQ(state_of(binary(0x21, 0x11, v4_addresses + std::string(4085, '\0'))), State::invalid);
  std::string wrong = binary(0x21, 0x11, v4_addresses);
  for (std::size_t i = 0; i < signature.size(); ++i) {
    std::string other = wrong;
    other[i] = static_cast<char>(other[i] ^ 0x40);
    EXPECT_EQ(state_of(other), State::invalid) << i;
  }
}

TEST(ProxyHeader_2_2, SkipsExtensionsThatFit) {
  const auto with = [](const std::string& extensions) {
    return binary(0x21, 0x11, v4_addresses + extensions);
  };
  EXPECT_EQ(outcome_of(with(extension(0x02, "dns.example.org") + extension(0x04, ""))),
            (Outcome{State::complete, "203.0.113.7:4711", 49}));
  EXPECT_EQ(state_of(with(extension(0x20, std::string(1000, 'x')))), State::complete);
  EXPECT_EQ(state_of(with("\x04")), State::invalid);
  EXPECT_EQ(state_of(with(std::string("\x04\x00", 2))), State::invalid);
  EXPECT_EQ(state_of(with(std::string("\x04\x00\x02x", 4))), State::invalid);
}

TEST(ProxyHeader_2_2_3, HoldsTheChecksum) {
  // RFC 3720's CRC-32C of the header with zeros in the checksum's place, by another program.
  const std::string good = extension(0x03, std::string_view{"CHECKSUM", 4});
  std::string header = binary(0x21, 0x11, v4_addresses + good);
  EXPECT_EQ(state_of(header), State::invalid);
  header.replace(31, 4, std::string_view{"\x3e\xae\xc6\x0e", 4});
  EXPECT_EQ(state_of(header), State::complete);
  header[16] = '\xcc';
  EXPECT_EQ(state_of(header), State::invalid);
  EXPECT_EQ(state_of(binary(0x21, 0x11, v4_addresses + extension(0x03, "12345"))), State::invalid);
}

}  // namespace
}  // namespace transports
