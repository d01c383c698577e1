// DNS over HTTP on a client's stream, whatever the version: from a whole request to its response.
// RFC 8484 §4. Base of the sessions of HTTP/1.1 and HTTP/2.
#pragma once

#include <cstdint>
#include <optional>

#include "transports/http_exchange.h"
#include "transports/http_workspace.h"
#include "transports/session_codec.h"

namespace transports {

class HttpSession : public SessionCodec {
 protected:
  explicit HttpSession(Carrier& carrier);

  /// As new, for the next request of this client.
  void begin(HttpExchange& exchange) const;
  /// To a whole request; nothing when the answer has to be waited for: on_answer() has it, with the
  /// same ticket. The body is valid until the next request is answered.
  std::optional<HttpResponse> answer(HttpExchange& exchange, std::uint64_t ticket,
                                     base::TimePoint now);
  /// To a request whose answer is kept in the exchange. The body may be in there.
  [[nodiscard]] HttpResponse late_response(const HttpExchange& exchange) const;
  [[nodiscard]] HttpResponse without_answer(const HttpExchange& exchange,
                                            std::uint16_t status) const;

  HttpWorkspace& work_;

 private:
  [[nodiscard]] HttpResponse dressed(HttpResponse response) const;
};

}  // namespace transports
