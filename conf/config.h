// The configuration as the gateway uses it: one small struct per part, usual, least and most beside
// each other. What is read from a file is checked against these bounds and refused, never trimmed.
// Immutable once loaded.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/log.h"
#include "conf/protocol.h"
#include "dns/name.h"

namespace conf {

using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): the bounds below
                                       // read as they are written

template <class T>
struct Bounds {
  T usual;
  T least;
  T most;
};

inline constexpr std::uint64_t kibibyte = 1024;
inline constexpr std::uint64_t mebibyte = 1024 * kibibyte;

/// Where in the file a table begins, for people who ask why; 0 for what nobody wrote. No difference
/// between two configurations.
struct Line {
  std::size_t number = 0;

  bool operator==(const Line& /*other*/) const { return true; }
};

/// "udp://127.0.0.1:53", "tls://[2001:db8::1]". A listener's address.
struct ListenAddress {
  Protocol protocol = Protocol::udp;
  base::Endpoint endpoint;
  std::string text;  ///< as the operator wrote it
  bool by_default =
      false;  ///< nobody asked for it: where the machine has no such address, it may be left out

  /// Would it take what is sent to `place`?
  [[nodiscard]] bool takes(Protocol spoken, const base::Endpoint& place) const;

  bool operator==(const ListenAddress&) const = default;
};

/// `[server]`
struct Server {
  static constexpr Bounds<std::uint32_t> workers_bounds{0, 0, 128};  ///< 0: one for each core

  std::string name;  ///< switches the encrypted listeners on when `listen` is not given
  std::vector<ListenAddress> listen;  ///< resolved: defaults are filled in by the loader
  std::uint32_t workers = workers_bounds.usual;
  std::string
      state_directory;  ///< resolved: $STATE_DIRECTORY, /var/lib/sallyport as root, else XDG state
  std::vector<base::Prefix>
      allow;  ///< who may ask; default loopback, private and link-local ranges
  Line allow_line;
  bool watch_network = true;  ///< connect to upstreams afresh when the way to them changes
  std::vector<dns::Name> forward_special_names;  ///< zones that are answered here by default
                                                 ///< ("test.") but shall go upstream

  bool operator==(const Server&) const = default;
};

/// `[limits]`: what one client, and all together, may cost.
struct Limits {
  static constexpr Bounds<milliseconds> query_timeout_bounds{4000ms, 100ms, 30s};
  static constexpr Bounds<milliseconds> idle_timeout_bounds{30s, 100ms, 10min};
  static constexpr Bounds<milliseconds> handshake_timeout_bounds{5s, 100ms, 60s};
  static constexpr Bounds<milliseconds> message_timeout_bounds{5s, 100ms, 60s};
  static constexpr Bounds<std::uint32_t> sessions_bounds{10'000, 1, 1'000'000};
  static constexpr Bounds<std::uint32_t> sessions_per_client_bounds{200, 1, 1'000'000};
  static constexpr Bounds<std::uint32_t> queries_per_session_bounds{100, 1, 10'000};
  static constexpr Bounds<std::uint32_t> queries_waiting_bounds{20'000, 1, 1'000'000};
  static constexpr Bounds<std::uint32_t> udp_size_bounds{1232, 512, 4096};

  milliseconds query_timeout = query_timeout_bounds.usual;  ///< from receipt to answer
  milliseconds idle_timeout = idle_timeout_bounds.usual;    ///< of a session without queries
  milliseconds handshake_timeout = handshake_timeout_bounds.usual;
  milliseconds message_timeout =
      message_timeout_bounds
          .usual;  ///< for the rest of a message that has begun; for a client that does not read
  std::uint32_t sessions =
      sessions_bounds.usual;  ///< stream sessions of all listeners; the one idle longest gives way
  std::uint32_t sessions_per_client =
      sessions_per_client_bounds.usual;  ///< per IPv4 address or IPv6 /64
  std::uint32_t queries_per_session =
      queries_per_session_bounds.usual;  ///< waiting at once; beyond it the session is not read
  std::uint32_t queries_waiting =
      queries_waiting_bounds.usual;  ///< in the whole gateway; beyond it SERVFAIL at once
  std::uint32_t udp_size = udp_size_bounds.usual;  ///< largest answer over UDP (RFC 9715)

  bool operator==(const Limits&) const = default;
};

/// `[cache]`
struct Cache {
  static constexpr Bounds<std::uint64_t> size_bounds{64 * mebibyte, 1 * mebibyte,
                                                     1024 * (1024 * mebibyte)};
  static constexpr Bounds<seconds> min_ttl_bounds{0s, 0s, 1h};
  static constexpr Bounds<seconds> max_ttl_bounds{24h, 1s, 168h};
  static constexpr Bounds<seconds> negative_ttl_bounds{1h, 0s, 24h};
  static constexpr Bounds<seconds> failure_ttl_bounds{5s, 1s, 5min};  // RFC 9520 §3.2
  static constexpr Bounds<seconds> stale_bounds{24h, 0s,
                                                168h};  // RFC 8767 §5 advises one to three days
  static constexpr Bounds<milliseconds> stale_after_bounds{50ms, 0ms, 30s};
  static constexpr Bounds<std::uint32_t> prefetch_bounds{64, 0, 10'000};
  static constexpr Bounds<std::uint32_t> negative_share_bounds{25, 1, 100};
  static constexpr Bounds<seconds> save_interval_bounds{15min, 10s, 24h};

  std::uint64_t size = size_bounds.usual;  ///< octets, all memory of the cache
  seconds min_ttl = min_ttl_bounds.usual;
  seconds max_ttl = max_ttl_bounds.usual;
  seconds negative_ttl = negative_ttl_bounds.usual;  ///< most, for NXDOMAIN and NODATA
  seconds failure_ttl = failure_ttl_bounds.usual;
  seconds stale =
      stale_bounds.usual;  ///< how long after expiry an answer may serve when upstreams fail; 0 off
  milliseconds stale_after =
      stale_after_bounds.usual;  ///< how long a client waits for a fresh one before a stale one
  std::uint32_t prefetch = prefetch_bounds.usual;  ///< refreshes under way ahead of expiry; 0 off
  bool save = true;  ///< in the state directory, at the end and every `save_interval`
  seconds save_interval = save_interval_bounds.usual;
  std::uint32_t negative_share =
      negative_share_bounds.usual;  ///< percent of `size`, for what says that there is nothing

  bool operator==(const Cache&) const = default;
};

/// How a question travels over HTTP (RFC 8484 §4.1).
enum class DohMethod : std::uint8_t { post, get };

/// The set of upstreams that name none, and of the names that no route leads elsewhere.
inline constexpr std::string_view default_set = "default";

/// `[[upstream]]`
struct Upstream {
  static constexpr Bounds<milliseconds> timeout_bounds{1500ms, 50ms, 10s};
  static constexpr Bounds<std::uint32_t> links_bounds{2, 1, 64};
  static constexpr Bounds<std::uint32_t> queries_per_link_bounds{100, 1, 65'000};
  static constexpr Bounds<milliseconds> idle_timeout_bounds{20s, 100ms, 10min};
  static constexpr Bounds<std::uint32_t> weight_bounds{1, 1, 1000};

  std::string url;                    ///< as the operator wrote it: "tls://9.9.9.9#dns.quad9.net"
  Protocol protocol = Protocol::udp;  ///< udp falls back to TCP on truncation
  base::Endpoint endpoint;
  std::string
      tls_name;  ///< verified against the certificate's SAN; an IP address when no #name was given
  std::vector<std::string>
      pins;             ///< base64 SHA-256 of SPKI (RFC 7858 §4.2); given, the name is not needed
  std::string ca_file;  ///< instead of the system's authorities
  milliseconds timeout = timeout_bounds.usual;  ///< for one try; the query's deadline stands above
  std::uint32_t links = links_bounds.usual;     ///< most TCP or TLS connections
  std::uint32_t queries_per_link = queries_per_link_bounds.usual;
  milliseconds idle_timeout = idle_timeout_bounds.usual;
  bool case_randomisation = true;        ///< 0x20, over UDP only
  bool early_data = false;               ///< over QUIC: ask with the first packets (0-RTT)
  std::optional<Protocol> fallback;      ///< over TCP, where no UDP gets through
  std::string host;                      ///< that the URL has instead of an address; else empty
  std::vector<base::Address> bootstrap;  ///< of `host`; without any, it is looked up
  std::vector<base::Endpoint> bootstrap_resolvers;  ///< who are asked for `host`; none: the proxy
  std::string path;  ///< over HTTP: where DNS is asked, as it is sent
  DohMethod method = DohMethod::post;
  std::optional<base::Endpoint> proxy;  ///< an HTTP proxy that connects us (RFC 9110 §9.3.6)
  std::string proxy_login_file;         ///< "user:password" for it
  std::string set{default_set};
  std::uint32_t weight = weight_bounds.usual;  ///< its share of the set's queries, or its lead
  Line line;

  /// Where it is, in the order to be tried; none when that has to be looked up.
  [[nodiscard]] std::vector<base::Endpoint> places() const {
    if (host.empty()) return {endpoint};
    std::vector<base::Endpoint> out;
    for (const base::Address& address : bootstrap) out.push_back({address, endpoint.port});
    return out;
  }
  /// The same server, asked as `fallback` says.
  [[nodiscard]] Upstream fallen_back() const;

  bool operator==(const Upstream&) const = default;
};

/// In which order the upstreams of a set are asked.
enum class Strategy : std::uint8_t {
  failover,  ///< as in the file; the next when one is slow or silent
  fastest,   ///< by measured time, with some exploration
  hash,      ///< by name: each name has its upstream, whose cache then knows it
  random,    ///< spread, so that none sees all
  race2      ///< the two fastest at once
};

constexpr std::string_view to_text(Strategy strategy) {
  switch (strategy) {
    case Strategy::failover: return "failover";
    case Strategy::fastest: return "fastest";
    case Strategy::hash: return "hash";
    case Strategy::random: return "random";
    case Strategy::race2: return "race2";
  }
  return {};
}

/// `[[set]]`: upstreams that are asked for the same names.
struct Set {
  static constexpr std::size_t upstreams_most = 32;
  static constexpr Bounds<std::uint32_t> hedge_bounds{5, 0, 100};
  static constexpr Bounds<seconds> probe_every_bounds{0s, 0s, 1h};

  std::string name;
  /// Usual is the operator's order: who sees the queries is no question of milliseconds, and
  /// hedging already takes the slow moments away.
  Strategy strategy = Strategy::failover;
  std::uint32_t hedge = hedge_bounds.usual;  ///< second tries, in per cent of the set's queries
  dns::Name probe_name{};                    ///< the root
  seconds probe_every = probe_every_bounds.usual;  ///< 0: only who is not well is probed
  Line line{};

  bool operator==(const Set&) const = default;
};

/// `[[route]]`: names that a set of their own is asked for.
struct Route {
  std::vector<dns::Name> names;  ///< with all that is below them
  std::string set;
  Line line;

  bool operator==(const Route&) const = default;
};

/// `[[certificate]]`: the operator's own; the name is read from the certificate itself.
struct Certificate {
  std::string chain_file;
  std::string key_file;

  bool operator==(const Certificate&) const = default;
};

/// `[tls]`
struct Tls {
  static constexpr Bounds<seconds> ticket_rotation_bounds{
      12h, 1s, 84h};  // a key lives twice as long: at most 7 days (RFC 8446 §4.6.1)

  std::string minimum_version = "1.2";  ///< "1.2" or "1.3"
  seconds ticket_rotation = ticket_rotation_bounds.usual;

  bool operator==(const Tls&) const = default;
};

/// `[doh]`: DNS over HTTP, whatever its version.
struct Doh {
  std::vector<std::string> paths{"/dns-query"};  ///< where DNS is asked (RFC 8484 §3)
  std::string json_path = "/resolve";     ///< where scripts ask by parameters; empty: nowhere
  bool page = true;                       ///< for people, at "/"
  std::vector<std::string> cors_origins;  ///< of pages whose scripts may ask; "*": all

  bool operator==(const Doh&) const = default;
};

/// `[quic]`
struct Quic {
  static constexpr Bounds<std::uint32_t> retry_above_bounds{100, 0, 100'000};

  std::uint32_t retry_above =
      retry_above_bounds.usual;  ///< handshakes under way on one worker and address
  bool early_data = false;       ///< queries with a returning client's first packets are taken
  std::string qlog_directory;    ///< for a log of each connection; empty: none

  bool operator==(const Quic&) const = default;
};

/// `[proxy]`: who stands between clients and us, and may say who they are.
struct Proxy {
  std::vector<base::Prefix> balancers;  ///< begin what they send with a PROXY header, always
  std::vector<Protocol> balanced{Protocol::tcp, Protocol::dot,
                                 Protocol::doh};  ///< on listeners of these
  std::vector<base::Prefix> reverse_proxies;      ///< say in each HTTP request who asks
  std::string field = "x-forwarded-for";          ///< in which header field

  /// Is what it says about clients believed?
  [[nodiscard]] bool is_reverse_proxy(const base::Address& from) const;
  /// Must what comes from there begin with a PROXY header?
  [[nodiscard]] bool is_balanced(Protocol protocol, const base::Address& from) const;

  bool operator==(const Proxy&) const = default;
};

/// `[admin]`: /metrics and /healthz.
struct Admin {
  std::optional<base::Endpoint> listen;  ///< default 127.0.0.1:8953; off with ""

  bool operator==(const Admin&) const = default;
};

/// `[log]`
struct Logging {
  base::LogLevel level = base::LogLevel::info;
  base::LogFormat format = base::LogFormat::text;
  std::string file;  ///< empty: standard error

  bool operator==(const Logging&) const = default;
};

struct Config {
  Server server;
  Limits limits;
  Cache cache;
  std::vector<Upstream> upstreams;
  std::vector<Set> sets;  ///< those that the file has something to say of
  std::vector<Route> routes;
  Tls tls;
  Doh doh;
  Quic quic;
  Proxy proxy;
  std::vector<Certificate> certificates;
  Admin admin;
  Logging log;

  std::string source;  ///< path of the file, or "built-in defaults"
};

}  // namespace conf
