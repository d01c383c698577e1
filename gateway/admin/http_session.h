// One connection of the admin server: requests in, responses out, one after the other, each within
// its time and size. RFC 9112 §6.3 (body), §9.3 (persistence), §9.6 (closing). Lives in its own
// coroutine on the admin thread.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <list>
#include <optional>

#include "base/clock.h"
#include "gateway/admin/http_server.h"
#include "gateway/admin/routes.h"
#include "transports/awaitable.h"

namespace gateway::admin {

class HttpSession;

/// All that the sessions of one door share.
struct DoorState {
  Door door;
  const HttpServer::Options& options;
  Control& control;
  boost::asio::thread_pool& waiting_room;  ///< for calls that wait, while others are served
  std::list<HttpSession*> open;
};

class HttpSession {
 public:
  using Protocol = boost::asio::generic::stream_protocol;  ///< over TCP or a unix socket
  using Socket = boost::asio::basic_stream_socket<Protocol, transports::Executor>;

  HttpSession(Socket socket, DoorState& state);
  ~HttpSession() { state_.open.erase(place_); }
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  transports::Awaitable<void> run();

  /// Since when it has been waiting for its next request; nothing while it has one.
  [[nodiscard]] std::optional<base::TimePoint> idle_since() const;
  /// What it waits for fails, and its coroutine ends.
  void close();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  transports::Awaitable<bool> wait_for_request();
  transports::Awaitable<bool> one_exchange();
  transports::Awaitable<HttpResponse> answer(const Parser::value_type& request);
  transports::Awaitable<HttpResponse> respond_elsewhere(const HttpRequest& request);
  transports::Awaitable<bool> write(HttpResponse answer, unsigned version, bool keep_alive,
                                    bool head);
  transports::Awaitable<void> end();

  boost::beast::basic_stream<Protocol, transports::Executor> stream_;
  boost::beast::flat_buffer buffer_;
  DoorState& state_;
  std::list<HttpSession*>::iterator place_;
  bool idle_ = true;
  base::TimePoint since_ = base::Clock::now();
};

}  // namespace gateway::admin
