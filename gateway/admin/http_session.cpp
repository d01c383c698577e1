// The admin server's sessions by Boost.Beast.
#include "gateway/admin/http_session.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <ctime>
#include <sstream>
#include <string>
#include <utility>

namespace gateway::admin {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr auto tuple = asio::as_tuple(transports::use_awaitable);

std::size_t buffer_size(const DoorState& state) {
  return std::size_t{state.options.header_octets} + state.options.body_octets;
}

/// 0: nobody is there to be told.
unsigned status_of(const boost::system::error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  return error.category() == http::make_error_code(http::error::bad_method).category() ? 400 : 0;
}

HttpResponse refusal(unsigned status) {
  return {.status = status, .body = "this request cannot be read\n", .allow = {}};
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT",
                              &parts)};  // RFC 9110 §5.6.7
}

}  // namespace

HttpSession::HttpSession(Socket socket, DoorState& state)
    : stream_(std::move(socket)), buffer_(buffer_size(state)), state_(state) {
  place_ = state_.open.insert(state_.open.end(), this);
}

std::optional<base::TimePoint> HttpSession::idle_since() const {
  return idle_ ? std::optional(since_) : std::nullopt;
}

void HttpSession::close() {
  idle_ = false;  // on its way out
  stream_.close();
}

transports::Awaitable<void> HttpSession::run() {
  while (co_await wait_for_request() && co_await one_exchange()) {
  }
  co_await end();
}

/// The time between requests is another than that for a request which has begun.
transports::Awaitable<bool> HttpSession::wait_for_request() {
  if (buffer_.size() != 0) co_return true;  // pipelined
  idle_ = true;
  since_ = base::Clock::now();
  stream_.expires_after(state_.options.idle_timeout);
  const auto [error, count] = co_await stream_.async_read_some(buffer_.prepare(1024), tuple);
  buffer_.commit(count);
  idle_ = false;
  co_return !error;
}

/// Gives whether the connection lives on.
transports::Awaitable<bool> HttpSession::one_exchange() {
  Parser parser;
  parser.header_limit(state_.options.header_octets);
  parser.body_limit(state_.options.body_octets);
  stream_.expires_after(state_.options.request_timeout);
  const auto [error, count] = co_await http::async_read(stream_, buffer_, parser, tuple);
  if (error) {
    if (const unsigned status = status_of(error)) co_await write(refusal(status), 11, false, false);
    co_return false;
  }
  const auto& request = parser.get();
  HttpResponse response = co_await answer(request);
  co_return co_await write(std::move(response), request.version(), request.keep_alive(),
                           request.method() == http::verb::head);
}

transports::Awaitable<HttpResponse> HttpSession::answer(const Parser::value_type& request) {
  if (state_.door == Door::tcp) {
    const std::size_t hosts = request.count(http::field::host);
    if (hosts > 1 || (hosts == 0 && request.version() >= 11)) {
      co_return HttpResponse{
          .status = 400, .body = "there must be one Host\n", .allow = {}};  // RFC 9112 §3.2
    }
    if (hosts == 1 && !host_allowed(request[http::field::host], state_.options.server_name)) {
      co_return HttpResponse{.status = 421, .body = "this host is not served here\n", .allow = {}};
    }
  }
  const HttpRequest asked{request.method_string(), request.target(), request.body()};
  if (waits_for_upstreams(state_.door, asked)) co_return co_await respond_elsewhere(asked);
  co_return respond(state_.control, state_.door, asked);
}

/// On another thread; this one goes on serving until the response is there.
transports::Awaitable<HttpResponse> HttpSession::respond_elsewhere(const HttpRequest& request) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<transports::Executor>,
                                          void(HttpResponse)>(
      [](auto handler, DoorState* state, const HttpRequest* asked) {
        auto work = asio::make_work_guard(asio::get_associated_executor(handler));
        asio::post(state->waiting_room,
                   [state, asked, handler = std::move(handler), work = std::move(work)]() mutable {
                     HttpResponse response = respond(state->control, state->door, *asked);
                     asio::post(work.get_executor(), [handler = std::move(handler),
                                                      response = std::move(response)]() mutable {
                       std::move(handler)(std::move(response));
                     });
                   });
      },
      transports::use_awaitable, &state_, &request);
}

transports::Awaitable<bool> HttpSession::write(HttpResponse answer, unsigned version,
                                               bool keep_alive, bool head) {
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
  std::ostringstream octets;  // whole: Beast's own way of writing costs a compiler half a minute
  octets << response;
  const std::string text = std::move(octets).str();
  const auto [error, count] = co_await asio::async_write(stream_, asio::buffer(text), tuple);
  co_return !error && keep_alive;
}

/// Reads what is still on its way, for a moment and within limits: closing a socket with unread
/// octets resets the connection, and the client might never see the response (RFC 9112 §9.6).
transports::Awaitable<void> HttpSession::end() {
  boost::system::error_code ignored;
  stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  stream_.expires_after(std::chrono::seconds(1));
  for (std::size_t left = std::size_t{64} * 1024; left != 0;) {
    buffer_.clear();
    const auto [error, count] = co_await stream_.async_read_some(buffer_.prepare(1024), tuple);
    if (error) break;
    left -= std::min(left, count);
  }
  stream_.close();
}

}  // namespace gateway::admin
