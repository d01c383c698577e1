// A wake-up: datagrams to connections, then every connection that has something to say has its
// turn, and all of it leaves in one go.
#include "transports/quic/endpoint.h"

#include <boost/asio/redirect_error.hpp>

#include <string>
#include <utility>

#include "certs/store.h"
#include "transports/listeners/sockets.h"
#include "transports/stream_session.h"

namespace transports::quic {

namespace {

// Timers and other sockets have their turn after this many rounds, however fast datagrams come.
constexpr int rounds_per_wake_up = 8;
// Connections whose goodbye may still have to be repeated; more of them are forgotten.
constexpr std::size_t closed_max = 1024;
constexpr std::uint8_t long_header = 0x80;

}  // namespace

Endpoint::Endpoint(const conf::ListenAddress& address, std::uint16_t listener_index,
                   ListenerContext& context, Service& service)
    : context_(context),
      work_(*context.quic),
      service_(service),
      protocol_(address.protocol),
      index_(listener_index),
      accepted_(context.metrics.counter(
          "sallyport_sessions_total",
          {{"transport", std::string(conf::row_of(address.protocol).name)}})),
      handshakes_(context.metrics, conf::row_of(address.protocol).name),
      socket_(context.io.get_executor(),
              address.endpoint.address.is_v4() ? boost::asio::ip::udp::v4()
                                               : boost::asio::ip::udp::v6(),
              open_udp_socket(address).release()),
      local_endpoint_(local_endpoint_of(socket_.native_handle())),
      stateless_(work_),
      timer_(context.io.get_executor()),
      drained_(context.io.get_executor()),
      turn_(Turn::of(context.io)),
      home_(std::make_shared<Endpoint*>(this)),
      inbox_(work_.process.crossing, listener_index, work_.worker, context.io,
             [this](const std::vector<CarriedDatagram>& burst) { take_carried(burst); }) {
  Datagrams::prepare(socket_.native_handle(), !address.endpoint.address.is_v4());
  if (work_.worker == 0) static_cast<void>(work_.process.ids.steer(socket_.native_handle()));
}

Endpoint::~Endpoint() { *home_ = nullptr; }

// ---- datagrams in

void Endpoint::wait() {
  socket_.async_wait(Socket::wait_read, [this, home = home_](boost::system::error_code error) {
    if (*home == nullptr || error) return;
    {
      const Turn::Scope turn(turn_);
      on_readable();
    }
    wait();
  });
}

void Endpoint::on_readable() {
  Datagrams& datagrams = work_.datagrams;
  for (int round = 0; round < rounds_per_wake_up; ++round) {
    const std::size_t count = datagrams.receive(socket_.native_handle(), local_endpoint_);
    if (count == 0) break;
    {
      const Batch turn(context_.answerer);
      for (std::size_t slot = 0; slot < count; ++slot) {
        datagrams.each(slot, [this](const Datagram& datagram) { take(datagram); });
      }
    }
    let_leave();
    if (count < Datagrams::slots) break;
  }
}

void Endpoint::take(const Datagram& datagram) {
  work_.counters.received.add();
  route(datagram, false);
}

void Endpoint::take_carried(const std::vector<CarriedDatagram>& burst) {
  // Behind stop(): what would be answered now would leave by another endpoint's socket.
  if (!socket_.is_open()) return;
  {
    const Batch turn(context_.answerer);
    for (const CarriedDatagram& each : burst) {
      route({.path = each.path, .ecn = each.ecn, .octets = each.octets}, true);
    }
  }
  let_leave();
}

/// RFC 9000 §5.2.
void Endpoint::route(const Datagram& datagram, bool carried) {
  ngtcp2_version_cid header;
  switch (ngtcp2_pkt_decode_version_cid(&header, datagram.octets.data(), datagram.octets.size(),
                                        ConnectionIds::size)) {
    case 0: break;
    case NGTCP2_ERR_VERSION_NEGOTIATION:
      return stateless_.negotiate_version(datagram, header, socket_.native_handle());
    default: return work_.counters.unknown.add();
  }
  const bool is_long = (datagram.octets[0] & long_header) != 0;
  // §6.1: never an answer to version negotiation, whose version is 0.
  if (is_long && header.version == 0) return work_.counters.unknown.add();
  const base::Bytes id{header.dcid, header.dcidlen};
  if (Connection* known = find(id, is_long)) return read(*known, datagram);
  if (!carried && hand_over(datagram, id)) return;
  if (is_long) return accept(datagram);
  work_.counters.unknown.add();
  stateless_.reset(datagram, id, socket_.native_handle());
}

Connection* Endpoint::find(base::Bytes id, bool is_long) {
  if (id.size() == ConnectionIds::size) {
    Id key;
    std::ranges::copy(id, key.begin());
    if (const auto found = by_id_.find(key); found != by_id_.end()) return found->second;
  }
  if (!is_long || by_first_id_.empty()) return nullptr;
  const auto found = by_first_id_.find({id.begin(), id.end()});
  return found == by_first_id_.end() ? nullptr : found->second;
}

/// An Initial and early data are everybody's: the id that a client makes up names no worker.
bool Endpoint::hand_over(const Datagram& datagram, base::Bytes id) {
  if (id.size() != ConnectionIds::size) return false;
  constexpr std::uint8_t early_or_initial = 0x20;  // the types 0 and 1 of §17.2 lack it
  const std::uint8_t first = datagram.octets[0];
  if ((first & long_header) != 0 && (first & early_or_initial) == 0) return false;
  const std::uint8_t owner = work_.process.ids.worker_of(id);
  if (owner == work_.worker) return false;
  if (!work_.process.crossing.hand_over(
          index_, owner,
          {.path = datagram.path,
           .ecn = datagram.ecn,
           .octets = {datagram.octets.begin(), datagram.octets.end()}})) {
    return false;
  }
  work_.counters.handed_over.add();
  return true;
}

void Endpoint::accept(const Datagram& datagram) {
  const int descriptor = socket_.native_handle();
  ngtcp2_pkt_hd initial;
  // §14.1: what is smaller could be anybody's way to make us send more than he did.
  if (datagram.octets.size() < datagram_size ||
      ngtcp2_accept(&initial, datagram.octets.data(), datagram.octets.size()) != 0) {
    return work_.counters.unknown.add();
  }
  Connection::Arrival arrival{
      .path = datagram.path, .initial = initial, .token = {}, .original = {}};
  arrival.token = work_.process.secrets.check(initial, datagram.path, arrival.original);
  if (arrival.token == Secrets::Verdict::bad)
    return stateless_.refuse(datagram, initial, NGTCP2_INVALID_TOKEN, descriptor);
  if (arrival.token != Secrets::Verdict::retry && initial.dcid.datalen < NGTCP2_MIN_INITIAL_DCIDLEN)
    return work_.counters.unknown.add();
  if (stopping_) return stateless_.refuse(datagram, initial, NGTCP2_CONNECTION_REFUSED, descriptor);
  if (arrival.token == Secrets::Verdict::none && half_open_ >= work_.settings.retry_above)
    return stateless_.retry(datagram, initial, descriptor);
  std::optional<SessionPlace> place = admit(datagram.path.client().address);
  if (!place) return stateless_.refuse(datagram, initial, NGTCP2_CONNECTION_REFUSED, descriptor);
  add(datagram, arrival, std::move(*place));
}

std::optional<SessionPlace> Endpoint::admit(const base::Address& client) {
  using Refusal = SessionRegistry::Refusal;
  const conf::Limits& limits = context_.limits;
  const auto ask = [&] {
    return context_.sessions.admit(client, protocol_, limits.sessions, limits.sessions_per_client);
  };
  auto place = ask();
  if (!place && place.error() == Refusal::all && (evict_one() || context_.streams.evict_one())) {
    context_.drops.session_evicted.add();
    place = ask();
  }
  if (place) return std::move(*place);
  (place.error() == Refusal::client ? context_.drops.client_limit : context_.drops.session_limit)
      .add();
  return std::nullopt;
}

void Endpoint::add(const Datagram& datagram, const Connection::Arrival& arrival,
                   SessionPlace place) {
  const Connection::Terms terms{.streams = service_.limits(),
                                .idle_timeout = context_.limits.idle_timeout,
                                .handshake_timeout = context_.limits.handshake_timeout,
                                .memory = &work_.memory,
                                .qlogs = &work_.qlogs};
  std::unique_ptr<Connection> made = Connection::accept(
      *this, arrival, terms, context_.certificates->make_session(service_.alpn()),
      work_.process.secrets, work_.settings.early_data ? &work_.process.early_tickets : nullptr);
  if (!made) return;
  Connection& connection = *made;
  sessions_.emplace(&connection, Session{std::move(made), std::move(place)});
  ++live_;
  ++half_open_;
  // Until the client has learnt an id of ours, it uses the one that it made up.
  connection.ids.push_back(arrival.initial.dcid);
  const base::Bytes first = octets_of(arrival.initial.dcid);
  by_first_id_.emplace(std::vector<std::uint8_t>(first.begin(), first.end()), &connection);
  read(connection, datagram);
}

void Endpoint::read(Connection& connection, const Datagram& datagram) {
  if (connection.read(datagram) == Connection::Outcome::retry_wanted) {
    ngtcp2_pkt_hd initial;
    if (ngtcp2_accept(&initial, datagram.octets.data(), datagram.octets.size()) == 0)
      stateless_.retry(datagram, initial, socket_.native_handle());
  }
  if (connection.is_open()) {
    connection.of_idle.unlink();
    open_.push_back(connection);
  }
}

// ---- packets out

void Endpoint::wants_turn(Connection& connection) {
  if (connection.of_due.is_linked()) return;
  due_.push_back(connection);
  turn_.at_end(*this);
}

void Endpoint::let_leave() {
  unlink();
  if (!socket_.is_open()) return;
  const int descriptor = socket_.native_handle();
  // Those that want another turn have it in the next round.
  List<&Connection::of_due> now_due;
  now_due.swap(due_);
  while (!now_due.empty()) {
    Connection& connection = now_due.front();
    now_due.pop_front();
    connection.write(work_.datagrams, descriptor);
    settle(connection);
  }
  while (closed_count_ > closed_max) destroy(closed_.front());
  work_.datagrams.send(descriptor);
  work_.counters.sent.add(work_.datagrams.take_sent());
  work_.counters.not_taken.add(work_.datagrams.take_refused());
  set_timer();
  if (stopping_ && live_ == 0) drained_.cancel();
}

/// Nothing may touch the connection after this.
void Endpoint::settle(Connection& connection) {
  connection.of_expiry.unlink();
  if (connection.finished()) return destroy(connection);
  expiries_.insert(connection);
}

void Endpoint::destroy(Connection& connection) {
  --closed_count_;
  sessions_.erase(&connection);
}

void Endpoint::set_timer() {
  if (expiries_.empty()) return;
  const base::TimePoint first = expiries_.begin()->expiry();
  // Earlier than needed is no harm, and saves a call of the kernel with each packet.
  if (timer_set_to_ != base::TimePoint{} && timer_set_to_ <= first) return;
  timer_set_to_ = first;
  timer_.expires_at(first);
  timer_.async_wait([this, home = home_](boost::system::error_code cancelled) {
    if (*home != nullptr && !cancelled) on_timer();
  });
}

void Endpoint::on_timer() {
  timer_set_to_ = {};
  const base::TimePoint now = base::Clock::now();
  while (!expiries_.empty() && expiries_.begin()->expiry() <= now) {
    Connection& connection = *expiries_.begin();
    connection.of_expiry.unlink();
    connection.on_expiry();
    if (!connection.of_due.is_linked()) due_.push_back(connection);
  }
  let_leave();
}

// ---- what connections say

std::unique_ptr<Codec> Endpoint::make_codec(Connection& connection) {
  return service_.make_codec(connection);
}

bool Endpoint::issue_id(Connection& connection, ngtcp2_cid& id, std::uint8_t* reset_token) {
  if (!work_.process.ids.make(work_.worker, id)) return false;
  work_.process.secrets.reset_token(id, reset_token);
  Id key;
  std::copy_n(id.data, key.size(), key.begin());
  by_id_.emplace(key, &connection);
  connection.ids.push_back(id);
  return true;
}

void Endpoint::retire_id(Connection& connection, const ngtcp2_cid& id) {
  const base::Bytes octets = octets_of(id);
  if (octets.size() == ConnectionIds::size) {
    Id key;
    std::ranges::copy(octets, key.begin());
    if (const auto found = by_id_.find(key); found != by_id_.end() && found->second == &connection)
      by_id_.erase(found);
  }
  if (const auto found = by_first_id_.find({octets.begin(), octets.end()});
      found != by_first_id_.end() && found->second == &connection) {
    by_first_id_.erase(found);
  }
  std::erase_if(connection.ids,
                [&id](const ngtcp2_cid& each) { return ngtcp2_cid_eq(&each, &id) != 0; });
}

void Endpoint::opened(Connection& connection) {
  --half_open_;
  accepted_.add();
  handshakes_.succeeded(connection.tls_facts());
  if (stopping_) connection.drain();
}

void Endpoint::closed(Connection& connection, End end) {
  --live_;
  sessions_.find(&connection)->second.place.reset();
  if (end == End::handshake_timeout || end == End::handshake_failed) {
    --half_open_;
    handshakes_.failed(end == End::handshake_timeout ? "timeout" : "failed");
  }
  switch (end) {
    case End::peer: work_.counters.ended_by_peer.add(); break;
    case End::idle: work_.counters.ended_idle.add(); break;
    case End::handshake_timeout:
    case End::handshake_failed: work_.counters.ended_handshake.add(); break;
    case End::error: work_.counters.ended_error.add(); break;
    case End::drained: work_.counters.ended_drained.add(); break;
  }
  connection.of_idle.unlink();
  closed_.push_back(connection);
  ++closed_count_;
}

void Endpoint::migrated(Connection&) { work_.counters.migrations.add(); }

void Endpoint::early_data(Connection&, EarlyData result) {
  switch (result) {
    case EarlyData::accepted: return work_.counters.early_accepted.add();
    case EarlyData::rejected: return work_.counters.early_rejected.add();
    case EarlyData::replayed: return work_.counters.early_replayed.add();
  }
}

bool Endpoint::evict_one() {
  for (Connection& connection : open_) {
    if (!connection.is_idle()) continue;
    connection.close_politely();
    connection.write(work_.datagrams, socket_.native_handle());
    settle(connection);
    return true;
  }
  return false;
}

// ---- the end

Awaitable<void> Endpoint::stop(base::TimePoint drain_until) {
  stopping_ = true;
  for (auto& [connection, session] : sessions_) {
    if (!connection->has_closed()) connection->drain();
  }
  boost::system::error_code ignored;
  drained_.expires_at(drain_until);
  while (live_ != 0 && base::Clock::now() < drain_until) {
    co_await drained_.async_wait(boost::asio::redirect_error(use_awaitable, ignored));
  }
  for (auto& [connection, session] : sessions_) connection->close_politely();
  let_leave();
  timer_.cancel();
  socket_.close(ignored);
}

}  // namespace transports::quic
