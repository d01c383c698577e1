// `sallyport run --demo`: an upstream inside this program, a configuration made in code that asks
// it, and a greeting that says what to try. Nothing leaves the machine, nothing is kept.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "conf/config.h"
#include "gateway/demo/query_lines.h"
#include "gateway/demo/server.h"

namespace gateway::demo {

/// A directory for the length of the demonstration: mode 0700, in $XDG_RUNTIME_DIR or /tmp.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Only one demonstration of this user chooses its ports at a time: between finding a port free and
/// listening there, another must not find it free, too. Waits its turn for five seconds at most.
class PortChoice {
 public:
  PortChoice();
  ~PortChoice() { end(); }
  PortChoice(const PortChoice&) = delete;
  PortChoice& operator=(const PortChoice&) = delete;
  /// Everything listens.
  void end();

 private:
  int descriptor_ = -1;
};

/// The first port from `wanted` on at which nobody listens, over UDP or TCP, on 127.0.0.1. Throws
/// when a hundred are taken.
std::uint16_t free_port(std::uint16_t wanted);

class Demonstration {
 public:
  static constexpr std::uint16_t plain_port = 5354;
  static constexpr std::uint16_t dot_port = 8853;
  static constexpr std::uint16_t doh_port = 8443;
  static constexpr std::uint16_t admin_port = 8953;

  /// `json`: query lines and log as JSON.
  explicit Demonstration(bool json);

  [[nodiscard]] conf::Config configuration() const;
  /// Null when nobody looks: standard output is no terminal, and JSON was not asked for.
  QueryObserver* observer();
  /// One ready command for each of `listening`, names worth trying, and how to look inside.
  [[nodiscard]] std::string greeting(std::span<const conf::ListenAddress> listening,
                                     const std::string& admin_address,
                                     const std::string& authority_file) const;

 private:
  ScratchDirectory scratch_;
  base::Log log_;  // the upstream's: its troubles only
  Server server_;
  QueryLines lines_;
  bool json_;
};

}  // namespace gateway::demo
