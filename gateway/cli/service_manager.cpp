// Telling the service manager how it stands: sd_notify(3) by hand, a datagram to $NOTIFY_SOCKET.
#include "gateway/cli/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <format>

namespace gateway::cli {

ServiceManager::ServiceManager() {
  const char* const address = std::getenv("NOTIFY_SOCKET");
  if (address != nullptr && (address[0] == '/' || address[0] == '@')) address_ = address;
}

void ServiceManager::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  send(std::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void ServiceManager::send(const std::string& message) const {
  sockaddr_un to{};
  if (address_.empty() || address_.size() >= sizeof to.sun_path) return;
  to.sun_family = AF_UNIX;
  address_.copy(to.sun_path, address_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  // A manager that is gone is no reason to stop serving: there is nobody left to be told.
  (void)sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&to), length);
  close(descriptor);
}

}  // namespace gateway::cli
