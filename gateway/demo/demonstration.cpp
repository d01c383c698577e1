// Configuration and greeting of the demonstration.
#include "gateway/demo/demonstration.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <format>
#include <stdexcept>
#include <thread>
#include <utility>

#include "conf/load.h"
#include "gateway/admin/control_socket.h"
#include "gateway/demo/zone.h"
#include "gateway/version.h"

namespace gateway::demo {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t ports_tried = 100;

base::Endpoint loopback(std::uint16_t port) {
  return {.address = base::Address::v4({127, 0, 0, 1}), .port = port};
}

/// Without SO_REUSEPORT, so that another sallyport's sockets count as taken.
bool is_free(int type, std::uint16_t port) {
  sockaddr_storage address{};
  const unsigned length = loopback(port).to_sockaddr(address);
  const int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (descriptor < 0)
    throw std::runtime_error(std::format("cannot open a socket: {}", std::strerror(errno)));
  const int on = 1;
  if (type == SOCK_STREAM)
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // TIME_WAIT is free
  const bool bound = bind(descriptor, reinterpret_cast<const sockaddr*>(&address), length) == 0;
  close(descriptor);
  return bound;
}

template <class T>
T parsed(std::expected<T, std::string> result) {
  if (!result) throw std::logic_error(result.error());
  return *std::move(result);
}

conf::ListenAddress listener(const char* scheme, std::uint16_t port) {
  return parsed(conf::parse_listen_url(std::format("{}://127.0.0.1:{}", scheme, port)));
}

conf::Upstream upstream(const char* scheme, const base::Endpoint& endpoint) {
  return parsed(conf::parse_upstream_url(std::format("{}://{}", scheme, endpoint.to_text())));
}

std::string moved(std::uint16_t wanted, std::uint16_t port) {
  return port == wanted ? ""
                        : std::format("  (port {} is taken, so this is on {})\n", wanted, port);
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  const bool usable = runtime != nullptr && access(runtime, W_OK | X_OK) == 0;
  path_ = std::format("{}/sallyport-demo-XXXXXX", usable ? runtime : "/tmp");
  if (mkdtemp(path_.data()) == nullptr) {
    throw std::runtime_error(std::format("cannot make {}: {}", path_, std::strerror(errno)));
  }
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

PortChoice::PortChoice() {
  // A name in the abstract namespace: as wide as the ports' own, and gone with its process
  // (unix(7)).
  const std::string name = std::format("sallyport-demo-{}", geteuid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  descriptor_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (auto waited = 0ms; waited < 5s; waited += 20ms) {
    if (bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), size) == 0) return;
    std::this_thread::sleep_for(20ms);
  }
}

void PortChoice::end() {
  if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
}

std::uint16_t free_port(std::uint16_t wanted) {
  for (std::uint16_t port = wanted; port < wanted + ports_tried; ++port) {
    if (is_free(SOCK_DGRAM, port) && is_free(SOCK_STREAM, port)) return port;
  }
  throw std::runtime_error(
      std::format("ports {} to {} of 127.0.0.1 are all taken", wanted, wanted + ports_tried - 1));
}

Demonstration::Demonstration(bool json)
    : log_({.level = base::LogLevel::warning,
            .format = json ? base::LogFormat::json : base::LogFormat::text}),
      server_(scratch_.path() + "/upstream", log_),
      lines_(STDOUT_FILENO, json),
      json_(json) {}

conf::Config Demonstration::configuration() const {
  conf::Config config = conf::defaults();
  const std::uint16_t plain = free_port(plain_port);
  config.source = "the demonstration";
  const std::uint16_t encrypted = free_port(dot_port);
  const std::uint16_t web = free_port(doh_port);
  config.server.listen = {listener("udp", plain),     listener("tcp", plain),
                          listener("tls", encrypted), listener("quic", encrypted),
                          listener("https", web),     listener("h3", web)};
  config.server.state_directory = scratch_.path();
  config.server.forward_special_names = {*dns::Name::from_text("test.")};
  config.upstreams = {upstream("tls", server_.dot()), upstream("udp", server_.plain())};
  config.upstreams.front().ca_file = server_.authority_file();
  config.admin.listen = loopback(free_port(admin_port));
  config.log.level = base::LogLevel::warning;
  config.log.format = json_ ? base::LogFormat::json : base::LogFormat::text;
  return config;
}

QueryObserver* Demonstration::observer() {
  return json_ || isatty(STDOUT_FILENO) == 1 ? &lines_ : nullptr;
}

std::string Demonstration::greeting(std::span<const conf::ListenAddress> listening,
                                    const std::string& admin_address,
                                    const std::string& authority_file) const {
  std::string text = std::format(
      "sallyport {}, demonstration. The zone {} is served by this program itself;\n"
      "nothing leaves this machine, and nothing is kept. Ask it, in another terminal:\n\n",
      version, zone_name);
  for (const conf::ListenAddress& address : listening) {
    const base::Endpoint& at = address.endpoint;
    const std::string server = std::format("@{} -p {}", at.address.to_text(), at.port);
    switch (address.protocol) {
      case conf::Protocol::udp:
        text += moved(plain_port, at.port);
        text += std::format("  dig {} www.demo.test\n", server);
        text += std::format("  sallyport query @udp://{} www.demo.test\n\n", at.to_text());
        break;
      case conf::Protocol::tcp:
        text += std::format("  kdig {} +tcp big.demo.test TXT\n", server);
        text += std::format("  sallyport query @tcp://{} big.demo.test TXT\n\n", at.to_text());
        break;
      case conf::Protocol::doh3:
        text +=
            std::format("  curl --http3-only --cacert {} https://{}/resolve?name=www.demo.test\n",
                        authority_file, at.to_text());
        text += std::format("  sallyport query @h3://{} --ca {} www.demo.test\n\n", at.to_text(),
                            authority_file);
        break;
      case conf::Protocol::dot:
        text += moved(dot_port, at.port);
        text += std::format("  kdig {} +tls-ca={} +tls-hostname=127.0.0.1 www.demo.test\n", server,
                            authority_file);
        text += std::format("  sallyport query @tls://{} --ca {} www.demo.test\n\n", at.to_text(),
                            authority_file);
        break;
      case conf::Protocol::doq:
        text += std::format("  kdig {} +quic +tls-ca={} +tls-hostname=127.0.0.1 www.demo.test\n",
                            server, authority_file);
        text += std::format("  sallyport query @quic://{} --ca {} www.demo.test\n\n", at.to_text(),
                            authority_file);
        break;
      case conf::Protocol::http: break;  // for reverse proxies alone
      case conf::Protocol::doh:
        text += moved(doh_port, at.port);
        text += std::format("  curl --cacert {} 'https://{}/resolve?name=www.demo.test'\n",
                            authority_file, at.to_text());
        text += std::format("  kdig {} +https +tls-ca={} +tls-hostname=127.0.0.1 www.demo.test\n",
                            server, authority_file);
        text += std::format("  sallyport query @https://{} --ca {} www.demo.test\n\n", at.to_text(),
                            authority_file);
        break;
    }
  }
  text +=
      "Names to try: www (A, AAAA, HTTPS), alias, _sip._tcp (SRV), big and huge (TXT), NAME.any, "
      "short (5 s),\n"
      "whoami (TXT: how the upstream was asked), slow (300 ms), fail, silent, and any that does "
      "not exist.\n\n";
  text +=
      std::format("  sallyport status --socket {}\n", admin::control_socket_path(scratch_.path()));
  if (!admin_address.empty()) text += std::format("  curl http://{}/metrics\n", admin_address);
  return text + "\nCtrl-C ends it.\n\n";
}

}  // namespace gateway::demo
