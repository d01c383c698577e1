// What the admin server says to which request: one table of routes for its two doors, without a
// socket. To add a page: its row in routes.cpp. RFC 9110 §15 (status codes), §9.2.1 (safe methods).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/admin/control.h"

namespace gateway::admin {

/// The TCP address is read only; the unix socket, which only its owner may open, also changes
/// things.
enum class Door : std::uint8_t { tcp, unix_socket };

struct HttpRequest {
  std::string_view method;
  std::string_view target;  ///< as sent; a query string is ignored
  std::string_view body;
};

struct HttpResponse {
  unsigned status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow;  ///< with 405: the methods there are (RFC 9110 §15.5.6)
};

/// Whether the response waits for upstreams, so that the admin thread had better not make it.
bool waits_for_upstreams(Door door, const HttpRequest& request);

/// HEAD is answered like GET; whoever writes the response leaves the body out. Never throws.
HttpResponse respond(Control& control, Door door, const HttpRequest& request);

/// Whether a Host header's value may be served: an IP literal, localhost, or the server's own name,
/// with or without a port. A web page whose name was pointed at 127.0.0.1 (DNS rebinding) sends its
/// own name.
bool host_allowed(std::string_view host, std::string_view server_name);

}  // namespace gateway::admin
