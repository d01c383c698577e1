// Client connections for tests and benchmarks.
#include "tests/support/quic_client.h"

#include <openssl/rand.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>

#include "transports/listeners/sockets.h"
#include "transports/quic/connection_ids.h"

namespace test {

using namespace transports::quic;

namespace {

constexpr std::chrono::seconds patience{10};

Path path_between(const base::Endpoint& local, const base::Endpoint& remote) {
  Path path;
  sockaddr_storage storage{};
  path.local_size = local.to_sockaddr(storage);
  std::memcpy(&path.local, &storage, sizeof path.local);
  path.remote_size = remote.to_sockaddr(storage);
  std::memcpy(&path.remote, &storage, sizeof path.remote);
  return path;
}

int bound_socket() {
  const int made = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (made < 0 || ::bind(made, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("no socket for a client");
  return made;
}

}  // namespace

// ---- streams

ClientStream* ClientStreams::open(bool one_way) {
  ClientStream& stream = streams.emplace_back();
  if (one_way ? connection_.open_unidirectional(stream) : connection_.open(stream)) return &stream;
  streams.pop_back();
  return nullptr;
}

void ClientStreams::say(ClientStream& stream, base::Bytes octets, bool fin) {
  if (stream.all_said) return;
  // What is sent already stays where it is until acknowledged: octets are moved before that alone.
  if (stream.said.capacity() < stream.said.size() + octets.size() && stream.sent != 0) return;
  if (stream.said.empty()) stream.said.reserve(std::max<std::size_t>(octets.size(), 2048));
  stream.said.insert(stream.said.end(), octets.begin(), octets.end());
  stream.all_said = fin;
}

void ClientStreams::reset(ClientStream& stream, std::uint64_t code) {
  if (stream.closed) return;
  unwritable(stream);
  connection_.reset_writing(stream, code);
}

void ClientStreams::stop(ClientStream& stream, std::uint64_t code) {
  if (!stream.closed) connection_.stop_reading(stream, code);
}

void ClientStreams::received(Stream& any, base::Bytes octets, bool fin, bool) {
  ClientStream& stream = of(any);
  stream.heard.insert(stream.heard.end(), octets.begin(), octets.end());
  stream.heard_all = stream.heard_all || fin;
  connection_.release(stream, octets.size());
}

bool ClientStreams::closed(Stream& any) {
  of(any).closed = true;
  unwritable(any);
  return true;
}

Output ClientStreams::next_output() {
  for (ClientStream& stream : streams) {
    const bool has_more = stream.sent < stream.said.size() || (stream.all_said && !stream.fin_sent);
    if (!has_more || stream.blocked || stream.closed) continue;
    Output output{.stream = &stream, .parts = {}, .count = 1, .fin = stream.all_said};
    output.parts[0] = {stream.said.data() + stream.sent, stream.said.size() - stream.sent};
    return output;
  }
  return {};
}

void ClientStreams::sent(Stream& any, std::size_t octets) {
  ClientStream& stream = of(any);
  stream.sent += octets;
  stream.fin_sent = stream.all_said && stream.sent == stream.said.size();
}

void ClientStreams::unwritable(Stream& any) {
  ClientStream& stream = of(any);
  stream.all_said = stream.fin_sent = true;
  stream.sent = stream.said.size();
}

// ---- the connection

QuicClients::QuicClients(SSL_CTX& context, std::string_view protocol)
    : tls(context), alpn(protocol) {
  Connection::prepare_library();
}

QuicClient::QuicClient(QuicClients& all, std::uint16_t port)
    : all_(all), descriptor_(bound_socket()), local_(transports::local_endpoint_of(descriptor_)) {
  Datagrams::prepare(descriptor_, false);
  certs::SslPtr tls(SSL_new(&all.tls));
  SSL_set_connect_state(tls.get());
  const base::Bytes names = base::as_bytes(all.alpn);
  SSL_set_alpn_protos(tls.get(), names.data(), static_cast<unsigned>(names.size()));
  const Connection::Terms terms{.streams = {.bidirectional = 0,
                                            .unidirectional = 8,
                                            .stream_octets = 1 << 17,
                                            .octets = 1 << 20},
                                .idle_timeout = std::chrono::hours(1),
                                .handshake_timeout = patience,
                                .memory = &all.memory};
  const base::Endpoint server{base::Address::v4({127, 0, 0, 1}), port};
  connection_ = Connection::dial(*this, path_between(local_, server), terms, std::move(tls), {});
  if (!connection_) throw std::runtime_error("no connection for a client");
}

QuicClient::~QuicClient() {
  connection_.reset();
  ::close(descriptor_);
}

void QuicClient::turn() {
  while (const std::size_t count = all_.datagrams.receive(descriptor_, local_)) {
    for (std::size_t slot = 0; slot < count; ++slot)
      all_.datagrams.each(slot, [this](const Datagram& each) { connection_->read(each); });
  }
  if (connection_->expiry() <= base::Clock::now()) connection_->on_expiry();
  connection_->write(all_.datagrams, descriptor_);
  all_.datagrams.send(descriptor_);
}

bool QuicClient::turn_until(const std::function<bool()>& holds) {
  const base::TimePoint end = base::Clock::now() + patience;
  for (turn(); !over_ && !holds(); turn()) {
    const base::TimePoint now = base::Clock::now();
    if (now >= end) return false;
    const auto pause = std::chrono::ceil<std::chrono::milliseconds>(
        std::clamp(connection_->expiry() - now, base::Clock::duration{}, end - now));
    pollfd waited{.fd = descriptor_, .events = POLLIN, .revents = 0};
    ::poll(&waited, 1, static_cast<int>(pause.count()));
  }
  return !over_;
}

std::optional<std::vector<std::uint8_t>> QuicClient::ask(base::Bytes octets) {
  ClientStream* const stream = over_ ? nullptr : streams().open();
  if (stream == nullptr) return std::nullopt;
  streams().say(*stream, octets, true);
  if (!turn_until([stream] { return stream->heard_all || stream->was_reset; })) return std::nullopt;
  return stream->heard_all ? std::optional(stream->heard) : std::nullopt;
}

std::unique_ptr<Codec> QuicClient::make_codec(Connection& connection) {
  auto made = std::make_unique<ClientStreams>(connection);
  codec_ = made.get();
  return made;
}

bool QuicClient::issue_id(Connection& connection, ngtcp2_cid& id, std::uint8_t* reset_token) {
  id.datalen = ConnectionIds::size;
  connection.ids.push_back(id);
  return RAND_bytes(id.data, ConnectionIds::size) == 1 &&
         RAND_bytes(reset_token, NGTCP2_STATELESS_RESET_TOKENLEN) == 1;
}

void QuicClient::retire_id(Connection& connection, const ngtcp2_cid&) {
  if (!connection.ids.empty()) connection.ids.pop_back();
}

void QuicClient::closed(Connection&, End) {
  over_ = true;
  codec_ = nullptr;
}

}  // namespace test
