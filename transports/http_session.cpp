// The way of a request through the gateway.
#include "transports/http_session.h"

#include "transports/doh_service.h"
#include "transports/stream_session.h"

namespace transports {

namespace {

HttpWorkspace& workspace_of(const ListenerContext& context) {
  std::unique_ptr<HttpWorkspace>& made = context.streams.http;
  if (!made) made = std::make_unique<HttpWorkspace>(context.metrics);
  return *made;
}

}  // namespace

HttpSession::HttpSession(Carrier& carrier)
    : SessionCodec(carrier), work_(workspace_of(carrier.context())) {}

void HttpSession::begin(HttpExchange& exchange) const {
  const conf::Proxy& proxy = carrier_.context().proxy;
  exchange.request.begin(proxy.is_reverse_proxy(carrier_.client().address) ? &proxy : nullptr);
  exchange.answer.clear();
}

std::optional<HttpResponse> HttpSession::answer(HttpExchange& exchange, std::uint64_t ticket,
                                                base::TimePoint now) {
  if (const std::uint16_t status = exchange.request.finish(); status != 0)
    return without_answer(exchange, status);
  Query& query = carrier_.context().streams.query;
  query.verdict = dns::parse_request(exchange.request.message(), query.request);
  if (query.verdict == dns::Verdict::drop) return without_answer(exchange, 400);
  carrier_.introduce(query, now);
  if (const auto told = exchange.request.client()) query.client.address = *told;
  Reply reply{.out = work_.answer, .size = 0, .summary = {}};
  switch (ask(query, reply, ticket)) {
    case Asked::answered: break;
    case Asked::later: return std::nullopt;
    case Asked::too_many: return without_answer(exchange, 503);
  }
  if (reply.size == 0) return without_answer(exchange, 503);
  return dressed(exchange.request.answer(reply.out.first(reply.size), reply.summary, work_.text));
}

HttpResponse HttpSession::late_response(const HttpExchange& exchange) const {
  if (exchange.answer.size() == 0) return without_answer(exchange, 503);
  return dressed(exchange.request.answer(exchange.answer.all(), exchange.summary, work_.text));
}

HttpResponse HttpSession::without_answer(const HttpExchange& exchange, std::uint16_t status) const {
  if (status >= 400) work_.refusals.count(status);
  return dressed(exchange.request.without_answer(status, context_.doh.page, work_.text));
}

/// What clients of these versions may learn beside the answer.
HttpResponse HttpSession::dressed(HttpResponse response) const {
  response.alternative = context_.doh.alternative;
  return response;
}

}  // namespace transports
