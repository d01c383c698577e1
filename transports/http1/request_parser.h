// One request over HTTP/1.1 as it arrives: Beast's parser, whose findings go straight into the
// request, so that nothing is kept of what is of no use. RFC 9112. Owned by a session.
#pragma once

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "transports/doh.h"

namespace transports::http1 {

class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  /// Both outlive it.
  RequestParser(DohRequest& request, const conf::Doh& settings);

  /// Gives how many octets were of use; the rest is to come again with what follows.
  std::size_t take(base::Bytes octets);

  [[nodiscard]] bool is_whole() const { return is_done(); }
  /// The status that says why nothing can follow on this connection; 0 while all is well.
  [[nodiscard]] std::uint16_t failure() const { return failure_; }
  /// The client waits to hear whether its content is wanted (RFC 9110 §10.1.1).
  [[nodiscard]] bool awaits_permission() const {
    return expects_ && is_header_done() && !is_done() && !has_content_;
  }
  void permit() { expects_ = false; }
  /// Of a whole request: another one may follow.
  [[nodiscard]] bool keeps_open() const { return failure_ == 0 && keep_alive(); }
  /// That has to be said to it (RFC 9112 §9.3).
  [[nodiscard]] bool is_old() const { return version_ == 10; }

 private:
  using Error = boost::beast::error_code;
  using Text = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, Text method, Text target, int version,
                       Error& error) override;
  void on_response_impl(int, Text, int, Error&) override {}
  void on_field_impl(boost::beast::http::field name, Text text, Text value, Error& error) override;
  void on_trailer_field_impl(boost::beast::http::field, Text, Text, Error&) override {}
  void on_header_impl(Error& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}
  std::size_t on_body_impl(Text octets, Error&) override;
  void on_chunk_header_impl(std::uint64_t, Text, Error&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text octets, Error&) override;
  void on_finish_impl(Error&) override {}

  void refuse(std::uint16_t status, Error& error);
  [[nodiscard]] std::uint16_t status_of(const Error& error) const;

  DohRequest& request_;
  const conf::Doh& settings_;
  std::size_t fields_ = 0;
  std::size_t fields_size_ = 0;
  int version_ = 0;  // 0 until the request line has come
  std::uint16_t failure_ = 0;
  std::uint16_t refusal_ = 0;  // found inside a call of Beast's
  bool has_host_ = false;
  bool has_content_ = false;
  bool expects_ = false;
};

}  // namespace transports::http1
