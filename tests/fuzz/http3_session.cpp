// Whatever comes on the streams of an HTTP/3 connection, as a server and as a client meet it:
// frames, QPACK, ends and resets. The first octet is the role and how the octets are cut; then
// follow pieces, each with its stream, what happens to that, and its size.
#include "transports/http3/session.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <utility>
#include <vector>

#include "tests/support/stream_pair.h"

namespace {

using namespace transports;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

struct Exchange final : http3::Stream {
  std::size_t fields = 0;
  std::size_t fields_size = 0;
  bool whole = false;
  bool closed = false;
};

class End final : public http3::Session {
 public:
  End(http3::Role role, test::StreamEnd& streams, LibraryMemory& memory)
      : Session(role, streams, memory, 16) {
    streams.codec = this;
    opened();
  }
  using Session::drain;
  void ask() {
    constexpr HttpField get[] = {{":method", "GET", true},
                                 {":scheme", "https", true},
                                 {":authority", "a", true},
                                 {":path", "/", true}};
    request(exchanges.emplace_back(), get, {});
  }
  [[nodiscard]] bool idle() const override { return false; }

  std::list<Exchange> exchanges;
  bool serves = true;

 private:
  static Exchange& of(http3::Stream& stream) { return static_cast<Exchange&>(stream); }
  http3::Stream* on_open() override { return &exchanges.emplace_back(); }
  void on_field(http3::Stream& stream, std::string_view name, std::string_view value) override {
    Exchange& exchange = of(stream);
    ++exchange.fields;
    exchange.fields_size += name.size() + value.size() + HttpLimits::field_overhead;
    must(!exchange.closed, "a field of a closed stream");
    if (name == ":status") exchange.fields = exchange.fields_size = 0;
    must(exchange.fields <= HttpLimits::fields_max, "too many fields");
    must(exchange.fields_size <= HttpLimits::fields_size_max, "too large fields");
  }
  void on_too_many_fields(http3::Stream& stream) override { must(!of(stream).closed, "closed"); }
  void on_content(http3::Stream& stream, base::Bytes) override {
    must(!of(stream).whole && !of(stream).closed, "content behind the end");
  }
  void on_whole(http3::Stream& stream) override {
    Exchange& exchange = of(stream);
    must(!std::exchange(exchange.whole, true), "whole twice");
    if (serves) respond(stream, 200, {}, base::as_bytes("answer"), false);
  }
  void on_reset(http3::Stream& stream, std::uint64_t) override {
    must(!of(stream).closed, "reset behind its end");
  }
  bool on_closed(http3::Stream& stream) override {
    must(!std::exchange(of(stream).closed, true), "closed twice");
    return true;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool server = (data[0] & 1) == 0;
  LibraryMemory memory;
  test::StreamEnd streams(server);
  streams.piece = (data[0] & 2) == 0 ? 65536 : 1;
  End end(server ? http3::Role::server : http3::Role::client, streams, memory);
  end.serves = server;
  if (!server) {
    for (int i = 0; i < 3; ++i) end.ask();
  }
  std::vector<std::uint8_t> octets;
  quic::StreamId id = 0;
  bool fin = false;
  base::Reader in({data + 1, size - 1});
  std::size_t received = 0;
  while (in.remaining() != 0) {
    // 0 to 7: requests; 8 to 15: streams of one way that the peer opens.
    const std::uint8_t head = in.u8();
    const std::uint8_t length = in.u8();
    const base::Bytes piece = in.bytes(std::min<std::size_t>(length, in.remaining()));
    if (!in.ok()) break;
    const quic::StreamId number = (head & 7) * 4;
    const bool one_way = (head & 8) != 0;
    const quic::StreamId stream = one_way ? number + (server ? 2 : 3) : number;
    if (!one_way && !server && number > 8) continue;  // which it never opened
    received += piece.size();
    streams.deliver(stream, piece, (head & 16) != 0);
    if ((head & 32) != 0) streams.deliver_reset(stream, 0x10c);
    if ((head & 64) != 0 && !one_way) streams.deliver_stop(stream);
    if ((head & 128) != 0) end.drain();
    while (streams.take(id, octets, fin)) streams.settle(id);
    must(end.memory_held() <= std::size_t{320} * 1024, "kept too much");
  }
  must(streams.released <= received, "more credit than was used");
  return 0;
}
