// From requests to queries, and back.
#include "transports/http1/server_session.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "transports/doh_service.h"
#include "transports/stream_session.h"

namespace transports::http1 {

namespace {

/// Appends; there is always room for a response's head (Carrier::head_size_max).
class Head {
 public:
  explicit Head(base::MutableBytes room) : room_(room) {}
  Head& operator<<(std::string_view text) {
    std::memcpy(room_.data() + size_, text.data(), text.size());
    size_ += text.size();
    return *this;
  }
  Head& operator<<(std::uint16_t number) {
    auto* const begin = reinterpret_cast<char*>(room_.data()) + size_;
    size_ += static_cast<std::size_t>(std::to_chars(begin, begin + 5, number).ptr - begin);
    return *this;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  base::MutableBytes room_;
  std::size_t size_ = 0;
};

}  // namespace

ServerSession::ServerSession(Carrier& carrier)
    : HttpSession(carrier),
      exchange_(carrier.context().waiting.octets),
      unread_(carrier.context().waiting.octets) {}

void ServerSession::take(base::Bytes octets, base::TimePoint now) {
  if (over_) return;
  if (unread_.size() == 0) {
    const std::size_t taken = take_requests(octets, now);
    if (over_ || unread_.append(octets.subspan(taken))) return;
  } else if (unread_.append(octets)) {
    return unread_.drop_front(take_requests(unread_.all(), now));
  }
  carrier_.context().drops.octet_limit.add();
  refuse(503);
}

void ServerSession::go_on(base::TimePoint now) {
  if (late_ && !carrier_.is_stalled()) {
    late_ = asked_ = false;
    respond(late_response(exchange_));
    exchange_.answer.clear();
  }
  if (unread_.size() != 0) unread_.drop_front(take_requests(unread_.all(), now));
}

/// As far as whole requests are there that may be answered; how many octets that was.
std::size_t ServerSession::take_requests(base::Bytes octets, base::TimePoint now) {
  std::size_t taken = 0;
  while (!over_ && !asked_ && !carrier_.is_stalled() && taken < octets.size()) {
    if (!take_request(octets.subspan(taken), taken, now)) break;
  }
  return over_ ? octets.size() : taken;
}

/// False when more octets are needed.
bool ServerSession::take_request(base::Bytes octets, std::size_t& taken, base::TimePoint now) {
  if (!parser_) {
    // RFC 9112 §2.2: an empty line before a request is skipped.
    if (octets.front() == '\r' || octets.front() == '\n') {
      ++taken;
      return true;
    }
    begin(exchange_);
    parser_.emplace(exchange_.request, carrier_.context().doh.settings);
    begun_at_ = now;
  }
  taken += parser_->take(octets);
  old_ = parser_->is_old();
  if (parser_->failure() != 0) {
    count_failure(parser_->failure());
    refuse(parser_->failure());
    return false;
  }
  if (!parser_->is_whole()) {
    if (parser_->awaits_permission()) permit_content();
    return false;
  }
  answer_whole(now);
  return true;
}

/// RFC 9110 §10.1.1: or the answer that can be given without the content.
void ServerSession::permit_content() {
  parser_->permit();
  const std::uint16_t status = exchange_.request.finish();
  if (status != 0 && status != 400) return refuse(status);
  put(base::as_bytes(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")));
}

void ServerSession::answer_whole(base::TimePoint now) {
  keeps_open_ = parser_->keeps_open() && !draining_;
  parser_.reset();
  carrier_.heard();
  if (const auto response = answer(exchange_, 0, now)) return respond(*response);
  asked_ = true;
}

void ServerSession::on_answer(std::uint64_t /*ticket*/, Answer answer) {
  exchange_.summary = answer.summary;
  if (!exchange_.answer.adopt(std::move(answer.wire)))
    carrier_.context().drops.octet_limit.add();  // the client is told that there is no answer
  late_ = true;
}

void ServerSession::respond(const HttpResponse& response) {
  keeps_open_ = keeps_open_ && !draining_;
  Head head(carrier_.room());
  head << "HTTP/1.1 " << response.status << " " << http_reason(response.status) << "\r\n";
  const HttpFields fields(response);
  for (const HttpField& field : fields.all()) head << field.name << ": " << field.value << "\r\n";
  if (!keeps_open_) {
    head << "connection: close\r\n";
  } else if (old_) {
    head << "connection: keep-alive\r\n";
  }
  head << "\r\n";
  carrier_.put(head.size());
  if (!response.body_left_out) put(response.body);
  over_ = over_ || !keeps_open_;
}

void ServerSession::count_failure(std::uint16_t status) const {
  DropCounters& drops = carrier_.context().drops;
  if (status == 431) {
    drops.http_fields.add();
  } else {
    drops.http_protocol.add();
  }
}

/// Where the next request would begin is not known, or not waited for.
void ServerSession::refuse(std::uint16_t status) {
  keeps_open_ = false;
  respond(without_answer(exchange_, status));
  over_ = true;
  parser_.reset();
}

/// What there is no room for goes on its way first.
void ServerSession::put(base::Bytes octets) {
  while (!octets.empty()) {
    const base::MutableBytes room = carrier_.room();
    const std::size_t size = std::min(room.size(), octets.size());
    std::memcpy(room.data(), octets.data(), size);
    carrier_.put(size);
    octets = octets.subspan(size);
  }
}

base::TimePoint ServerSession::owed_since() const {
  return parser_ ? begun_at_ : base::TimePoint::max();
}

void ServerSession::too_slow() {
  if (parser_) refuse(408);
}

}  // namespace transports::http1
