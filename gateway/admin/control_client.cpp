// The control socket's client by Boost.Beast.
#include "gateway/admin/control_client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <format>
#include <sstream>
#include <stdexcept>

#include "transports/awaitable.h"

namespace gateway::admin {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Unix = asio::local::stream_protocol;
using Outcome = std::expected<ControlReply, std::string>;

constexpr auto tuple = asio::as_tuple(transports::use_awaitable);
constexpr std::uint64_t reply_octets_max = std::uint64_t{16} * 1024 * 1024;

std::string sentence(const std::string& path, const boost::system::error_code& error) {
  if (error == asio::error::connection_refused ||
      error == boost::system::errc::no_such_file_or_directory) {
    return std::format("no sallyport listens on {}", path);
  }
  if (error == boost::system::errc::permission_denied) {
    return std::format(
        "{} belongs to another user: run this as the user that sallyport runs as, or as root",
        path);
  }
  return std::format("{}: {}", path,
                     error == boost::beast::error::timeout ? "no answer in time" : error.message());
}

transports::Awaitable<void> exchange(transports::Executor executor, const std::string& path,
                                     std::string_view request, std::chrono::milliseconds timeout,
                                     Outcome& outcome) {
  boost::beast::basic_stream<Unix, transports::Executor> stream(executor);
  stream.expires_after(timeout);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(reply_octets_max);
  auto [error] = co_await stream.async_connect(Unix::endpoint(path), tuple);
  if (!error) {
    std::tie(error, std::ignore) = co_await asio::async_write(stream, asio::buffer(request), tuple);
  }
  if (!error)
    std::tie(error, std::ignore) = co_await http::async_read(stream, buffer, parser, tuple);
  if (error) {
    outcome = std::unexpected(sentence(path, error));
  } else {
    outcome = ControlReply{parser.get().result_int(), std::move(parser.get().body())};
  }
}

}  // namespace

Outcome ask_control(const std::string& socket_path, std::string_view method,
                    std::string_view target, std::string_view body,
                    std::chrono::milliseconds timeout) {
  if (socket_path.size() >= sizeof(sockaddr_un::sun_path))
    return std::unexpected(socket_path + ": this path is too long");
  http::request<http::string_body> request(http::string_to_verb(method), target, 11,
                                           std::string(body));
  request.set(http::field::host, "localhost");
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  request.keep_alive(false);
  request.prepare_payload();

  std::ostringstream octets;
  octets << request;
  Outcome outcome = std::unexpected("nothing was asked");
  asio::io_context context{1};
  asio::co_spawn(context,
                 exchange(context.get_executor(), socket_path, octets.view(), timeout, outcome),
                 asio::detached);
  context.run();
  return outcome;
}

}  // namespace gateway::admin
