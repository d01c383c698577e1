// From frames to queries, and back.
#include "transports/framed_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "transports/stream_session.h"

namespace transports {

void FramedSession::take(base::Bytes octets, base::TimePoint now) {
  const bool was_empty = frames_.empty();
  frames_.feed(octets);
  advanced_ = false;
  answer_whole_messages(now);
  frames_.keep();
  if (was_empty || advanced_) begun_at_ = now;  // what is left, if anything, is another message
}

void FramedSession::go_on(base::TimePoint now) {
  std::size_t from = 0;
  while (from < late_.size() && !carrier_.is_stalled()) {
    const base::MutableBytes room = carrier_.room();
    const std::size_t size = std::min(room.size(), late_.size() - from);
    std::memcpy(room.data(), late_.data() + from, size);
    carrier_.put(size);
    from += size;
  }
  if (from == late_.size()) {
    if (from != 0) late_ = {};
  } else {
    late_.erase(late_.begin(), late_.begin() + static_cast<std::ptrdiff_t>(from));
  }
  answer_whole_messages(now);
}

void FramedSession::answer_whole_messages(base::TimePoint now) {
  while (may_answer()) {
    const std::optional<base::Bytes> message = frames_.next();
    if (!message) {
      if (!frames_.sound()) refuse_the_rest();
      return;
    }
    advanced_ = true;
    carrier_.heard();
    answer(*message, now);
  }
}

void FramedSession::answer(base::Bytes message, base::TimePoint now) {
  Query& query = carrier_.context().streams.query;
  query.verdict = dns::parse_request(message, query.request);
  if (query.verdict == dns::Verdict::drop) return refuse_the_rest();
  carrier_.introduce(query, now);
  const base::MutableBytes room = carrier_.room();
  Reply reply{
      .out = room.subspan(frame_prefix_size, dns::message_size_max), .size = 0, .summary = {}};
  if (ask(query, reply, 0) == Asked::later || reply.size == 0) return;
  base::store_u16(room.data(), static_cast<std::uint16_t>(reply.size));
  carrier_.put(frame_prefix_size + reply.size);
}

void FramedSession::on_answer(std::uint64_t /*ticket*/, Answer answer) {
  if (answer.wire.empty()) return;
  std::array<std::uint8_t, frame_prefix_size> prefix{};
  base::store_u16(prefix.data(), static_cast<std::uint16_t>(answer.wire.size()));
  late_.insert(late_.end(), prefix.begin(), prefix.end());
  late_.insert(late_.end(), answer.wire.begin(), answer.wire.end());
}

/// Whoever frames responses or scraps is lost in its stream, or speaks something else.
void FramedSession::refuse_the_rest() {
  carrier_.context().drops.not_a_query.add();
  draining_ = true;
  carrier_.take_no_more();
}

base::TimePoint FramedSession::owed_since() const {
  return frames_.empty() || !may_answer() ? base::TimePoint::max() : begun_at_;
}

}  // namespace transports
