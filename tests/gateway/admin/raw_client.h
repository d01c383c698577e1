// A client that sends exactly the octets it is told to, and waits ten seconds at most for what
// comes back.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/address.h"

namespace gateway::admin {

class RawClient {
 public:
  static RawClient to(const base::Endpoint& endpoint) {
    sockaddr_storage address{};
    const unsigned length = endpoint.to_sockaddr(address);
    return RawClient(reinterpret_cast<const sockaddr&>(address), length);
  }
  static RawClient to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return RawClient(reinterpret_cast<const sockaddr&>(address), sizeof address);
  }
  RawClient(RawClient&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// False when the server has closed.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  /// Header and as many octets of body as Content-Length says; less when the server closes before.
  std::string response(bool head = false) {
    while (!received_.contains("\r\n\r\n")) {
      if (!receive()) return std::exchange(received_, {});
    }
    const std::size_t body = received_.find("\r\n\r\n") + 4;
    const std::size_t size = body + (head ? 0 : content_length(received_.substr(0, body)));
    while (received_.size() < size) {
      if (!receive()) return std::exchange(received_, {});
    }
    std::string whole = received_.substr(0, size);
    received_.erase(0, size);
    return whole;
  }

  /// Reads to the end; throws when the end does not come.
  std::string rest() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }

  /// Whether the server has closed, or does so within `patience` ms.
  bool closed_within(int patience) {
    pollfd poll_descriptor{descriptor_, POLLIN, 0};
    if (poll(&poll_descriptor, 1, patience) == 0) return false;
    char octet = 0;
    return recv(descriptor_, &octet, 1, MSG_PEEK) <= 0;
  }

 private:
  RawClient(const sockaddr& address, unsigned length)
      : descriptor_(socket(address.sa_family, SOCK_STREAM, 0)) {
    if (connect(descriptor_, &address, length) != 0) throw std::runtime_error(std::strerror(errno));
  }

  static std::size_t content_length(std::string_view header) {
    const std::size_t at = header.find("Content-Length: ");
    return at == std::string_view::npos ? 0 : std::stoul(std::string(header.substr(at + 16)));
  }

  bool receive() {
    pollfd poll_descriptor{descriptor_, POLLIN, 0};
    if (poll(&poll_descriptor, 1, 10'000) == 0)
      throw std::runtime_error("the server neither answers nor closes");
    char octets[4096];
    const ssize_t count = recv(descriptor_, octets, sizeof octets, 0);
    if (count <= 0) return false;
    received_.append(octets, static_cast<std::size_t>(count));
    return true;
  }

  int descriptor_;
  std::string received_;
};

}  // namespace gateway::admin
