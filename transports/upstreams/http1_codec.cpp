// Http1Codec: Beast's parser on octets of ours.
#include "transports/upstreams/http1_codec.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/vector_body.hpp>
#include <format>
#include <utility>

#include "dns/message.h"

namespace transports {

namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::vector_body<std::uint8_t>>;

constexpr unsigned interim_max = 4;  // 1xx before the true one (RFC 9110 §15.2)
/// Of octets that the parser wants more of before it takes them.
constexpr std::size_t unread_max = HttpLimits::fields_size_max;

}  // namespace

struct Http1Codec::Response {
  Response() {
    parser.eager(true);
    parser.header_limit(HttpLimits::fields_size_max);
    parser.body_limit(dns::message_size_max);
  }
  Parser parser;
  bool head_taken = false;
};

Http1Codec::Http1Codec(Link& link, const DohTarget& target) : link_(link), target_(target) {}

Http1Codec::~Http1Codec() = default;

void Http1Codec::transmit(Waiting& waiting) {
  if (!room()) return link_.give_back(waiting, "HTTP/1.1: one question at a time");
  ask_ = std::make_unique<DohAsk>(waiting, target_);
  interim_ = 0;
  response_ = std::make_unique<Response>();
  std::string head = std::format("{} {} HTTP/1.1\r\nhost: {}\r\n", ask_->method(), ask_->path(),
                                 ask_->authority());
  for (const HttpField& field : ask_->fields())
    head += std::format("{}: {}\r\n", field.name, field.value);
  head += "\r\n";
  outbox_.append(base::as_bytes(head));
  outbox_.append(ask_->body());
}

void Http1Codec::forget(Waiting& /*waiting*/) { ask_->waiting = nullptr; }

void Http1Codec::take(base::Bytes octets) {
  if (octets.empty()) return;
  if (!ask_) return give_up("a response to nothing that was asked");
  unread_ += base::as_text(octets);
  while (ask_ && !unread_.empty()) {
    if (!parse()) return;
  }
  if (!unread_.empty() && !link_.closed()) give_up("more than a response");
}

/// False when more octets are needed, or the link has ended.
bool Http1Codec::parse() {
  Parser& parser = response_->parser;
  boost::beast::error_code error;
  const std::size_t taken = parser.put(boost::asio::buffer(unread_.data(), unread_.size()), error);
  unread_.erase(0, taken);
  if (error == http::error::need_more) {
    if (unread_.size() < unread_max) return false;
    error = http::error::header_limit;
  }
  if (error == http::error::body_limit) {
    give_up("more than a DNS message");
    return false;
  }
  if (error) {
    give_up("HTTP/1.1 that is none: " + error.message());
    return false;
  }
  if (parser.is_header_done() && !response_->head_taken && !take_head()) return false;
  if (response_->parser.is_done()) finish();
  return !link_.closed();
}

/// False when the link has ended over it.
bool Http1Codec::take_head() {
  const auto& head = response_->parser.get();
  const unsigned status = head.result_int();
  if (status / 100 == 1) {
    if (++interim_ > interim_max || status == 101) {  // we asked for no other protocol
      give_up(std::format("HTTP status {}", status));
      return false;
    }
    response_ = std::make_unique<Response>();
    return true;
  }
  response_->head_taken = true;
  ask_->on_status(status);
  std::size_t count = 0;
  for (const auto& field : head) {
    if (++count > HttpLimits::fields_max) ask_->on_too_many_fields();
    ask_->on_field(field.name_string(), field.value());
  }
  return true;
}

void Http1Codec::finish() {
  const std::unique_ptr<DohAsk> ask = std::move(ask_);
  const std::unique_ptr<Response> response = std::move(response_);
  if (!response->parser.keep_alive()) link_.take_no_more();
  static_cast<void>(ask->on_content(response->parser.get().body()));  // the parser has bounded it
  if (ask->waiting == nullptr) return link_.heard();
  ask->deliver(link_);
}

/// A body without a length ends with the connection (RFC 9112 §6.3).
std::string_view Http1Codec::end_of_stream() {
  if (!ask_) return "closed";
  if (!response_->parser.got_some()) return "closed before the reply";
  boost::beast::error_code error;
  response_->parser.put_eof(error);
  if (!error && response_->parser.is_done() && response_->head_taken) finish();
  return "closed in the middle of a response";
}

void Http1Codec::give_up(std::string_view why) {
  Failure failure = link_.fail(Reason::malformed, why);
  link_.close(LinkEnd::error, std::move(failure));
}

}  // namespace transports
