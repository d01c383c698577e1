// The control socket and its lock. unix(7), flock(2).
#include "gateway/admin/control_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <format>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace gateway::admin {
namespace {

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::runtime_error(std::format("{}: {}", what, std::strerror(error)));
}

void make_directory(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    fail("cannot make the state directory " + path, errno);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw std::runtime_error(
        std::format("the control socket's path {} has more than {} characters: choose a shorter "
                    "state directory",
                    path, sizeof address.sun_path - 1));
  }
  path.copy(address.sun_path, path.size());
  return address;
}

}  // namespace

std::string control_socket_path(const std::string& state_directory) {
  return (std::filesystem::path(state_directory) / control_socket_name).string();
}

ControlSocket::ControlSocket(const std::string& state_directory)
    : path_(control_socket_path(state_directory)) {
  try {
    make_directory(state_directory);
    take_lock(state_directory);
    refuse_if_answered();
    listen();
  } catch (...) {
    if (listening_ >= 0) close(listening_);
    if (lock_ >= 0) close(lock_);
    throw;
  }
}

ControlSocket::~ControlSocket() {
  if (listening_ >= 0) close(listening_);
  unlink(path_.c_str());  // while the lock is held: it cannot be a successor's
  close(lock_);
}

int ControlSocket::release() { return std::exchange(listening_, -1); }

void ControlSocket::take_lock(const std::string& state_directory) {
  const std::string lock_path =
      (std::filesystem::path(state_directory) / control_lock_name).string();
  lock_ = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_ < 0) fail("cannot open " + lock_path, errno);
  if (flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) fail("cannot lock " + lock_path, errno);
  throw std::runtime_error("another sallyport runs with the state directory " + state_directory);
}

// The lock's file may have been deleted by a person who tidied up; the socket still tells.
void ControlSocket::refuse_if_answered() const {
  const sockaddr_un address = address_of(path_);
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) fail("cannot open a unix socket", errno);
  const bool answered =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN;  // a full backlog is a living listener's
  close(probe);
  if (answered) throw std::runtime_error("another process listens on " + path_);
}

void ControlSocket::listen() {
  const sockaddr_un address = address_of(path_);
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) fail("cannot replace " + path_, errno);
  listening_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listening_ < 0) fail("cannot open a unix socket", errno);
  if (bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot bind " + path_, errno);
  }
  // Nobody can connect before listen(2), so there is no moment in which others may.
  if (chmod(path_.c_str(), 0600) != 0) fail("cannot restrict " + path_, errno);
  if (::listen(listening_, 16) != 0) fail("cannot listen on " + path_, errno);
}

}  // namespace gateway::admin
