// Fuzz target: what a client of DNS over HTTP/2 says, frame by frame. Each stream is opened, closed
// once at most, and told nothing afterwards; what we say is whole frames; when we end the
// connection, GOAWAY says why; the budget has everything back.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/http2_frames.h"
#include "transports/doh.h"
#include "transports/http2/session.h"

namespace {

using transports::http2::Abuse;
using transports::http2::Session;
using transports::http2::Stream;

void require(bool holds) {
  if (!holds) std::abort();
}

const conf::Doh& settings() {
  static const conf::Doh made;
  return made;
}

struct Exchange final : Stream {
  explicit Exchange(transports::OctetBudget& budget) : request(budget) { request.begin(); }
  transports::DohRequest request;
  std::string body;
  bool whole = false;
};

/// Answers each request as soon as it is whole, some of them with more than a window takes.
class Server final : private Session::Owner, private Session::Output {
 public:
  Server() : session_(transports::http2::Role::server, *this, memory(), {}) {}

  void take(base::Bytes octets, base::TimePoint now) {
    session_.take(octets, now);
    session_.write_to(*this);
  }
  [[nodiscard]] const std::string& said() const { return said_; }
  [[nodiscard]] bool over() const { return session_.over(); }
  [[nodiscard]] Abuse abuse() const { return session_.abuse(); }
  [[nodiscard]] std::size_t octets_kept() const { return budget_.taken(); }
  void forget() { streams_.clear(); }

 private:
  static transports::http2::Memory& memory() {
    static transports::http2::Memory made;
    return made;
  }
  Exchange& of(Stream& stream) {
    auto& exchange = static_cast<Exchange&>(stream);
    require(streams_.contains(&exchange));
    return exchange;
  }

  Stream* on_open() override {
    require(streams_.size() < 101);
    auto made = std::make_unique<Exchange>(budget_);
    Exchange* const exchange = made.get();
    streams_.emplace(exchange, std::move(made));
    return exchange;
  }
  void on_field(Stream& stream, std::string_view name, std::string_view value) override {
    Exchange& exchange = of(stream);
    require(!exchange.whole && !name.empty());
    if (name == ":path") {
      exchange.request.target(value, settings());
    } else if (name == ":method") {
      exchange.request.method(value);
    } else {
      exchange.request.field(name, value);
    }
  }
  void on_too_many_fields(Stream& stream) override { of(stream).request.too_many_fields(); }
  void on_content(Stream& stream, base::Bytes octets) override {
    require(!of(stream).whole);
    of(stream).request.content(octets);
  }
  void on_whole(Stream& stream) override {
    Exchange& exchange = of(stream);
    require(!exchange.whole);
    exchange.whole = true;
    std::string text;
    const std::uint16_t status = exchange.request.finish();
    transports::HttpResponse response = transports::doh_refusal(status == 0 ? 200 : status);
    exchange.body.assign(exchange.request.message().size() * 100, 'x');
    if (status == 0) response.body = base::as_bytes(exchange.body);
    const transports::HttpFields fields(response);
    session_.respond(exchange, response.status, fields.all(), response.body,
                     exchange.request.is_head());
  }
  void on_closed(Stream& stream, std::uint32_t /*code*/) override {
    require(streams_.erase(&of(stream)) == 1);
  }

  [[nodiscard]] bool has_room() const override { return true; }
  void put(base::Bytes octets) override { said_ += base::as_text(octets); }

  transports::OctetBudget budget_;
  std::map<Exchange*, std::unique_ptr<Exchange>> streams_;
  std::string said_;
  Session session_;
};

}  // namespace

/// The first octet is the size of the pieces; the preface is ours.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{1} + data[0];
  const base::Bytes octets(data + 1, size - 1);
  const base::TimePoint now{std::chrono::seconds(1000)};

  Server server;
  server.take(base::as_bytes(test_support::http2_frames::preface), now);
  for (std::size_t at = 0; at < octets.size() && !server.over(); at += piece)
    server.take(octets.subspan(at, std::min(piece, octets.size() - at)), now);

  std::size_t whole = 0;
  bool goodbye = false;
  for (const auto& frame : test_support::http2_frames::read_frames(server.said())) {
    whole += transports::http2::FrameHeads::size + frame.payload.size();
    goodbye = frame.type == test_support::http2_frames::goaway;
  }
  require(whole == server.said().size());
  require(server.abuse() == Abuse::none || goodbye || !server.over());
  server.forget();
  require(server.octets_kept() == 0);
  return 0;
}
