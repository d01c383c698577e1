// The UDP listener.
#include "transports/listeners/udp.h"

#include <boost/asio/redirect_error.hpp>

#include <array>

#include "dns/fit.h"
#include "transports/listeners/sockets.h"
#include "transports/proxy_header.h"

namespace transports {

namespace {

// Timers and streams have their turn after this many batches, however fast datagrams come.
constexpr int batches_per_wake_up = 8;

/// What is sent instead of an answer that is too long for the link it must leave by: come again
/// over TCP. RFC 9715 §3.1, RFC 2181 §9.
std::size_t write_truncated(const dns::Request& request, base::MutableBytes out) {
  const std::size_t size = dns::fit_empty(request, dns::Rcode::noerror, {}, out);
  base::store_u16(&out[2], base::load_u16(&out[2]) | dns::flag::tc);
  return size;
}

}  // namespace

UdpListener::UdpListener(const conf::ListenAddress& address, std::uint16_t index,
                         ListenerContext& context)
    : Inquirer(context),
      index_(index),
      socket_(context.io.get_executor(),
              address.endpoint.address.is_v4() ? boost::asio::ip::udp::v4()
                                               : boost::asio::ip::udp::v6(),
              open_udp_socket(address).release()),
      local_endpoint_(local_endpoint_of(socket_.native_handle())),
      answering_(open_answering_socket({address.protocol, local_endpoint_, address.text})),
      drained_(context.io.get_executor()),
      turn_(Turn::of(context.io)) {}

void UdpListener::start() {
  serve_waiting(answering_.get());  // what was sent to it before it was connected
  wait();
}

void UdpListener::wait() {
  waiting_ = true;
  socket_.async_wait(Socket::wait_read, [this](boost::system::error_code) {
    waiting_ = false;
    if (stopping_) return check_drained();
    {
      const Turn::Scope turn(turn_);
      serve_waiting(socket_.native_handle());
    }
    wait();
  });
}

void UdpListener::serve_waiting(int descriptor) {
  UdpBatch& batch = context_.udp_batch;
  for (int i = 0; i < batches_per_wake_up; ++i) {
    const std::size_t count = batch.receive(descriptor);
    if (count == 0) return;
    {
      const Batch turn(context_.answerer);
      for (std::size_t slot = 0; slot < count; ++slot) read(slot, turn.now());
      if (count > 1) context_.answerer.expect(batch.queries(count));
      for (std::size_t slot = 0; slot < count; ++slot) serve(slot);
    }
    send_batch();
    // Under load more has come by now, and to look costs less than to wait for it.
    if (count == 1) return;
  }
}

/// Makes a query of a packet, one to be dropped if it is none.
void UdpListener::read(std::size_t slot, base::TimePoint now) {
  UdpBatch& batch = context_.udp_batch;
  Query& query = batch.query(slot);
  query.verdict = dns::Verdict::drop;
  query.client = batch.client(slot);
  if (query.client.port == 0) return context_.drops.no_reply_port.add();
  const std::optional<base::Bytes> message = message_of(slot, query.client);
  if (!message) return context_.drops.proxy_header.add();
  query.verdict = dns::parse_request(*message, query.request);
  if (query.verdict == dns::Verdict::drop) return context_.drops.not_a_query.add();
  if (batch.is_cut(slot)) query.verdict = dns::Verdict::format_error;
  query.arrive(conf::Protocol::udp, index_, query.client, now, context_.limits.query_timeout);
  query.size_limit = UdpBatch::packet_size_max;
}

void UdpListener::serve(std::size_t slot) {
  UdpBatch& batch = context_.udp_batch;
  const Query& query = batch.query(slot);
  if (query.verdict == dns::Verdict::drop) return;
  Reply reply{.out = batch.reply_memory(slot), .size = 0, .summary = {}};
  if (!context_.answerer.answer_now(query, reply) && wait_for_answer(slot, reply)) return;
  if (reply.size != 0) batch.reply(slot, reply.size);
}

/// A balancer's datagram begins with a PROXY header that names the client; nothing when it does
/// not.
std::optional<base::Bytes> UdpListener::message_of(std::size_t slot, base::Endpoint& client) {
  const base::Bytes packet = context_.udp_batch.packet(slot);
  if (!context_.proxy.is_balanced(conf::Protocol::udp, client.address)) return packet;
  ProxyHeader header;
  const std::size_t size = header.take(packet);
  if (header.state() != ProxyHeader::State::complete) return std::nullopt;
  client = header.client().value_or(client);
  return packet.subspan(size);
}

void UdpListener::send_batch() {
  UdpBatch& batch = context_.udp_batch;
  batch.send(answering_.get(),
             [this, &batch](std::size_t slot, int error, bool again) -> std::size_t {
               if (error == EMSGSIZE && !again) {
                 return write_truncated(batch.query(slot).request, batch.reply_memory(slot));
               }
               context_.drops.send_refused.add();
               return 0;
             });
}

/// False when too many wait: the reply says so.
bool UdpListener::wait_for_answer(std::size_t slot, Reply& reply) {
  UdpBatch& batch = context_.udp_batch;
  Waiting& waiting = waiting_queries_.take();
  waiting.path = batch.return_path(slot);
  if (ask_later(batch.query(slot), reply, reinterpret_cast<std::uintptr_t>(&waiting)) ==
      Asked::later)
    return true;
  waiting_queries_.give_back(waiting);
  return false;
}

void UdpListener::on_late_answer(std::uint64_t ticket, const LateAnswer& answer) {
  Waiting& waiting = *reinterpret_cast<Waiting*>(static_cast<std::uintptr_t>(ticket));
  if (stopping_) check_drained();
  if (answer.wire.empty()) return waiting_queries_.give_back(waiting);
  waiting.wire.assign(answer.wire.begin(), answer.wire.end());
  if (answer.wire.size() > dns::plain_udp_size) waiting.request = answer.query.request;
  late_.push_back(&waiting);
  turn_.at_end(*this);
}

void UdpListener::send_late_answers() {
  std::array<mmsghdr, UdpBatch::slots> headers;
  std::array<iovec, UdpBatch::slots> parts;
  for (std::size_t first = 0; first < late_.size(); first += UdpBatch::slots) {
    const std::size_t count = std::min(UdpBatch::slots, late_.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      Waiting& late = *late_[first + i];
      parts[i] = {late.wire.data(), late.wire.size()};
      address_reply(headers[i].msg_hdr, late.path, parts[i]);
    }
    UdpBatch::send_all(
        answering_.get(), {headers.data(), count},
        [this, first](std::size_t i, int error, bool again) -> std::size_t {
          Waiting& late = *late_[first + i];
          if (error == EMSGSIZE && !again && late.wire.size() > dns::plain_udp_size) {
            return write_truncated(late.request, late.wire);
          }
          context_.drops.send_refused.add();
          return 0;
        });
  }
  for (Waiting* const sent : late_) waiting_queries_.give_back(*sent);
  late_.clear();
  if (stopping_) check_drained();
}

Awaitable<void> UdpListener::stop(base::TimePoint drain_until) {
  stopping_ = true;
  socket_.cancel();
  drained_.expires_at(drain_until);
  boost::system::error_code cancelled;
  while (waiting_ || ((under_way() != 0 || !late_.empty()) && base::Clock::now() < drain_until)) {
    co_await drained_.async_wait(boost::asio::redirect_error(use_awaitable, cancelled));
  }
  boost::system::error_code ignored;
  socket_.close(ignored);
  answering_ = Descriptor{};
}

void UdpListener::check_drained() {
  if (!waiting_ && under_way() == 0 && late_.empty()) drained_.cancel();
}

}  // namespace transports
