// From requests to queries, and back.
#include "transports/http3/server_session.h"

#include <utility>

#include "transports/doh_service.h"

namespace transports::http3 {

namespace {

// A client that has so much waiting for it and does not read is given up.
constexpr std::size_t unsent_max = std::size_t{2} * 1024 * 1024;
constexpr std::size_t stock_max = 256;
// What an exchange in stock keeps.
constexpr std::size_t kept_capacity_max = 2048;

}  // namespace

// ---- the stock

Workspace::Workspace(OctetBudget& budget, base::MetricSheet& sheet)
    : octets(budget), reply(dns::message_size_max), refusals(sheet) {}

std::unique_ptr<Exchange> Workspace::take() {
  if (stock.empty()) return std::make_unique<Exchange>(octets);
  std::unique_ptr<Exchange> exchange = std::move(stock.back());
  stock.pop_back();
  return exchange;
}

void Workspace::put(std::unique_ptr<Exchange> exchange) {
  exchange->request.begin();
  if (stock.size() >= stock_max || exchange->answer.capacity() > kept_capacity_max) return;
  exchange->answer.clear();
  exchange->id = -1;
  exchange->waited_for = exchange->abandoned = false;
  stock.push_back(std::move(exchange));
}

// ---- requests

ServerSession::ServerSession(quic::Streams& streams, ListenerContext& context, Workspace& work,
                             std::uint16_t listener)
    : Session(Role::server, streams, work.memory, context.limits.queries_per_session),
      Inquirer(context),
      work_(work),
      listener_(listener),
      share_(context.waiting.octets) {}

ServerSession::~ServerSession() {
  exchanges_.clear_and_dispose(
      [this](Exchange* exchange) { work_.put(std::unique_ptr<Exchange>(exchange)); });
}

Stream* ServerSession::on_open() {
  Exchange* const exchange = work_.take().release();
  exchanges_.push_back(*exchange);
  const conf::Proxy& proxy = context_.proxy;
  exchange->request.begin(proxy.is_reverse_proxy(streams_.peer().address) ? &proxy : nullptr);
  be_patient(*exchange);
  return exchange;
}

void ServerSession::on_field(Stream& stream, std::string_view name, std::string_view value) {
  DohRequest& request = of(stream).request;
  if (name == ":path") {
    request.target(value, context_.doh.settings);
  } else if (name == ":method") {
    request.method(value);
  } else if (!name.starts_with(':')) {
    request.field(name, value);
  }
}

void ServerSession::on_too_many_fields(Stream& stream) { of(stream).request.too_many_fields(); }

void ServerSession::on_content(Stream& stream, base::Bytes octets) {
  of(stream).request.content(octets);
}

void ServerSession::on_whole(Stream& stream) {
  Exchange& exchange = of(stream);
  if (exchange.abandoned) return;
  exchange.of_patience.unlink();
  if (const std::uint16_t status = exchange.request.finish(); status != 0)
    return give_none(exchange, status);
  Query& query = work_.query;
  query.verdict = dns::parse_request(exchange.request.message(), query.request);
  if (query.verdict == dns::Verdict::drop) return give_none(exchange, 400);
  if (is_early() && !dns::is_replayable(query.request.opcode()))
    return give_none(exchange, 425);  // RFC 8470 §5.2
  query.arrive(conf::Protocol::doh3, listener_, streams_.peer(), base::Clock::now(),
               context_.limits.query_timeout);
  if (const auto told = exchange.request.client()) query.client.address = *told;
  Reply reply{.out = work_.reply, .size = 0, .summary = {}};
  exchange.waited_for = true;  // first: it may be answered "later" before the call returns
  const Asked asked = ask(query, reply, static_cast<std::uint64_t>(exchange.id));
  if (asked == Asked::later) return;
  exchange.waited_for = false;
  if (asked == Asked::too_many) return give_none(exchange, 503);
  give(exchange, reply.out.first(reply.size), reply.summary);
}

// ---- responses

/// A client may not have more under way by resetting streams: its credit for one comes back when
/// there is nothing left of it.
void ServerSession::on_late_answer(std::uint64_t ticket, const LateAnswer& answer) {
  Stream* const stream = find(static_cast<quic::StreamId>(ticket));
  if (stream == nullptr) {
    context_.drops.client_gone.add();
    grant();
  } else {
    Exchange& exchange = of(*stream);
    exchange.waited_for = false;
    if (exchange.abandoned) {
      context_.drops.client_gone.add();  // its credit comes back when it closes
    } else {
      give(exchange, answer.wire, answer.summary);
    }
  }
  streams_.schedule();
}

void ServerSession::give(Exchange& exchange, base::Bytes wire, const AnswerSummary& summary) {
  if (wire.empty()) return give_none(exchange, 503);
  send(exchange, exchange.request.answer(wire, summary, work_.text));
}

void ServerSession::give_none(Exchange& exchange, std::uint16_t status) {
  if (status >= 400) work_.refusals.count(status);
  send(exchange, exchange.request.without_answer(status, context_.doh.page, work_.text));
}

void ServerSession::send(Exchange& exchange, const HttpResponse& response) {
  exchange.answer.assign(response.body.begin(), response.body.end());
  unsent_ += exchange.answer.size();
  const bool hoards = unsent_ > unsent_max;
  if (hoards || !share_.hold(unsent_)) {
    (hoards ? context_.drops.slow_client : context_.drops.octet_limit).add();
    return streams_.close(number_of(Code::excessive_load));
  }
  const HttpFields fields(response);
  respond(exchange, response.status, fields.all(), exchange.answer, response.body_left_out);
  be_patient(exchange);
}

// ---- ends

void ServerSession::on_reset(Stream& stream, std::uint64_t) { of(stream).abandoned = true; }

bool ServerSession::on_closed(Stream& stream) {
  Exchange& exchange = of(stream);
  const bool waited_for = exchange.waited_for;
  unsent_ -= exchange.answer.size();
  share_.hold(unsent_);
  exchange.of_session.unlink();
  exchange.of_patience.unlink();
  work_.put(std::unique_ptr<Exchange>(&exchange));
  return !waited_for;
}

void ServerSession::on_abuse() {
  switch (abuse()) {
    case Abuse::none: break;
    case Abuse::protocol: return context_.drops.http_protocol.add();
    case Abuse::resets: return context_.drops.http3_resets.add();
    case Abuse::load: return context_.drops.http3_load.add();
    case Abuse::fields: return context_.drops.http_fields.add();
  }
}

/// Every exchange has the same patience, so that the first of the list is the first to lose it.
void ServerSession::be_patient(Exchange& exchange) {
  const bool first = patience_.empty();
  exchange.since = base::Clock::now();
  exchange.of_patience.unlink();
  patience_.push_back(exchange);
  if (first) context_.timers.set(*this, exchange.since + context_.limits.message_timeout);
}

void ServerSession::on_deadline(base::TimePoint now) {
  while (!patience_.empty()) {
    Exchange& exchange = patience_.front();
    const base::TimePoint until = exchange.since + context_.limits.message_timeout;
    if (until > now) return context_.timers.set(*this, until);
    exchange.of_patience.unlink();
    context_.drops.slow_client.add();
    exchange.abandoned = true;
    reset(exchange, Code::request_incomplete);
    streams_.schedule();
  }
}

}  // namespace transports::http3
