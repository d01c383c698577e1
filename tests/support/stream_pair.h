// Two codecs whose streams end in each other, without packets between them: what one writes, the
// other receives, in pieces of any size. RFC 9000 §2 and §3 as far as codecs can see.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "transports/quic/codec.h"

namespace test {

class StreamEnd final : public transports::quic::Streams {
 public:
  using Stream = transports::quic::Stream;
  using StreamId = transports::quic::StreamId;

  /// Whose streams begin with 1 (RFC 9000 §2.1).
  explicit StreamEnd(bool server)
      : next_bidirectional_(server ? 1 : 0), next_unidirectional_(server ? 3 : 2) {}

  // ---- for the test
  transports::quic::Codec* codec = nullptr;
  std::optional<std::uint64_t> closed_with;
  std::uint64_t may_open = 100;  ///< bidirectional ones
  std::uint64_t may_open_unidirectional = 100;
  std::size_t released = 0;   ///< octets, of all streams
  std::size_t granted = 0;    ///< streams
  std::size_t piece = 65536;  ///< at most so much is received at a time

  /// As if the peer had sent it on a stream of its own or ours.
  void deliver(StreamId id, base::Bytes octets, bool fin) {
    Line& line = of(id);
    if (line.received_all) return;
    if (line.stream == nullptr && !line.refused) {
      line.stream = codec->accept(id);
      line.refused = line.stream == nullptr;
      if (line.stream != nullptr) line.stream->id = id;
    }
    do {
      if (line.stream == nullptr || line.not_read || closed_with) break;
      const base::Bytes some = octets.first(std::min(piece, octets.size()));
      octets = octets.subspan(some.size());
      codec->received(*line.stream, some, fin && octets.empty(), false);
    } while (!octets.empty());
    line.received_all = line.received_all || fin;
    settle(id);
  }
  void deliver_reset(StreamId id, std::uint64_t code) {
    Line& line = of(id);
    if (line.stream != nullptr && !line.received_all) codec->reset_by_peer(*line.stream, code);
    line.received_all = true;
    settle(id);
  }
  void deliver_stop(StreamId id) {
    Line& line = of(id);
    if (line.stream != nullptr && !line.sent_all) {
      line.sent_all = true;
      codec->stopped_by_peer(*line.stream);
    }
    settle(id);
  }
  /// What the codec has to say; false: nothing.
  bool take(StreamId& id, std::vector<std::uint8_t>& octets, bool& fin) {
    if (closed_with) return false;
    const transports::quic::Output output = codec->next_output();
    if (output.stream == nullptr) return false;
    id = output.stream->id;
    octets.clear();
    for (std::size_t i = 0; i < output.count; ++i)
      octets.insert(octets.end(), output.parts[i].base, output.parts[i].base + output.parts[i].len);
    fin = output.fin;
    codec->sent(*output.stream, octets.size());
    codec->acknowledged(*output.stream, octets.size());
    if (fin) of(id).sent_all = true;
    return true;
  }
  void settle(StreamId id) {
    Line& line = of(id);
    const bool ours = ((id & 1) != 0) == ((next_bidirectional_ & 1) != 0);
    const bool one_way = (id & 2) != 0;
    const bool out_done = line.sent_all || (one_way && !ours);
    const bool in_done = line.received_all || line.not_read || (one_way && ours);
    if (!out_done || !in_done || line.stream == nullptr) return;
    Stream& gone = *std::exchange(line.stream, nullptr);
    line.refused = true;
    if (codec->closed(gone)) ++granted;
  }
  [[nodiscard]] std::size_t open_streams() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        lines_, [](const auto& each) { return each.second.stream != nullptr; }));
  }
  struct Ending {
    StreamId id;
    std::uint64_t code;
  };
  std::vector<Ending> resets;  ///< RESET_STREAM that it sent, for the peer to hear of
  std::vector<Ending> stops;

  // ---- for the codec
  void close(std::uint64_t code) override {
    if (!closed_with) closed_with = code;
  }
  void schedule() override {}
  void release(std::size_t octets) override { released += octets; }
  void release(Stream&, std::size_t octets) override { released += octets; }
  void grant_stream() override { ++granted; }
  [[nodiscard]] std::uint64_t streams_left() const override { return may_open; }
  [[nodiscard]] bool open(Stream& stream) override {
    return open(stream, may_open, next_bidirectional_);
  }
  [[nodiscard]] bool open_unidirectional(Stream& stream) override {
    return open(stream, may_open_unidirectional, next_unidirectional_);
  }
  void reset(Stream& stream, std::uint64_t code) override {
    reset_writing(stream, code);
    stop_reading(stream, code);
  }
  void reset_writing(Stream& stream, std::uint64_t code) override {
    if (std::exchange(of(stream.id).sent_all, true)) return;
    resets.push_back({stream.id, code});
  }
  void stop_reading(Stream& stream, std::uint64_t code) override {
    Line& line = of(stream.id);
    if (line.received_all || std::exchange(line.not_read, true)) return;
    stops.push_back({stream.id, code});
  }
  [[nodiscard]] Stream* find(StreamId id) const override {
    const auto found = lines_.find(id);
    return found == lines_.end() ? nullptr : found->second.stream;
  }
  [[nodiscard]] base::Endpoint peer() const override {
    return {.address = *base::Address::from_text("192.0.2.9"), .port = 5353};
  }

 private:
  struct Line {
    Stream* stream = nullptr;
    bool refused = false;
    bool received_all = false;
    bool not_read = false;
    bool sent_all = false;
  };
  bool open(Stream& stream, std::uint64_t& left, StreamId& next) {
    if (left == 0) return false;
    --left;
    stream.id = next;
    next += 4;
    of(stream.id).stream = &stream;
    return true;
  }
  Line& of(StreamId id) { return lines_[id]; }

  std::map<StreamId, Line> lines_;
  StreamId next_bidirectional_;
  StreamId next_unidirectional_;
};

/// Carries everything there and back until both have said all.
inline void carry(StreamEnd& one, StreamEnd& other) {
  std::vector<std::uint8_t> octets;
  for (bool moved = true; moved;) {
    moved = false;
    for (auto [from, to] : {std::pair{&one, &other}, std::pair{&other, &one}}) {
      StreamEnd::StreamId id = 0;
      bool fin = false;
      while (from->take(id, octets, fin)) {
        moved = true;
        to->deliver(id, octets, fin);
        from->settle(id);
      }
      for (const auto& [reset, code] : std::exchange(from->resets, {})) {
        moved = true;
        to->deliver_reset(reset, code);
        from->settle(reset);
      }
      for (const auto& [stop, code] : std::exchange(from->stops, {})) {
        moved = true;
        to->deliver_stop(stop);
        from->settle(stop);
      }
    }
  }
}

}  // namespace test
