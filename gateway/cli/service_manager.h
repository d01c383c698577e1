// What a service manager wants to be told (sd_notify(3)): one datagram to $NOTIFY_SOCKET, without
// libsystemd.
#pragma once

#include <string>
#include <string_view>

namespace gateway::cli {

/// Does nothing when nobody asked to be told. Owned by the verb `run`.
class ServiceManager {
 public:
  /// Reads $NOTIFY_SOCKET.
  ServiceManager();

  void ready() const { send("READY=1"); }
  /// With the monotonic clock's microseconds, as Type=notify-reload wants it; to be followed by
  /// ready().
  void reloading() const;
  void stopping() const { send("STOPPING=1"); }
  /// One line, shown by `systemctl status`.
  void status(std::string_view text) const { send("STATUS=" + std::string(text)); }

 private:
  void send(const std::string& message) const;

  std::string address_;  ///< a path, or '@' and a name in the abstract namespace
};

}  // namespace gateway::cli
