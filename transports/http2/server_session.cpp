// From streams to queries, and back.
#include "transports/http2/server_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "transports/doh_service.h"
#include "transports/stream_session.h"

namespace transports::http2 {

namespace {

// What a session writes at a time fits in, whatever is there already.
static_assert(StreamWorkspace::output_size - StreamWorkspace::output_flush >=
              2 * Session::frame_size_max);

base::Counter& counter_of(Abuse abuse, DropCounters& drops) {
  switch (abuse) {
    case Abuse::resets: return drops.http2_resets;
    case Abuse::frames: return drops.http2_frames;
    case Abuse::fields: return drops.http_fields;
    case Abuse::none:
    case Abuse::protocol: break;
  }
  return drops.http_protocol;
}

Exchange& exchange_of(Stream& stream) { return static_cast<Exchange&>(stream); }

}  // namespace

ServerSession::ServerSession(Carrier& carrier)
    : HttpSession(carrier),
      session_(Role::server, *this, work_.memory,
               {.concurrent_streams = carrier.context().limits.queries_per_session}) {}

ServerSession::~ServerSession() {
  for (List* list : {&arriving_, &ready_, &asked_, &late_, &answered_}) {
    while (!list->empty()) recycle(list->front());
  }
}

void ServerSession::take(base::Bytes octets, base::TimePoint now) {
  now_ = now;
  ++takes_;
  session_.take(octets, now);
  go_on(now);
}

void ServerSession::go_on(base::TimePoint now) {
  now_ = now;
  while (!late_.empty() && !carrier_.is_stalled()) {
    const std::uint32_t with = late_.front().asked_with;
    respond(late_.front(), late_response(late_.front()));
    if (late_.empty() || late_.front().asked_with != with) carrier_.end_record();
  }
  while (!ready_.empty() && !carrier_.is_stalled() && may_ask()) {
    Exchange& exchange = ready_.front();
    move(exchange, asked_);  // first: it may be answered "later" before the call returns
    const auto response = answer(exchange, static_cast<std::uint64_t>(exchange.id()), now);
    if (response) respond(exchange, *response);
  }
  write();
  if (session_.abuse() == Abuse::none || std::exchange(counted_, true)) return;
  counter_of(session_.abuse(), carrier_.context().drops).add();
}

/// Writes as much of it as there is room for; the rest is kept.
void ServerSession::respond(Exchange& exchange, const HttpResponse& response) {
  exchange.since = now_;
  move(exchange, answered_);
  at_hand_ = &exchange;
  const HttpFields fields(response);
  session_.respond(exchange, response.status, fields.all(), response.body, response.body_left_out);
  write();
  if (std::exchange(at_hand_, nullptr) != nullptr) keep_unsent(exchange);
}

void ServerSession::keep_unsent(Exchange& exchange) {
  const base::Bytes left = exchange.unsent();
  const base::Bytes kept = exchange.answer.all();
  if (left.empty()) return;
  if (!kept.empty() && &left.front() >= &kept.front() && &left.front() <= &kept.back())
    return;  // it lies where it stays
  kept_ -= kept.size();
  exchange.answer.clear();
  if (exchange.answer.append(left)) {
    kept_ += left.size();
    exchange.move_unsent(exchange.answer.all());
  } else {
    carrier_.context().drops.octet_limit.add();
    exchange.move_unsent({});
    session_.reset(exchange, Code::enhance_your_calm);
  }
}

void ServerSession::on_answer(std::uint64_t ticket, Answer answer) {
  Stream* const stream = session_.find(static_cast<std::int32_t>(ticket));
  if (stream == nullptr) return carrier_.context().drops.client_gone.add();
  Exchange& exchange = exchange_of(*stream);
  exchange.summary = answer.summary;
  if (exchange.answer.adopt(std::move(answer.wire))) {
    kept_ += exchange.answer.size();
  } else {
    carrier_.context().drops.octet_limit.add();  // the client is told that there is no answer
  }
  move(exchange, late_);
}

void ServerSession::write() {
  while (!carrier_.is_stalled() && session_.wants_write()) {
    wrote_ = false;
    session_.write_to(*this);
    if (!wrote_) break;  // what is left waits for the client's window
  }
}

void ServerSession::put(base::Bytes octets) {
  wrote_ = true;
  const base::MutableBytes room = carrier_.room();
  std::memcpy(room.data(), octets.data(), octets.size());
  carrier_.put(octets.size());
}

bool ServerSession::wants_more() const {
  // More than one read's requests need not wait here: the client's window and ours bound them.
  return ready_.empty() && !session_.over();
}

bool ServerSession::has_work() const {
  return under_way() != 0 || !ready_.empty() || !late_.empty() || !answered_.empty() ||
         session_.wants_write();
}

base::TimePoint ServerSession::owed_since() const {
  base::TimePoint since = base::TimePoint::max();
  if (!arriving_.empty()) since = arriving_.front().since;
  if (!answered_.empty()) since = std::min(since, answered_.front().since);
  return since;
}

Stream* ServerSession::on_open() {
  std::unique_ptr<Exchange> exchange;
  if (work_.spare.empty()) {
    exchange = std::make_unique<Exchange>(carrier_.context().waiting.octets);
  } else {
    exchange = std::move(work_.spare.back());
    work_.spare.pop_back();
  }
  begin(*exchange);
  exchange->since = now_;
  exchange->whole = false;
  arriving_.push_back(*exchange);
  return exchange.release();
}

void ServerSession::on_field(Stream& stream, std::string_view name, std::string_view value) {
  DohRequest& request = exchange_of(stream).request;
  if (name == ":path") {
    request.target(value, carrier_.context().doh.settings);
  } else if (name == ":method") {
    request.method(value);
  } else if (!name.starts_with(':')) {
    request.field(name, value);
  }
}

void ServerSession::on_too_many_fields(Stream& stream) {
  exchange_of(stream).request.too_many_fields();
}

void ServerSession::on_content(Stream& stream, base::Bytes octets) {
  exchange_of(stream).request.content(octets);
}

void ServerSession::on_whole(Stream& stream) {
  Exchange& exchange = exchange_of(stream);
  if (std::exchange(exchange.whole, true)) return;
  exchange.asked_with = takes_;
  move(exchange, ready_);
  carrier_.heard();
}

/// Reset or answered: everything that it held is free at once.
void ServerSession::on_closed(Stream& stream, std::uint32_t /*code*/) {
  Exchange& exchange = exchange_of(stream);
  if (at_hand_ == &exchange) at_hand_ = nullptr;
  recycle(exchange);
}

void ServerSession::recycle(Exchange& exchange) {
  exchange.unlink();
  kept_ -= exchange.answer.size();
  exchange.answer.clear();
  exchange.request.begin();
  std::unique_ptr<Exchange> owner(&exchange);
  if (work_.spare.size() < HttpWorkspace::spare_max) work_.spare.push_back(std::move(owner));
}

void ServerSession::move(Exchange& exchange, List& list) {
  exchange.unlink();
  list.push_back(exchange);
}

}  // namespace transports::http2
