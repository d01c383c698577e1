// One query to one server, with everything that a person may want to know about how it went: for
// `sallyport query`. Uses the same sockets, connections and checks as the upstreams do, and keeps
// nothing.
#pragma once

#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "conf/config.h"
#include "transports/awaitable.h"
#include "transports/quic/connection.h"
#include "transports/upstreams/upstreams.h"

namespace transports {

struct AskOptions {
  bool verify = true;             ///< false: take any certificate, for finding out what is wrong
  bool follow_truncation = true;  ///< TC over UDP: ask again over TCP (RFC 1035 §4.2.1)
};

/// What the server's certificate says, and what TLS agreed on.
struct TlsReport {
  std::string version;  ///< "TLSv1.3"
  std::string cipher;
  std::string group;
  std::string alpn;
  bool resumed = false;
  bool verified = false;  ///< false only when verification was switched off
  std::string subject;
  std::string issuer;
  std::vector<std::string> alternative_names;  ///< "dns.example", "192.0.2.53"
  std::time_t not_after = 0;
  std::string pin;  ///< base64 SHA-256 of the SPKI, ready for a configuration's `pins`
};

struct Reported {
  std::vector<std::uint8_t> reply;                ///< as it came, id and all
  conf::Protocol protocol = conf::Protocol::udp;  ///< that brought it: tcp after a truncated reply
  bool was_truncated = false;                     ///< over UDP, before that
  unsigned tries = 1;                             ///< datagrams sent
  unsigned ignored = 0;                           ///< replies to something else
  base::Clock::duration connect{};                ///< TCP; zero over UDP
  base::Clock::duration handshake{};              ///< TLS, or QUIC with the TLS in it
  base::Clock::duration answer{};                 ///< from the query's departure to its reply
  std::optional<TlsReport> tls;
  unsigned http_status = 0;  ///< over HTTP; its version is TLS's ALPN
  std::optional<quic::Facts> quic;
};

/// Sends `query` as it is and waits for the reply with its id and question, by `deadline` at the
/// latest. `upstream` (from conf::parse_upstream_url()) need not live on; `query` must.
Awaitable<base::Result<Reported>> ask_once(conf::Upstream upstream, base::Bytes query,
                                           base::TimePoint deadline, AskOptions options,
                                           UpstreamContext context);

}  // namespace transports
