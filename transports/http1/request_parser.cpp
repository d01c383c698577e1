// What is a request, and where it ends.
#include "transports/http1/request_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <string_view>

namespace transports::http1 {

namespace {

namespace http = boost::beast::http;

/// Method, version and what parts them.
constexpr std::size_t request_line_rest = 64;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

base::Bytes octets_of(boost::beast::string_view text) { return base::as_bytes(view(text)); }

/// RFC 9112 §3.2.2: servers take the absolute form, too, and go by its path.
std::string_view origin_form(std::string_view target) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::size_t path = target.find_first_of("/?", scheme.size());
    if (path == std::string_view::npos) return "/";
    return target.substr(path);
  }
  return target;
}

/// RFC 9110 §7.2, as far as it is about octets: a name or an address, and a port.
bool is_host(std::string_view text) {
  constexpr std::string_view others = "-._~!$&'()*+,;=%:[]";
  return std::ranges::all_of(text, [others](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.contains(c);
  });
}

}  // namespace

RequestParser::RequestParser(DohRequest& request, const conf::Doh& settings)
    : request_(request), settings_(settings) {
  eager(true);
  header_limit(HttpLimits::target_size_max + request_line_rest + HttpLimits::fields_size_max);
  body_limit(dns::message_size_max);
}

std::size_t RequestParser::take(base::Bytes octets) {
  Error error;
  const std::size_t taken = put(boost::asio::buffer(octets.data(), octets.size()), error);
  if (error && error != http::error::need_more) failure_ = status_of(error);
  return taken;
}

std::uint16_t RequestParser::status_of(const Error& error) const {
  if (refusal_ != 0) return refusal_;
  if (error == http::error::header_limit) return version_ == 0 ? 414 : 431;
  if (error == http::error::body_limit) return 413;
  return 400;
}

void RequestParser::refuse(std::uint16_t status, Error& error) {
  refusal_ = status;
  error = http::make_error_code(http::error::bad_value);
}

void RequestParser::on_request_impl(http::verb, Text method, Text target, int version, Error&) {
  version_ = version;
  request_.method(view(method));
  request_.target(origin_form(view(target)), settings_);
}

void RequestParser::on_field_impl(http::field name, Text text, Text value, Error& error) {
  const bool were_too_many =
      fields_ > HttpLimits::fields_max || fields_size_ > HttpLimits::fields_size_max;
  ++fields_;
  fields_size_ += text.size() + value.size() + HttpLimits::field_overhead;
  switch (name) {
    case http::field::host:
      // §3.2: two of them, and whoever is in front of us may have gone by the other one.
      if (has_host_ || !is_host(view(value))) return refuse(400, error);
      has_host_ = true;
      break;
    case http::field::transfer_encoding:
      // §6.1: what another coding makes of the content, we would not know.
      if (!equal_ignoring_case(view(value), "chunked")) return refuse(501, error);
      break;
    case http::field::expect:
      if (!equal_ignoring_case(view(value), "100-continue")) return refuse(417, error);
      expects_ = version_ > 10;
      break;
    default: break;
  }
  if (were_too_many) return;
  if (fields_ > HttpLimits::fields_max || fields_size_ > HttpLimits::fields_size_max)
    return request_.too_many_fields();
  request_.field(view(text), view(value));
}

void RequestParser::on_header_impl(Error& error) {
  if (!has_host_ && version_ > 10) return refuse(400, error);  // §3.2
}

std::size_t RequestParser::on_body_impl(Text octets, Error&) {
  has_content_ = true;
  request_.content(octets_of(octets));
  return octets.size();
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, Text octets, Error&) {
  has_content_ = true;
  request_.content(octets_of(octets));
  return octets.size();
}

}  // namespace transports::http1
