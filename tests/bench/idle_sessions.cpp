// What an idle session costs: a server process takes sessions over TCP, DoT, DoH (HTTP/2 and
// HTTP/1.1), DoQ and DoH over HTTP/3, and its memory is read at 500 and at 1,500 of them. Prints
// octets for each session; the client's side is in this process.
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <format>
#include <fstream>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "certs/openssl.h"
#include "certs/store.h"
#include "dns/compose.h"
#include "dns/fit.h"
#include "gateway/admin/metrics_table.h"
#include "tests/support/quic_client.h"
#include "transports/doh_service.h"
#include "transports/listeners/listeners.h"
#include "transports/listeners/udp_batch.h"
#include "transports/quic/workspace.h"
#include "transports/session_registry.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"

namespace {

class EchoAnswerer final : public transports::Answerer {
 public:
  base::TimePoint begin_batch() override { return base::Clock::now(); }
  void end_batch() override {}
  bool answer_now(const transports::Query& query, transports::Reply& reply) override {
    reply.size = dns::fit_empty(query.request, dns::Rcode::noerror, {}, reply.out);
    return true;
  }
  transports::Awaitable<transports::Answer> answer(transports::Query) override {
    co_return transports::Answer{};
  }
};

/// Serves until it is killed; tells its port through `out`.
[[noreturn]] void serve(conf::Protocol protocol, int out) {
  certs::set_up_openssl();
  base::Log log({.level = base::LogLevel::off});
  conf::Config config;
  config.limits.idle_timeout = std::chrono::minutes(5);
  config.limits.sessions_per_client = 10'000;
  const conf::ListenAddress address{protocol, {base::Address::v4({127, 0, 0, 1}), 0}, "bench"};
  config.server.listen.push_back(address);
  char directory[] = "/tmp/sallyport-bench-XXXXXX";
  config.server.state_directory = ::mkdtemp(directory);
  const auto store = certs::Store::open(config, log);
  boost::asio::io_context io{1};
  EchoAnswerer answerer;
  transports::WaitingBudget waiting(1000);
  transports::SessionRegistry sessions;
  transports::TimerWheel timers(io);
  transports::UdpBatch batch;
  const auto streams = std::make_unique<transports::StreamWorkspace>();
  base::MetricRegistry registry(gateway::admin::metric_families);
  base::MetricSheet& sheet = registry.add_sheet();
  transports::DropCounters drops(sheet);
  const transports::DohService doh(config);
  transports::quic::Process process;
  transports::quic::Workspace quic(process, 0, config.quic, sheet);
  transports::ListenerContext context{.io = io,
                                      .answerer = answerer,
                                      .limits = config.limits,
                                      .proxy = config.proxy,
                                      .doh = doh,
                                      .certificates = store->get(),
                                      .waiting = waiting,
                                      .sessions = sessions,
                                      .timers = timers,
                                      .udp_batch = batch,
                                      .streams = *streams,
                                      .metrics = sheet,
                                      .drops = drops,
                                      .log = log,
                                      .quic = &quic};
  const auto listener = transports::make_listener(address, 0, context);
  listener->start();
  const std::uint16_t port = listener->local_endpoint().port;
  if (::write(out, &port, sizeof port) != sizeof port) std::abort();
  io.run();
  std::abort();
}

long private_octets(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/smaps_rollup");
  std::string word;
  long kibibytes = 0;
  while (in >> word) {
    if (word == "Pss:") in >> kibibytes;
  }
  return kibibytes * 1024;
}

/// How a client asks once, of which a little stays.
std::string request_of(conf::Protocol protocol, std::string_view alpn) {
  constexpr std::string_view path = "/dns-query?dns=AAABAAABAAAAAAAAAAABAAE";
  if (protocol == conf::Protocol::doh3) {
    // HEADERS: GET, https, an authority and a path (RFC 9204 §4.5).
    const std::string block =
        std::format("{}\xd1\xd7\x50\x09localhost\x51{}{}", std::string_view("\0\0", 2),
                    static_cast<char>(path.size()), path);
    return std::format("\x01{}{}", static_cast<char>(block.size()), block);
  }
  if (protocol != conf::Protocol::doh) {
    std::string out(512, '\0');
    auto* const octets = reinterpret_cast<std::uint8_t*>(out.data());
    const std::size_t size = dns::compose_query({}, {}, {octets + 2, 510});
    base::store_u16(octets, static_cast<std::uint16_t>(size));
    out.resize(size + 2);
    return out;
  }
  if (alpn != "\x02h2") return std::format("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", path);
  // The preface, SETTINGS, and HEADERS: GET, https, an authority and a path (RFC 7541 §6).
  std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  out.append("\0\0\0\4\0\0\0\0\0", 9);
  const std::string block =
      std::format("\x82\x87\x41\x09localhost\x04{}{}", static_cast<char>(path.size()), path);
  out.append({0, 0, static_cast<char>(block.size()), 1, 5, 0, 0, 0, 1}).append(block);
  return out;
}

class Client {
 public:
  Client(SSL_CTX* context, std::string_view alpn, std::uint16_t port, const std::string& request)
      : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_storage storage{};
    const socklen_t size =
        base::Endpoint{base::Address::v4({127, 0, 0, 1}), port}.to_sockaddr(storage);
    if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&storage), size) != 0) std::abort();
    if (context != nullptr) {
      tls_.reset(SSL_new(context));
      const base::Bytes names = base::as_bytes(alpn);
      SSL_set_alpn_protos(tls_.get(), names.data(), static_cast<unsigned>(names.size()));
      SSL_set_fd(tls_.get(), descriptor_);
      if (SSL_connect(tls_.get()) != 1) std::abort();
    }
    ask(request);
  }

 private:
  void ask(const std::string& request) const {
    std::array<std::uint8_t, 16384> in{};
    if (tls_) {
      SSL_write(tls_.get(), request.data(), static_cast<int>(request.size()));
      if (SSL_read(tls_.get(), in.data(), in.size()) <= 0) std::abort();
    } else {
      if (::send(descriptor_, request.data(), request.size(), 0) < 0) std::abort();
      if (::recv(descriptor_, in.data(), in.size(), 0) <= 0) std::abort();
    }
  }

  int descriptor_;
  certs::SslPtr tls_;
};

/// Clients that have asked once and then keep still.
class Clients {
 public:
  Clients(conf::Protocol protocol, const char* groups, std::string_view alpn, std::uint16_t port)
      : protocol_(protocol),
        alpn_(alpn),
        port_(port),
        request_(request_of(protocol, alpn)),
        context_(SSL_CTX_new(TLS_client_method())),
        encrypted_(groups != nullptr),
        quic_(*context_, alpn) {
    if (encrypted_) SSL_CTX_set1_groups_list(context_.get(), groups);
  }
  void grow_to(std::size_t count) {
    while (made_ < count) {
      if (++made_; conf::row_of(protocol_).socket == conf::Socket::udp) {
        connect_quic();
      } else {
        of_streams_.push_back(std::make_unique<Client>(encrypted_ ? context_.get() : nullptr, alpn_,
                                                       port_, request_));
      }
    }
    for (std::size_t i = 0; i < still_heard; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      hear_the_last();
    }
  }

 private:
  void connect_quic() {
    test::QuicClient& client =
        *of_quic_.emplace_back(std::make_unique<test::QuicClient>(quic_, port_));
    if (!client.open()) std::abort();
    if (protocol_ == conf::Protocol::doh3) {
      // RFC 9114 §6.2.1: the control stream, with SETTINGS of nothing.
      constexpr std::array<std::uint8_t, 3> control{0, 4, 0};
      client.streams().say(*client.streams().open(true), control, false);
    }
    if (!client.ask(base::as_bytes(request_))) std::abort();
    hear_the_last();
  }
  /// Acknowledgements leave a little later than what they are for (RFC 9000 §13.2.1).
  void hear_the_last() {
    for (std::size_t i = of_quic_.size(); i > 0 && i + still_heard > of_quic_.size(); --i)
      of_quic_[i - 1]->turn();
  }
  static constexpr std::size_t still_heard = 64;

  const conf::Protocol protocol_;
  const std::string_view alpn_;
  const std::uint16_t port_;
  const std::string request_;
  const certs::SslContextPtr context_;
  const bool encrypted_;
  std::size_t made_ = 0;
  std::vector<std::unique_ptr<Client>> of_streams_;
  test::QuicClients quic_;
  std::vector<std::unique_ptr<test::QuicClient>> of_quic_;
};

/// In a process of its own, so that the server inherits no memory of the clients before.
void measure(conf::Protocol protocol, const char* groups, std::string_view alpn) {
  if (const pid_t child = ::fork(); child != 0) {
    ::waitpid(child, nullptr, 0);
    return;
  }
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::abort();
  const pid_t server = ::fork();
  if (server == 0) serve(protocol, ends[1]);
  std::uint16_t port = 0;
  if (::read(ends[0], &port, sizeof port) != sizeof port) std::abort();
  Clients clients(protocol, groups, alpn, port);
  const long base = private_octets(server);
  clients.grow_to(500);
  const long first = private_octets(server);
  clients.grow_to(1500);
  const long second = private_octets(server);
  std::cout << conf::row_of(protocol).name << ' ' << (groups != nullptr ? groups : "") << ' '
            << alpn.substr(alpn.empty() ? 0 : 1) << ": " << (second - first) / 1000
            << " octets for each session; process " << base / 1024 << " KiB\n";
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  std::cout.flush();
  ::_exit(0);
}

}  // namespace

/// Names of transports are what is measured; without any, all.
int main(int count, char** words) {
  const rlimit files{20'000, 20'000};
  ::setrlimit(RLIMIT_NOFILE, &files);
  constexpr const char* classical = "X25519";
  constexpr const char* post_quantum = "X25519MLKEM768";
  struct Kind {
    conf::Protocol protocol;
    const char* groups;
    std::string_view alpn;
  };
  for (const Kind& kind : {
           Kind{conf::Protocol::tcp, nullptr, ""},
           Kind{conf::Protocol::dot, classical, certs::alpn_dot.wire},
           Kind{conf::Protocol::dot, post_quantum, certs::alpn_dot.wire},
           Kind{conf::Protocol::doh, classical, "\x02h2"},
           Kind{conf::Protocol::doh, post_quantum, "\x02h2"},
           Kind{conf::Protocol::doh, post_quantum, "\x08http/1.1"},
           Kind{conf::Protocol::doq, classical, certs::alpn_doq.wire},
           Kind{conf::Protocol::doq, post_quantum, certs::alpn_doq.wire},
           Kind{conf::Protocol::doh3, classical, certs::alpn_http3.wire},
           Kind{conf::Protocol::doh3, post_quantum, certs::alpn_http3.wire},
       }) {
    const std::span wanted(words + 1, static_cast<std::size_t>(count) - 1);
    if (wanted.empty() ||
        std::ranges::contains(wanted, conf::row_of(kind.protocol).name,
                              [](const char* word) { return std::string_view(word); }))
      measure(kind.protocol, kind.groups, kind.alpn);
  }
}
