// What an exchange with an upstream costs the asking thread: CPU time per exchange over UDP, TCP
// and DoT, one at a time and fifty at once. The fake upstream answers on a thread of its own.
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <cstdio>
#include <optional>

#include "tests/support/fake_upstream.h"
#include "tests/support/upstream_loop.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;

struct CpuTime {
  double user;  ///< nanoseconds of this thread
  double system;
};

CpuTime cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto nanoseconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
  };
  return {nanoseconds(usage.ru_utime), nanoseconds(usage.ru_stime)};
}

transports::Awaitable<int> ask_many(transports::Upstream& upstream, int count) {
  int answered = 0;
  for (int i = 0; i < count; ++i) {
    const auto answer = co_await upstream.exchange(ask_for("www.example.com"), in(5s));
    if (answer) ++answered;
  }
  co_return answered;
}

void measure(conf::Protocol protocol, int at_once) {
  const KeyedCertificate authority =
      make_certificate({.common_name = "authority", .authority = true});
  const KeyedCertificate identity = make_certificate({.dns_names = {"dns.test"}}, &authority);
  const TemporaryFile authority_file{authority.certificate_pem()};
  FakeUpstream fake(answering(), {.identity = &identity});
  UpstreamLoop loop;
  conf::Upstream settings;
  settings.url = "bench";
  settings.protocol = protocol;
  settings.endpoint = fake.endpoint(protocol);
  settings.tls_name = "dns.test";
  settings.ca_file = authority_file.path();
  auto upstream = make_upstream(settings, loop.context());
  if (!upstream) std::abort();
  loop.run(ask_many(**upstream, 10));  // the handshake, and memory that is kept

  constexpr int exchanges = 20000;
  std::vector<std::optional<int>> results(static_cast<std::size_t>(at_once));
  const auto began = std::chrono::steady_clock::now();
  const CpuTime cpu_began = cpu_time();
  for (auto& result : results) loop.start(ask_many(**upstream, exchanges / at_once), result);
  int answered = 0;
  for (auto& result : results) {
    loop.run_until([&result] { return result.has_value(); });
    answered += *result;
  }
  const CpuTime cpu = cpu_time();
  const auto wall = std::chrono::steady_clock::now() - began;
  std::printf(
      "%-4s %3d at once: user %6.0f, system %6.0f, wall %7.0f ns per exchange (%d answered)\n",
      std::string(conf::row_of(protocol).name).c_str(), at_once,
      (cpu.user - cpu_began.user) / exchanges, (cpu.system - cpu_began.system) / exchanges,
      std::chrono::duration<double, std::nano>(wall).count() / exchanges, answered);
  loop.run((*upstream)->close(in(0ms)));
}

}  // namespace

int main() {
  for (const conf::Protocol protocol :
       {conf::Protocol::udp, conf::Protocol::tcp, conf::Protocol::dot}) {
    for (const int at_once : {1, 50}) measure(protocol, at_once);
  }
}
