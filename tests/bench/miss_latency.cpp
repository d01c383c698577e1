// Asks several ways in turns, each name once, and tells what each took; or stands between, doing
// nothing but to carry datagrams: what any process there costs on this machine. Used by
// miss_latency.py.
//
//     bench_miss_latency ask COUNT CA_FILE URL...    a line for each URL: p50 and p99, microseconds
//     bench_miss_latency carry PORT                  its port on the first line, until killed
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conf/load.h"
#include "tests/support/upstream_loop.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;

constexpr int warming = 20;  // links are warm then, and the pace is known

struct Way {
  std::unique_ptr<transports::Upstream> upstream;
  std::vector<double> times;  // microseconds

  [[nodiscard]] double quantile(double share) {
    std::ranges::sort(times);
    return times[std::min(times.size() - 1,
                          static_cast<std::size_t>(share * static_cast<double>(times.size())))];
  }
};

[[noreturn]] void complain(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

transports::Awaitable<bool> ask(transports::Upstream& upstream, std::string name) {
  const auto reply = co_await upstream.exchange(ask_for(name), in(5s));
  co_return reply.has_value() && reply->rcode == dns::Rcode::noerror;
}

void ask_in_turns(int count, const std::string& ca_file, const std::vector<std::string>& urls) {
  UpstreamLoop loop;
  std::vector<Way> ways;
  for (const std::string& url : urls) {
    auto settings = conf::parse_upstream_url(url);
    if (!settings) complain(settings.error());
    settings->ca_file = ca_file;
    auto upstream = make_upstream(*settings, loop.context());
    if (!upstream) complain(upstream.error());
    ways.push_back({std::move(*upstream), {}});
  }
  const auto run = std::chrono::steady_clock::now().time_since_epoch().count();
  for (int i = 0; i < count + warming; ++i) {
    for (std::size_t at = 0; at < ways.size(); ++at) {
      const std::string name =
          "n" + std::to_string(i) + "-" + std::to_string(at) + "." + std::to_string(run) + ".test";
      const auto began = std::chrono::steady_clock::now();
      if (!loop.run(ask(*ways[at].upstream, name))) complain(urls[at] + " does not answer");
      const auto took = std::chrono::steady_clock::now() - began;
      if (i >= warming)
        ways[at].times.push_back(std::chrono::duration<double, std::micro>(took).count());
    }
  }
  for (Way& way : ways) std::printf("%.1f %.1f\n", way.quantile(0.5), way.quantile(0.99));
  for (Way& way : ways) loop.run(way.upstream->close(in(0ms)));
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// By id alone: one client asks, one question at a time.
void carry(int port) {
  const int near = ::socket(AF_INET, SOCK_DGRAM, 0);
  const int far = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in own = loopback(0);
  const sockaddr_in server = loopback(port);
  socklen_t size = sizeof own;
  if (::bind(near, reinterpret_cast<sockaddr*>(&own), size) != 0 ||
      ::getsockname(near, reinterpret_cast<sockaddr*>(&own), &size) != 0 ||
      ::connect(far, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0)
    complain("no socket");
  std::printf("%d\n", ntohs(own.sin_port));
  std::fflush(stdout);
  sockaddr_in client{};
  std::array<char, 4096> octets;
  std::array<pollfd, 2> both{{{near, POLLIN, 0}, {far, POLLIN, 0}}};
  while (::poll(both.data(), both.size(), -1) > 0) {
    if (both[0].revents != 0) {
      socklen_t known = sizeof client;
      const ssize_t got = ::recvfrom(near, octets.data(), octets.size(), 0,
                                     reinterpret_cast<sockaddr*>(&client), &known);
      if (got > 0) ::send(far, octets.data(), static_cast<std::size_t>(got), 0);
    }
    if (both[1].revents != 0) {
      const ssize_t got = ::recv(far, octets.data(), octets.size(), 0);
      if (got > 0)
        ::sendto(near, octets.data(), static_cast<std::size_t>(got), 0,
                 reinterpret_cast<const sockaddr*>(&client), sizeof client);
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() == 2 && words[0] == "carry") {
    carry(std::atoi(words[1].c_str()));
  } else if (words.size() >= 4 && words[0] == "ask") {
    ask_in_turns(std::atoi(words[1].c_str()), words[2], {words.begin() + 3, words.end()});
  } else if (words.empty()) {
    std::puts("miss_latency.py BUILD has the table; this is what it asks with");
  } else {
    complain("ask COUNT CA_FILE URL... or carry PORT");
  }
}
