// From streams to queries, and back.
#include "transports/http2/server_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "transports/http_workspace.h"
#include "transports/stream_session.h"

namespace transports::http2 {

namespace {

HttpWorkspace& workspace_of(const Carrier& carrier) { return http_workspace(carrier.context()); }

base::Counter& counter_of(Abuse abuse, DropCounters& drops) {
  switch (abuse) {
    case Abuse::resets: return drops.http2_resets;
    case Abuse::frames: return drops.http2_frames;
    case Abuse::fields: return drops.http2_fields;
    case Abuse::none:
    case Abuse::protocol: break;
  }
  return drops.http2_protocol;
}

Exchange& exchange_of(Stream& stream) { return static_cast<Exchange&>(stream); }

}  // namespace

ServerSession::ServerSession(Carrier& carrier)
    : Codec(carrier), session_(Role::server, *this, workspace_of(carrier).memory, {}) {}

ServerSession::~ServerSession() {
  for (List* list : {&arriving_, &ready_, &asked_, &late_, &answered_}) {
    while (!list->empty()) recycle(list->front());
  }
}

void ServerSession::take(base::Bytes octets, base::TimePoint now) {
  now_ = now;
  session_.take(octets, now);
  go_on(now);
}

void ServerSession::go_on(base::TimePoint now) {
  now_ = now;
  const std::uint32_t most = carrier_.context().limits.queries_per_session;
  while (!late_.empty() && !carrier_.is_stalled()) {
    Exchange& exchange = late_.front();
    respond(exchange, doh_response(exchange.answer.all(), exchange.summary));
  }
  while (!ready_.empty() && !carrier_.is_stalled() && under_way() < most) answer(ready_.front(), now);
  write();
  if (session_.abuse() == Abuse::none || std::exchange(counted_, true)) return;
  counter_of(session_.abuse(), carrier_.context().drops).add();
}

void ServerSession::answer(Exchange& exchange, base::TimePoint now) {
  if (const std::uint16_t refusal = exchange.request.finish(); refusal != 0)
    return respond(exchange, doh_refusal(refusal));
  Query& query = carrier_.context().streams.query;
  query.verdict = dns::parse_request(exchange.request.message(), query.request);
  if (query.verdict == dns::Verdict::drop) return respond(exchange, doh_refusal(400));
  carrier_.introduce(query, now);
  Reply reply{.out = workspace_of(carrier_).answer, .size = 0, .summary = {}};
  if (ask(query, reply, static_cast<std::uint64_t>(exchange.id())) == Asked::later) {
    exchange.unlink();
    asked_.push_back(exchange);
  } else if (reply.size == 0) {
    respond(exchange, doh_refusal(503));
  } else {
    respond(exchange, doh_response(reply.out.first(reply.size), reply.summary));
  }
}

/// Writes as much of it as there is room for; the rest is kept.
void ServerSession::respond(Exchange& exchange, const HttpResponse& response) {
  exchange.unlink();
  exchange.since = now_;
  answered_.push_back(exchange);
  at_hand_ = &exchange;
  const HttpFields fields(response);
  session_.respond(exchange, response.status, fields.all(), response.body,
                   exchange.request.is_head());
  write();
  if (at_hand_ == nullptr) return;  // it has gone all
  at_hand_ = nullptr;
  const base::Bytes left = exchange.unsent();
  if (left.empty() || exchange.answer.size() != 0) return;  // or lies where it stays
  if (exchange.answer.append(left)) {
    exchange.move_unsent(exchange.answer.all());
  } else {
    exchange.move_unsent({});
    session_.reset(exchange, Code::cancel);
  }
}

void ServerSession::on_answer(std::uint64_t ticket, Answer answer) {
  Stream* const stream = session_.find(static_cast<std::int32_t>(ticket));
  if (stream == nullptr) return count_gone();
  Exchange& exchange = exchange_of(*stream);
  exchange.summary = answer.summary;
  exchange.unlink();
  if (answer.wire.empty() || !exchange.answer.adopt(std::move(answer.wire))) {
    session_.reset(exchange, Code::refused_stream);
    answered_.push_back(exchange);
  } else {
    late_.push_back(exchange);
  }
}

void ServerSession::write() {
  while (!carrier_.is_stalled() && session_.wants_write()) {
    wrote_ = false;
    session_.write_to(*this);
    if (!wrote_) break;  // what is left waits for the client's window
  }
}

bool ServerSession::has_room() const {
  return !carrier_.is_stalled() && carrier_.room().size() >= 2 * Session::frame_size_max;
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
  HttpWorkspace& work = workspace_of(carrier_);
  std::unique_ptr<Exchange> exchange;
  if (work.spare.empty()) {
    exchange = std::make_unique<Exchange>(carrier_.context().waiting.octets);
  } else {
    exchange = std::move(work.spare.back());
    work.spare.pop_back();
  }
  exchange->begin(now_);
  arriving_.push_back(*exchange);
  return exchange.release();
}

void ServerSession::on_field(Stream& stream, std::string_view name, std::string_view value) {
  DohRequest& request = exchange_of(stream).request;
  if (name == ":path") {
    request.target(value, carrier_.context().doh);
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
  Exchange& exchange = exchange_of(stream);
  if (!exchange.whole) exchange.request.content(octets);
}

void ServerSession::on_whole(Stream& stream) {
  Exchange& exchange = exchange_of(stream);
  if (std::exchange(exchange.whole, true)) return;
  exchange.unlink();
  ready_.push_back(exchange);
  carrier_.heard();
}

/// Reset or answered: everything that it held is free at once.
void ServerSession::on_closed(Stream& stream, std::uint32_t) {
  Exchange& exchange = exchange_of(stream);
  if (at_hand_ == &exchange) at_hand_ = nullptr;
  recycle(exchange);
}

void ServerSession::recycle(Exchange& exchange) {
  exchange.unlink();
  exchange.request.begin();
  exchange.answer.clear();
  std::unique_ptr<Exchange> owner(&exchange);
  std::vector<std::unique_ptr<Exchange>>& spare = workspace_of(carrier_).spare;
  if (spare.size() < HttpWorkspace::spare_max) spare.push_back(std::move(owner));
}

}  // namespace transports::http2
