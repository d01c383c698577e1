// The way through an HTTP proxy that connects us to the upstream, where no other way leads out. RFC
// 9110 §9.3.6 (CONNECT), RFC 9112 §3.2.3 (its target), RFC 7617 (user and password). No I/O. Owned
// by the connection while it is dialled.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "conf/config.h"

namespace transports {

/// "user:password" from the upstream's file, empty when it names none; the error is a sentence.
std::expected<std::string, std::string> read_proxy_login(const conf::Upstream& upstream);

/// What the proxy is told. `target` is "host:port"; `login` is "user:password", or empty.
std::string proxy_request(std::string_view target, std::string_view login);

/// The proxy's answer, as it comes.
class ProxyAnswer {
 public:
  enum class State : std::uint8_t { wanted, connected, refused };

  ProxyAnswer();
  ~ProxyAnswer();
  ProxyAnswer(const ProxyAnswer&) = delete;
  ProxyAnswer& operator=(const ProxyAnswer&) = delete;

  State take(base::Bytes octets);
  /// Why it refused, in words.
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  struct Parser;
  State refuse(std::string why);

  std::string octets_;  // what has come; bounded
  std::unique_ptr<Parser> parser_;
  unsigned interim_ = 0;
  std::string why_;
};

}  // namespace transports
