// From a configuration to a gateway that runs, and back.
#include "gateway/cli/serve.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <format>
#include <stdexcept>

#include "base/log.h"
#include "gateway/app.h"
#include "gateway/cli/process.h"
#include "gateway/cli/service_manager.h"
#include "gateway/version.h"

namespace gateway::cli {
namespace {

/// Where log lines go: the configured file, or standard error.
class LogFile {
 public:
  explicit LogFile(const std::string& path) {
    if (path.empty()) return;
    descriptor_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor_ < 0)
      throw std::runtime_error(
          std::format("cannot open the log file {}: {}", path, std::strerror(errno)));
  }
  ~LogFile() {
    if (descriptor_ != STDERR_FILENO) close(descriptor_);
  }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = STDERR_FILENO;
};

void serve_until_told_otherwise(App& app, const ServiceManager& manager, base::Log& log) {
  manager.ready();
  int signal = wait_for_signal();
  for (; signal == SIGHUP; signal = wait_for_signal()) {
    manager.reloading();
    app.reload();  // says itself in the log what came of it
    manager.ready();
  }
  log.info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  manager.stopping();
}

}  // namespace

void serve(const Service& service) {
  const conf::Config& config = service.config;
  const std::uint64_t descriptors = raise_descriptor_limit();
  const LogFile log_file(config.log.file);
  base::Log log({.level = config.log.level,
                 .format = config.log.format,
                 .descriptor = log_file.descriptor()});
  App app(config, log,
          {.version = version, .read_again = service.read_again, .observer = service.observer});
  log.info("sallyport runs", {{"version", std::string(version)},
                              {"configuration", config.source},
                              {"listeners", app.listening().size()},
                              {"descriptors", descriptors}});
  if (service.when_ready) service.when_ready(app);
  release_start_pages();

  serve_until_told_otherwise(app, ServiceManager(), log);
  release_signals();  // a second Ctrl-C ends it without waiting for the drain
  app.stop();
}

}  // namespace gateway::cli
