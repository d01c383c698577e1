// The admin server: /metrics and /healthz over TCP, read only; the verbs' commands over a unix
// socket. HTTP/1.1 (RFC 9112) by Boost.Beast on one thread of its own, so that nothing that happens
// here can hold up a worker, with two more for calls that wait for upstreams, so that those hold up
// nobody. Owned by App.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/log.h"
#include "gateway/admin/control.h"

namespace gateway::admin {

class ControlSocket;

class HttpServer {
 public:
  struct Options {
    std::optional<base::Endpoint> listen;  ///< none: no TCP
    std::string server_name;               ///< may stand in Host beside IP literals and localhost
    std::size_t connections =
        32;  ///< most at once through each door; the one idle longest gives way
    std::chrono::milliseconds idle_timeout{60'000};  ///< between requests
    std::chrono::milliseconds request_timeout{
        10'000};  ///< for a whole request, and for a whole response to be taken
    std::uint32_t header_octets = 8192;  ///< request line and fields; beyond it 431
    std::uint32_t body_octets = 4096;    ///< beyond it 413
  };

  /// Binds and listens; throws std::runtime_error with a whole sentence. `control_socket` may be
  /// null: then there is TCP only. `control` and `log` outlive the server; nothing is called before
  /// start().
  HttpServer(Options options, std::unique_ptr<ControlSocket> control_socket, Control& control,
             base::Log& log);
  ~HttpServer();  ///< stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void start();
  /// Closes every connection and ends the thread; returns when a call of Control that is under way
  /// has returned.
  void stop();

  /// With the port that the kernel chose; nothing without TCP.
  [[nodiscard]] std::optional<base::Endpoint> local_endpoint() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gateway::admin
