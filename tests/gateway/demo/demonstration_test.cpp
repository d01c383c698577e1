// The demonstration's configuration and greeting.
#include "gateway/demo/demonstration.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

namespace gateway::demo {
namespace {

/// Holds a port of 127.0.0.1 for the length of a test.
class TakenPort {
 public:
  explicit TakenPort(int type, std::uint16_t port = 0) : descriptor_(socket(AF_INET, type, 0)) {
    sockaddr_storage address{};
    const base::Endpoint wanted{.address = base::Address::v4({127, 0, 0, 1}), .port = port};
    const unsigned length = wanted.to_sockaddr(address);
    bound_ = bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), length) == 0;
    if (type == SOCK_STREAM) listen(descriptor_, 1);
    socklen_t size = sizeof address;
    getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = base::Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(address)).port;
  }
  ~TakenPort() { close(descriptor_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] bool bound() const { return bound_; }

 private:
  int descriptor_;
  bool bound_ = false;
  std::uint16_t port_ = 0;
};

TEST(FreePort, ATakenOneIsPassedOverWhoeverHasIt) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    const TakenPort taken(type);
    if (taken.port() > 65'000) continue;  // no room above
    EXPECT_GT(free_port(taken.port()), taken.port());
  }
}

TEST(FreePort, AFreeOneCanBeBound) {
  const std::uint16_t port = free_port(20'000);
  EXPECT_TRUE(TakenPort(SOCK_DGRAM, port).bound());
  EXPECT_TRUE(TakenPort(SOCK_STREAM, port).bound());
}

TEST(PortChoice, IsOneAtATime) {
  auto first = std::make_unique<PortChoice>();
  std::atomic<bool> chosen = false;
  std::thread second([&chosen] {
    const PortChoice choice;
    chosen = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // for the second to try in vain
  EXPECT_FALSE(chosen);
  first.reset();
  second.join();
  EXPECT_TRUE(chosen);
}

TEST(ScratchDirectory, IsItsOwnersAloneAndGoes) {
  std::string path;
  {
    const ScratchDirectory scratch;
    path = scratch.path();
    struct stat status{};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Demonstration, ListensOnEveryTransportAndAsksItself) {
  const Demonstration demonstration(false);
  const conf::Config config = demonstration.configuration();
  // http:// is for reverse proxies alone.
  ASSERT_EQ(config.server.listen.size(), conf::protocols.size() - 1);
  for (const conf::ListenAddress& listener : config.server.listen) {
    EXPECT_TRUE(listener.endpoint.address.is_loopback()) << listener.text;
    EXPECT_GE(listener.endpoint.port, 1024) << listener.text;
  }
  ASSERT_EQ(config.upstreams.size(), 2U);
  for (const conf::Upstream& upstream : config.upstreams) {
    EXPECT_TRUE(upstream.endpoint.address.is_loopback()) << upstream.url;
  }
  EXPECT_TRUE(std::filesystem::exists(config.upstreams[0].ca_file));
  EXPECT_TRUE(config.admin.listen->address.is_loopback());
}

TEST(Demonstration, TheGreetingHasACommandForEachTransport) {
  const Demonstration demonstration(false);
  const conf::Config config = demonstration.configuration();
  const std::string greeting =
      demonstration.greeting(config.server.listen, "127.0.0.1:8953", "/x/ca.pem");
  for (const conf::ListenAddress& listener : config.server.listen) {
    EXPECT_TRUE(greeting.contains("sallyport query @" + listener.text)) << greeting;
  }
  for (const char* part :
       {"\n  dig @127.0.0.1 -p ", "\n  kdig @127.0.0.1 -p ", " +quic ", "+tls-ca=/x/ca.pem",
        "--ca /x/ca.pem", "curl http://127.0.0.1:8953/metrics", "sallyport status --socket "}) {
    EXPECT_TRUE(greeting.contains(part)) << part << '\n' << greeting;
  }
}

TEST(Demonstration, APortThatMovedIsSaid) {
  const Demonstration demonstration(false);
  std::vector<conf::ListenAddress> listening = demonstration.configuration().server.listen;
  listening[0].endpoint.port = 5360;
  const std::string greeting = demonstration.greeting(listening, "", "/x/ca.pem");
  EXPECT_TRUE(greeting.contains("port 5354 is taken")) << greeting;
}

TEST(Demonstration, JsonLinesAreAlsoForPipes) {
  EXPECT_NE(Demonstration(true).observer(), nullptr);
}

}  // namespace
}  // namespace gateway::demo
