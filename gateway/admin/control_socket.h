// The unix socket by which the verbs reach the running gateway, and the lock that keeps a second
// gateway out of the same state directory. Owned by the admin server; the socket's file goes with
// it.
#pragma once

#include <string>

namespace gateway::admin {

/// File names in the state directory.
inline constexpr const char* control_socket_name = "control.sock";
inline constexpr const char* control_lock_name = "control.lock";

/// "STATE/control.sock".
std::string control_socket_path(const std::string& state_directory);

/// To be made before anything else in the state directory is touched: until then, somebody else
/// may.
class ControlSocket {
 public:
  /// Makes the directory when it is missing (mode 0700), takes the lock, replaces what a gateway
  /// that died left behind, and listens (mode 0600 before anybody can connect). Throws
  /// std::runtime_error with a whole sentence, e.g. "another sallyport runs with the state
  /// directory /var/lib/sallyport".
  explicit ControlSocket(const std::string& state_directory);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  /// The listening socket, non-blocking; the caller owns it from now on.
  int release();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void take_lock(const std::string& state_directory);
  void refuse_if_answered() const;
  void listen();

  std::string path_;
  int lock_ = -1;
  int listening_ = -1;
};

}  // namespace gateway::admin
