// CONNECT and its answer.
#include "transports/upstreams/proxy_tunnel.h"

#include <openssl/evp.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <format>
#include <fstream>
#include <optional>
#include <utility>

namespace transports {

namespace {

namespace http = boost::beast::http;

constexpr std::size_t answer_size_max = 8192;
constexpr unsigned interim_max = 4;  // 1xx before the true one (RFC 9110 §15.2)

std::string base64(std::string_view text) {
  std::string out((4 * ((text.size() + 2) / 3)) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   base::as_bytes(text).data(), static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

}  // namespace

std::expected<std::string, std::string> read_proxy_login(const conf::Upstream& upstream) {
  std::string login;
  if (upstream.proxy_login_file.empty()) return login;
  std::ifstream file(upstream.proxy_login_file);
  std::getline(file, login);
  if (login.ends_with('\r')) login.pop_back();
  if (login.contains(':')) return login;
  return std::unexpected(upstream.proxy_login_file + ": holds no user and password");
}

std::string proxy_request(std::string_view target, std::string_view login) {
  std::string request = std::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", target);
  if (!login.empty()) request += std::format("Proxy-Authorization: Basic {}\r\n", base64(login));
  return request + "\r\n";
}

struct ProxyAnswer::Parser {
  std::optional<http::response_parser<http::empty_body>> answer;
};

ProxyAnswer::ProxyAnswer() : parser_(std::make_unique<Parser>()) {}
ProxyAnswer::~ProxyAnswer() = default;

ProxyAnswer::State ProxyAnswer::take(base::Bytes octets) {
  octets_ += base::as_text(octets);
  for (;;) {
    if (!parser_->answer) {
      parser_->answer.emplace();
      parser_->answer->header_limit(answer_size_max);
      parser_->answer->skip(true);  // whatever comes behind a success is the upstream's
    }
    boost::beast::error_code error;
    const std::size_t taken =
        parser_->answer->put(boost::asio::buffer(octets_.data(), octets_.size()), error);
    octets_.erase(0, taken);
    if (error == http::error::need_more) {
      return octets_.size() < answer_size_max ? State::wanted
                                              : refuse("the proxy's answer has no end");
    }
    if (error) return refuse("the proxy does not speak HTTP");
    const unsigned status = parser_->answer->get().result_int();
    if (status / 100 == 1 && ++interim_ <= interim_max) {
      parser_->answer.reset();
      if (octets_.empty()) return State::wanted;
      continue;
    }
    if (status / 100 != 2) return refuse(std::format("the proxy refuses with status {}", status));
    // An upstream never speaks first: TLS and DNS begin with what we send.
    if (!octets_.empty()) return refuse("the proxy says more than that it connects");
    return State::connected;
  }
}

ProxyAnswer::State ProxyAnswer::refuse(std::string why) {
  why_ = std::move(why);
  return State::refused;
}

}  // namespace transports
