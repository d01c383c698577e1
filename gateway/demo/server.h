// The demonstration's upstream: its zone over real UDP, TCP and DoT on loopback ports that the
// kernel chose, by the project's own listeners, on a thread of its own. Owned by the demonstration.
#pragma once

#include <memory>
#include <string>

#include "base/address.h"
#include "base/log.h"

namespace gateway::demo {

class Server {
 public:
  /// Listens and answers from now on. Makes an authority and a certificate in `state_directory`.
  /// Throws std::runtime_error with a sentence.
  Server(const std::string& state_directory, base::Log& log);
  ~Server();  ///< ends it
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// UDP, and TCP on the same port.
  [[nodiscard]] base::Endpoint plain() const;
  [[nodiscard]] base::Endpoint dot() const;
  /// Whom to trust for dot().
  [[nodiscard]] std::string authority_file() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gateway::demo
