// Making and checking DNS cookies. RFC 9018 §4, RFC 7873 §5.2-5.3.
#include "dns/cookie.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dns/edns.h"

namespace dns {
namespace {

constexpr std::uint8_t cookie_version = 1;
constexpr std::size_t hashed_size = 8;  // version, reserved, timestamp: what stands before the hash
constexpr std::int32_t seconds_past = 3600;  // RFC 9018 §4.3
constexpr std::int32_t seconds_future = 300;
constexpr std::int32_t seconds_until_renewal = 1800;

std::uint64_t load_little(const std::uint8_t* at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) value = value << 8 | at[i];
  return value;
}

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  void absorb(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

/// The octets before the hash are `head`, taken as they are (RFC 9018 §4.2: reserved octets count).
ServerCookie cookie_with(const CookieSecret& secret, base::Bytes client_cookie, base::Bytes head,
                         const base::Address& client) {
  const std::size_t address_size = client.is_v4() ? 4 : 16;
  std::array<std::uint8_t, client_cookie_size + hashed_size + 16> input;
  base::Writer writer(input);
  writer.bytes(client_cookie.first(client_cookie_size));
  writer.bytes(head);
  writer.bytes(base::Bytes{client.octets()}.first(address_size));
  const std::uint64_t hash = siphash_2_4(secret, writer.written());

  ServerCookie cookie;
  std::ranges::copy(head, cookie.begin());
  for (std::size_t i = 0; i < 8; ++i)
    cookie[hashed_size + i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return cookie;
}

/// In a time that does not tell how many octets agree.
bool equal_in_constant_time(base::Bytes left, base::Bytes right) {
  unsigned difference = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    difference |= static_cast<unsigned>(left[i] ^ right[i]);
  return difference == 0;
}

}  // namespace

std::uint64_t siphash_2_4(const CookieSecret& secret, base::Bytes input) {
  const std::uint64_t k0 = load_little(secret.data(), 8);
  const std::uint64_t k1 = load_little(secret.data() + 8, 8);
  SipState state{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                 k1 ^ 0x7465646279746573};
  const std::size_t whole = input.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) state.absorb(load_little(input.data() + i, 8));
  state.absorb(load_little(input.data() + whole, input.size() - whole) |
               std::uint64_t{input.size() & 0xFFU} << 56);
  state.v2 ^= 0xFF;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

ServerCookie ServerCookies::make(base::Bytes client_cookie, const base::Address& client,
                                 std::uint32_t now) const {
  std::array<std::uint8_t, hashed_size> head{cookie_version};
  base::store_u32(&head[4], now);
  return cookie_with(secret_, client_cookie, head, client);
}

ServerCookies::Check ServerCookies::check(base::Bytes cookie, const base::Address& client,
                                          std::uint32_t now) const {
  if (cookie.size() <= client_cookie_size) return Check::absent;
  if (cookie.size() != client_cookie_size + server_cookie_size)
    return Check::bad;  // RFC 9018 §4.4: precisely 24
  const base::Bytes server = cookie.subspan(client_cookie_size);
  if (server[0] != cookie_version) return Check::bad;
  // RFC 1982: the difference as a signed number is right across the wrap of 2106.
  const auto age = static_cast<std::int32_t>(now - base::load_u32(&server[4]));
  if (age > seconds_past || age < -seconds_future) return Check::bad;
  const auto made_with = [&](const CookieSecret& secret) {
    return equal_in_constant_time(cookie_with(secret, cookie, server.first(hashed_size), client),
                                  server);
  };
  if (made_with(secret_)) return age > seconds_until_renewal ? Check::renew : Check::good;
  return previous_ && made_with(*previous_) ? Check::renew : Check::bad;
}

UpstreamCookies::UpstreamCookies(const ClientCookie& client_cookie) {
  std::ranges::copy(client_cookie, octets_.begin());
}

UpstreamCookies::Reply UpstreamCookies::take(std::optional<base::Bytes> cookie) {
  if (!cookie) return size_ > client_cookie_size ? Reply::discard : Reply::without;
  if (!cookie_size_is_sound(cookie->size())) return Reply::discard;
  if (!std::ranges::equal(cookie->first(client_cookie_size),
                          outgoing().first(client_cookie_size))) {
    return Reply::discard;
  }
  if (cookie->size() > client_cookie_size) {
    std::ranges::copy(*cookie, octets_.begin());
    size_ = cookie->size();
  }
  return Reply::learned;
}

}  // namespace dns
