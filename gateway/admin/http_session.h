// One connection of the admin server: requests in, responses out, one after the other, each within
// its time and size. RFC 9112 §6.3 (body), §9.3 (persistence), §9.6 (closing). Lives in its own
// coroutine on the admin thread.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <ctime>
#include <list>
#include <string>
#include <utility>

#include "base/clock.h"
#include "gateway/admin/http_server.h"
#include "gateway/admin/routes.h"
#include "transports/awaitable.h"

namespace gateway::admin {

/// What a door's list knows of a connection, whatever its socket is.
class OpenConnection {
 public:
  virtual ~OpenConnection() = default;
  OpenConnection() = default;
  OpenConnection(const OpenConnection&) = delete;
  OpenConnection& operator=(const OpenConnection&) = delete;
  /// What it waits for fails, and its coroutine ends.
  virtual void close() = 0;
  bool idle = true;
  base::TimePoint since = base::Clock::now();
};

/// All that the sessions of one door share.
struct DoorState {
  Door door;
  const HttpServer::Options& options;
  Control& control;
  boost::asio::thread_pool& waiting_room;  ///< for calls that wait, while others are served
  std::list<OpenConnection*> open;
};

template <class Protocol>
class HttpSession final : public OpenConnection {
 public:
  using Socket = boost::asio::basic_stream_socket<Protocol, transports::Executor>;

  HttpSession(Socket socket, DoorState& state)
      : stream_(std::move(socket)), buffer_(buffer_size(state)), state_(state) {
    place_ = state_.open.insert(state_.open.end(), this);
  }
  ~HttpSession() override { state_.open.erase(place_); }

  void close() override { stream_.close(); }

  transports::Awaitable<void> run() {
    while (co_await wait_for_request() && co_await one_exchange()) {
    }
    co_await end();
  }

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  static constexpr auto tuple = boost::asio::as_tuple(transports::use_awaitable);

  static std::size_t buffer_size(const DoorState& state) {
    return std::size_t{state.options.header_octets} + state.options.body_octets;
  }

  /// The time between requests is another than that for a request which has begun.
  transports::Awaitable<bool> wait_for_request() {
    if (buffer_.size() != 0) co_return true;  // pipelined
    idle = true;
    since = base::Clock::now();
    stream_.expires_after(state_.options.idle_timeout);
    const auto [error, count] = co_await stream_.async_read_some(buffer_.prepare(1024), tuple);
    buffer_.commit(count);
    idle = false;
    co_return !error;
  }

  /// Gives whether the connection lives on.
  transports::Awaitable<bool> one_exchange() {
    namespace http = boost::beast::http;
    Parser parser;
    parser.header_limit(state_.options.header_octets);
    parser.body_limit(state_.options.body_octets);
    stream_.expires_after(state_.options.request_timeout);
    const auto [error, count] = co_await http::async_read(stream_, buffer_, parser, tuple);
    if (error) {
      if (const unsigned status = status_of(error))
        co_await write(refusal(status), 11, false, false);
      co_return false;
    }
    const auto& request = parser.get();
    HttpResponse response = co_await answer(request);
    co_return co_await write(std::move(response), request.version(), request.keep_alive(),
                             request.method() == http::verb::head);
  }

  /// 0: nobody is there to be told.
  static unsigned status_of(const boost::system::error_code& error) {
    namespace http = boost::beast::http;
    if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
    if (error == http::error::body_limit) return 413;
    if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
    return error.category() == http::make_error_code(http::error::bad_method).category() ? 400 : 0;
  }

  static HttpResponse refusal(unsigned status) {
    return {.status = status, .body = "this request cannot be read\n", .allow = {}};
  }

  transports::Awaitable<HttpResponse> answer(const Parser::value_type& request) {
    namespace http = boost::beast::http;
    if (state_.door == Door::tcp) {
      const std::size_t hosts = request.count(http::field::host);
      if (hosts > 1 || (hosts == 0 && request.version() >= 11)) {
        co_return HttpResponse{
            .status = 400, .body = "there must be one Host\n", .allow = {}};  // RFC 9112 §3.2
      }
      if (hosts == 1 && !host_allowed(request[http::field::host], state_.options.server_name)) {
        co_return HttpResponse{
            .status = 421, .body = "this host is not served here\n", .allow = {}};
      }
    }
    const HttpRequest asked{request.method_string(), request.target(), request.body()};
    if (waits_for_upstreams(state_.door, asked)) co_return co_await respond_elsewhere(asked);
    co_return respond(state_.control, state_.door, asked);
  }

  /// On another thread; this one goes on serving until the response is there.
  transports::Awaitable<HttpResponse> respond_elsewhere(const HttpRequest& request) {
    co_return co_await boost::asio::async_initiate<
        const boost::asio::use_awaitable_t<transports::Executor>, void(HttpResponse)>(
        [](auto handler, DoorState* state, const HttpRequest* asked) {
          auto work = boost::asio::make_work_guard(boost::asio::get_associated_executor(handler));
          boost::asio::post(state->waiting_room, [state, asked, handler = std::move(handler),
                                                  work = std::move(work)]() mutable {
            HttpResponse response = respond(state->control, state->door, *asked);
            boost::asio::post(work.get_executor(), [handler = std::move(handler),
                                                    response = std::move(response)]() mutable {
              std::move(handler)(std::move(response));
            });
          });
        },
        transports::use_awaitable, &state_, &request);
  }

  transports::Awaitable<bool> write(HttpResponse answer, unsigned version, bool keep_alive,
                                    bool head) {
    namespace http = boost::beast::http;
    http::response<http::string_body> response(static_cast<http::status>(answer.status), version);
    response.set(http::field::date, date_now());
    response.set(http::field::content_type, answer.content_type);
    response.set(http::field::cache_control, "no-store");
    response.set(http::field::x_content_type_options, "nosniff");
    if (!answer.allow.empty()) response.set(http::field::allow, answer.allow);
    response.keep_alive(keep_alive);
    response.content_length(answer.body.size());
    if (!head) response.body() = std::move(answer.body);
    stream_.expires_after(state_.options.request_timeout);
    const auto [error, count] = co_await http::async_write(stream_, response, tuple);
    co_return !error && keep_alive;
  }

  /// Reads what is still on its way, for a moment and within limits: closing a socket with unread
  /// octets resets the connection, and the client might never see the response (RFC 9112 §9.6).
  transports::Awaitable<void> end() {
    boost::system::error_code ignored;
    stream_.socket().shutdown(boost::asio::socket_base::shutdown_send, ignored);
    stream_.expires_after(std::chrono::seconds(1));
    for (std::size_t left = std::size_t{64} * 1024; left != 0;) {
      buffer_.clear();
      const auto [error, count] = co_await stream_.async_read_some(buffer_.prepare(1024), tuple);
      if (error) break;
      left -= std::min(left, count);
    }
    stream_.close();
  }

  static std::string date_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT",
                                &parts)};  // RFC 9110 §5.6.7
  }

  boost::beast::basic_stream<Protocol, transports::Executor> stream_;
  boost::beast::flat_buffer buffer_;
  DoorState& state_;
  std::list<OpenConnection*>::iterator place_;
};

}  // namespace gateway::admin
