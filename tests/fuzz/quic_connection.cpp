// Fuzz target: whatever comes to a QUIC endpoint, as datagrams of anybody, as packets that only the
// client can have sealed, or between the packets of an honest handshake; from one address and from
// others, at any time. To an address that is not proved go three times the octets that came from
// it at most, and behind each input there is nothing left of it. RFC 9000 §8.1, §9.3, §10, §21.
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "certs/store.h"
#include "gateway/admin/metrics_table.h"
#include "tests/support/quic_forger.h"
#include "tests/support/told_clock.h"
#include "transports/coroutine_answerer.h"
#include "transports/descriptor.h"
#include "transports/doh_service.h"
#include "transports/listeners/listeners.h"
#include "transports/listeners/sockets.h"
#include "transports/listeners/udp_batch.h"
#include "transports/quic/workspace.h"
#include "transports/session_registry.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"

namespace {

using namespace transports;
using namespace std::chrono_literals;
using test::Octets;
using test::QuicForger;
using Level = QuicForger::Level;
using Timer =
    boost::asio::basic_waitable_timer<base::Clock, boost::asio::wait_traits<base::Clock>, Executor>;

constexpr std::uint16_t listener_index = 0;
constexpr std::uint8_t worker_number = 0;
constexpr std::size_t steps_max = 64;  // of one input
constexpr std::size_t challenge_size = 8;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

/// The same octets for every input: OpenSSL's own generator for tests.
void begin_randomness_anew() {
  const auto made = [] {
    EVP_RAND* const kind = EVP_RAND_fetch(nullptr, "TEST-RAND", nullptr);
    EVP_RAND_CTX* const one = EVP_RAND_CTX_new(kind, nullptr);
    EVP_RAND_free(kind);
    unsigned int strength = 256;
    unsigned int generates = 1;
    const std::array<OSSL_PARAM, 3> settings{
        OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength),
        OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_GENERATE, &generates),
        OSSL_PARAM_construct_end()};
    must(EVP_RAND_instantiate(one, strength, 0, nullptr, 0, settings.data()) == 1, "no randomness");
    return one;
  };
  must(RAND_set0_public(nullptr, made()) == 1 && RAND_set0_private(nullptr, made()) == 1,
       "no randomness");
}

/// Says the question again: at once, or after a while when its name begins with an `l`.
class Echo final : public CoroutineAnswerer {
 public:
  using CoroutineAnswerer::CoroutineAnswerer;

  base::TimePoint begin_batch() override {
    ++batches_open_;
    return base::Clock::now();
  }
  void end_batch() override { --batches_open_; }
  bool answer_now(const Query& query, Reply& reply) override {
    must(batches_open_ == 1, "asked outside a batch");
    const base::Bytes name = query.request.question.name.view().wire();
    if (name.size() > 1 && name[1] == 'l') return false;
    // What begins with a `b` has more to say than goes out at once.
    constexpr std::size_t big = 40'000;
    constexpr std::size_t usual = 40;
    reply.size = name.size() > 1 && name[1] == 'b' ? big : usual;
    std::ranges::fill(reply.out.first(reply.size), std::uint8_t{0x5a});
    return true;
  }

 private:
  Awaitable<Answer> answer_late(Query) override {
    Timer timer(io_.get_executor(), base::Clock::now() + 200ms);
    boost::system::error_code ignored;
    co_await timer.async_wait(boost::asio::redirect_error(use_awaitable, ignored));
    Answer answer;
    answer.wire.resize(64);
    co_return answer;
  }

  int batches_open_ = 0;
};

/// A socket by which a client hears: what it says goes to the endpoint without the kernel.
struct Remote {
  explicit Remote(const std::array<std::uint8_t, 4>& host)
      : socket(open_udp_socket(
            {conf::Protocol::udp, {base::Address::v4(host), 0}, "a client of the fuzzer"})),
        own(local_endpoint_of(socket.get())) {}

  Descriptor socket;
  base::Endpoint own;
  std::size_t said = 0;   // octets, and
  std::size_t heard = 0;  // all of this input
  bool proved = false;
  std::array<std::uint8_t, challenge_size> challenge{};
  bool challenged = false;
};

conf::Config configuration(const std::string& directory) {
  conf::Config config;
  for (const auto protocol : {conf::Protocol::doq, conf::Protocol::doh3})
    config.server.listen.push_back({protocol, {base::Address::v4({127, 0, 0, 1}), 0}, "fuzzed"});
  config.server.state_directory = directory;
  config.limits.idle_timeout = 10s;
  config.limits.sessions_per_client = 1000;
  config.limits.queries_per_session = 20;
  config.quic.early_data = true;
  return config;
}

std::string temporary_directory() {
  std::string name = std::filesystem::temp_directory_path() / "sallyport-fuzz-XXXXXX";
  must(::mkdtemp(name.data()) != nullptr, "no directory");
  return name;
}

/// What endpoints need of their worker; made once, for it costs much.
struct World {
  World() {
    must(static_cast<bool>(store), "no certificates");
    std::filesystem::remove_all(directory);
    must(SSL_CTX_set1_groups_list(clients.get(), "X25519") == 1 &&
             SSL_CTX_set_ciphersuites(clients.get(), "TLS_AES_128_GCM_SHA256") == 1,
         "no settings for clients");
  }

  bool random = (begin_randomness_anew(), true);  // the same in each process
  test_support::ToldClock clock;
  base::Log log{{.level = base::LogLevel::off}};
  std::string directory = temporary_directory();
  conf::Config config = configuration(directory);
  std::expected<std::unique_ptr<certs::Store>, std::vector<std::string>> store =
      certs::Store::open(config, log);
  certs::SslContextPtr clients{SSL_CTX_new(TLS_client_method())};
  WaitingBudget waiting{100};
  boost::asio::io_context io{1};
  Echo answerer{io};
  conf::Proxy proxy;
  DohService doh{config};
  SessionRegistry sessions;
  TimerWheel timers{io};
  UdpBatch udp_batch;
  std::unique_ptr<StreamWorkspace> streams = std::make_unique<StreamWorkspace>();
  base::MetricRegistry metrics{gateway::admin::metric_families};
  base::MetricSheet& sheet = metrics.add_sheet();
  DropCounters drops{sheet};
  quic::Process process;
  quic::Workspace quic{process, worker_number, config.quic, sheet};
  ListenerContext context{.io = io,
                          .answerer = answerer,
                          .limits = config.limits,
                          .proxy = proxy,
                          .doh = doh,
                          .certificates = store->get(),
                          .waiting = waiting,
                          .sessions = sessions,
                          .timers = timers,
                          .udp_batch = udp_batch,
                          .streams = *streams,
                          .metrics = sheet,
                          .drops = drops,
                          .log = log,
                          .quic = &quic};
  std::array<Remote, 3> remotes{Remote{{127, 0, 0, 1}}, Remote{{127, 0, 0, 1}},
                                Remote{{127, 0, 0, 2}}};
  Octets datagram = Octets(65536);
};

/// One input: an endpoint, one client, and what happens to both.
class Run {
 public:
  Run(World& world, bool http3, bool retries, bool acknowledges)
      : world_(world), acknowledges_(acknowledges) {
    begin_randomness_anew();
    world.quic.settings.retry_above = retries ? 0 : 1000;
    listener_ =
        make_listener(world.config.server.listen[http3 ? 1 : 0], listener_index, world.context);
    listener_->start();
    for (Remote& each : world.remotes) {
      for (std::array<std::uint8_t, 1> one{}; ::recv(each.socket.get(), one.data(), 1, 0) >= 0;) {
      }
      each.said = each.heard = 0;
      each.proved = each.challenged = false;
    }
    client_.emplace(*world.clients, http3 ? certs::alpn_http3.wire : certs::alpn_doq.wire,
                    path_of(world.remotes[0], true));
  }

  /// The honest client's handshake, to its end.
  void shake_hands() {
    constexpr int turns = 6;
    for (int turn = 0; turn < turns; ++turn) carry(false, false);
    must(client_->is_open(), "an honest handshake that does not end");
  }

  /// Kind, sender and how, then what the kind wants.
  void step(base::Reader& in) {
    const std::uint8_t head = in.u8();
    const auto sender = static_cast<std::size_t>((head >> 3) & 3) % world_.remotes.size();
    const auto how = static_cast<std::uint8_t>(head >> 5);
    switch (head & 7) {
      case 0: say_sealed(Level::application, sender, how, in); break;
      case 1: say_sealed(Level::initial, sender, how, in); break;
      case 2: say_sealed(Level::handshake, sender, how, in); break;
      case 3: say_raw(sender, how, in); break;
      case 4: pass_time(head >> 3); break;
      case 5: acknowledge(sender); break;
      case 6: answer_challenge(sender); break;
      default:
        if ((how & 4) != 0) begin_stop(5s);
        carry((how & 1) != 0, (how & 2) != 0);
        break;
    }
    settle();
    if (acknowledges_ && last_level_ == Level::application && (head & 7) != 4) {
      acknowledge(sender);
      settle();
    }
  }

  /// Whatever has happened, there is nothing left of it.
  void end() {
    if (!stop_begun_) begin_stop(0s);
    settle();
    world_.clock.advance(6s);
    settle();
    must(stopped_, "an endpoint that does not end");
    must(world_.sessions.open(conf::Protocol::doq) == 0 &&
             world_.sessions.open(conf::Protocol::doh3) == 0,
         "a place that was not given back");
    listener_.reset();
    settle();
    must(world_.waiting.taken() == 0, "waited for behind its end");
    must(world_.waiting.octets.taken() == 0, "octets of nobody");
  }

 private:
  [[nodiscard]] quic::Path path_of(const Remote& remote, bool client_side) const {
    quic::Path path;
    const base::Endpoint server = listener_->local_endpoint();
    sockaddr_storage storage{};
    path.local_size = (client_side ? remote.own : server).to_sockaddr(storage);
    std::memcpy(&path.local, &storage, sizeof path.local);
    path.remote_size = (client_side ? server : remote.own).to_sockaddr(storage);
    std::memcpy(&path.remote, &storage, sizeof path.remote);
    return path;
  }

  void send(std::size_t sender, Octets datagram) {
    Remote& remote = world_.remotes[sender];
    remote.said += datagram.size();
    world_.process.crossing.hand_over(
        listener_index, worker_number,
        {.path = path_of(remote, false), .ecn = 0, .octets = std::move(datagram)});
  }

  /// All that is due has its turn, and what left is looked at.
  void settle() {
    constexpr int rounds = 32;
    world_.clock.advance(5ms);  // on the way there and back: packets are paced by it
    for (int round = 0; round < rounds; ++round) {
      world_.clock.advance(1us);  // no library sees it stand still
      // Due before all others, so that the loop looks at its timers.
      Timer now(world_.io.get_executor(), base::TimePoint{});
      now.async_wait([](boost::system::error_code) {});
      world_.io.restart();
      if (world_.io.poll() == 1) break;
    }
    for (std::size_t i = 0; i < world_.remotes.size(); ++i) hear(world_.remotes[i], i == 0);
  }

  void hear(Remote& remote, bool is_client) {
    Octets& room = world_.datagram;
    for (;;) {
      const ssize_t size = ::recv(remote.socket.get(), room.data(), room.size(), 0);
      if (size < 0) break;
      const base::Bytes datagram = base::Bytes{room}.first(static_cast<std::size_t>(size));
      remote.heard += datagram.size();
      must(datagram.size() <= quic::datagram_size, "a datagram that is too large");
      if (const auto frames = client_->open(datagram)) look_for_challenge(remote, *frames);
      if (is_client && heard_.size() < steps_max)
        heard_.emplace_back(datagram.begin(), datagram.end());
    }
    must(remote.proved || remote.heard <= 3 * remote.said, "more than three times what came");
  }

  /// The library puts it first, or behind acknowledgements, which nobody needs to look into: two
  /// octets before eight random ones and padding are enough to find it.
  static constexpr std::uint8_t path_challenge = 0x1a;
  static constexpr std::uint8_t path_response = 0x1b;
  static void look_for_challenge(Remote& remote, const Octets& frames) {
    if (frames.size() <= challenge_size) return;
    const auto last = frames.end() - challenge_size;
    const auto found = std::find(frames.begin(), last, path_challenge);
    if (found == last) return;
    std::copy_n(found + 1, challenge_size, remote.challenge.begin());
    remote.challenged = true;
  }

  /// The honest client has what came, and says what it has to.
  void carry(bool lost, bool twice) {
    for (const Octets& each : std::exchange(heard_, {})) client_->read(each);
    if (last_level_ == Level::application) return;  // its numbers are behind ours
    for (Octets& each : client_->write()) {
      last_said_ = each;
      if (twice) send(0, each);
      if (!lost) send(0, std::move(each));
      // It knows what the server said to this address.
      if (world_.remotes[0].heard != 0) world_.remotes[0].proved = true;
    }
    settle();
  }

  Octets octets_of(base::Reader& in) {
    const std::size_t size = in.u8();
    const base::Bytes some = in.bytes(std::min(size, in.remaining()));
    return {some.begin(), some.end()};
  }

  void say_sealed(Level level, std::size_t sender, std::uint8_t how, base::Reader& in) {
    constexpr std::size_t full = 1150;  // of frames, so that a first datagram is large enough
    Octets frames = octets_of(in);
    if (!client_->can_seal(level)) return;
    for (Remote& each : world_.remotes) {
      if (each.challenged && !std::ranges::search(frames, each.challenge).empty())
        each.proved = true;
    }
    if ((how & 1) != 0) frames.resize(std::max(full, frames.size()));  // PADDING
    if (level != Level::initial) prove(sender);
    last_level_ = std::max(last_level_, level);
    send(sender, client_->seal(level, frames,
                               {.repeat_number = (how & 2) != 0, .key_phase = (how & 4) != 0}));
  }

  /// A packet under the handshake's keys proves the address that the handshake is with (§8.1).
  void prove(std::size_t sender) {
    if (sender == 0) world_.remotes[0].proved = true;
  }

  void say_raw(std::size_t sender, std::uint8_t how, base::Reader& in) {
    Octets octets = octets_of(in);
    if ((how & 4) != 0) {  // what the client said last, somewhat changed
      Octets changed = last_said_;
      for (std::size_t i = 0; i + 1 < octets.size() && !changed.empty(); i += 2)
        changed[octets[i] * changed.size() / 256] ^= octets[i + 1];
      octets = std::move(changed);
    } else if ((how & 2) != 0) {  // to the connection
      const ngtcp2_cid id = client_->destination();
      octets.insert(octets.begin(), id.data, id.data + id.datalen);
      octets.insert(octets.begin(), 0x43);
    }
    if ((how & 1) != 0) octets.resize(std::max(quic::datagram_size, octets.size()));
    if (!octets.empty()) send(sender, std::move(octets));
  }

  void pass_time(std::uint8_t length) {
    static constexpr std::array<base::Clock::duration, 8> lengths{1ms,   10ms, 26ms, 100ms,
                                                                  333ms, 1s,   4s,   11s};
    world_.clock.advance(lengths[length % lengths.size()]);
  }

  void acknowledge(std::size_t sender) {
    const Octets frames = client_->acknowledgement();
    if (frames.empty() || !client_->can_seal(Level::application)) return;
    last_level_ = Level::application;
    send(sender, client_->seal(Level::application, frames, {}));
  }

  void answer_challenge(std::size_t sender) {
    Remote& remote = world_.remotes[sender];
    if (!remote.challenged || !client_->can_seal(Level::application)) return;
    Octets frames{path_response};
    frames.insert(frames.end(), remote.challenge.begin(), remote.challenge.end());
    remote.proved = true;
    last_level_ = Level::application;
    send(sender, client_->seal(Level::application, frames, {}));
  }

  void begin_stop(base::Clock::duration drain) {
    if (std::exchange(stop_begun_, true)) return;
    boost::asio::co_spawn(world_.io, listener_->stop(base::Clock::now() + drain),
                          [this](const std::exception_ptr& error) {
                            must(error == nullptr, "an endpoint that cannot be stopped");
                            stopped_ = true;
                          });
  }

  World& world_;
  const bool acknowledges_;
  std::unique_ptr<Listener> listener_;
  std::optional<QuicForger> client_;
  std::vector<Octets> heard_;  // what the honest client has not read yet
  Octets last_said_;
  Level last_level_ = Level::initial;  // of what was forged
  bool stop_begun_ = false;
  bool stopped_ = false;
};

}  // namespace

/// What kind of endpoint and client, then steps.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* const world = new World;
  base::Reader in({data, size});
  const std::uint8_t kind = in.u8();
  if (!in.ok()) return 0;
  Run run(*world, (kind & 1) != 0, (kind & 2) != 0, (kind & 8) != 0);
  if ((kind & 4) == 0) run.shake_hands();
  for (std::size_t steps = 0; steps < steps_max && in.remaining() != 0; ++steps) run.step(in);
  run.end();
  return 0;
}
