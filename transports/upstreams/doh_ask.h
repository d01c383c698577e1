// DNS over HTTP as a client asks and believes it, whatever the version of HTTP. RFC 8484 §4, §5.1
// and §6, RFC 8467 §4.1 (padding). A question is owned by the codec that carries it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "conf/config.h"
#include "transports/http_message.h"
#include "transports/upstreams/link.h"

namespace transports {

/// What all requests to one upstream have in common.
struct DohTarget {
  explicit DohTarget(const conf::Upstream& upstream);

  std::string authority;  ///< "dns.example:8443"
  std::string path;
  conf::DohMethod method;
};

class DohAsk {
 public:
  /// Composes the question: id 0, padded.
  DohAsk(Waiting& waiting, const DohTarget& target);
  DohAsk(const DohAsk&) = delete;
  DohAsk& operator=(const DohAsk&) = delete;

  /// Who waits for the reply; null once nobody does.
  Waiting* waiting;

  // ---- the request
  [[nodiscard]] std::string_view method() const;
  [[nodiscard]] const std::string& authority() const { return target_.authority; }
  [[nodiscard]] std::string_view path() const { return path_; }
  /// Nothing that tells one asker from another: no user agent, no language, no cookie (RFC 8484
  /// §8.2).
  [[nodiscard]] std::span<const HttpField> fields() const { return {fields_.data(), fields_size_}; }
  [[nodiscard]] base::Bytes body() const { return body_; }

  // ---- the response
  /// As it comes, `name` in any letter case. ":status" begins a response anew, as after a 1xx.
  void on_field(std::string_view name, std::string_view value);
  void on_status(unsigned status);
  void on_too_many_fields() { too_many_fields_ = true; }
  /// False when it is more than any message has.
  bool on_content(base::Bytes octets);
  /// It is whole: tells `link` of the reply, or of what came instead. Only while somebody waits.
  void deliver(Link& link);

 private:
  void ask(const DohTarget& target, base::Bytes query);
  [[nodiscard]] std::string objection() const;

  const DohTarget& target_;
  std::string path_;
  std::vector<std::uint8_t> body_;
  std::array<char, 8> length_;
  std::array<HttpField, 3> fields_;
  std::size_t fields_size_ = 0;

  unsigned status_ = 0;
  bool typed_ = false;     // application/dns-message
  std::uint32_t age_ = 0;  // seconds in the caches of others
  bool encoded_ = false;   // with a content coding, which we have not asked for
  bool too_many_fields_ = false;
  std::string other_type_;
  std::vector<std::uint8_t> reply_;
};

}  // namespace transports
