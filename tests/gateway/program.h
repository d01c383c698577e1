// The real program as a child process: its output, its exit status, its messages to the service
// manager. Everything is waited for by deadlines that only a broken program reaches.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gateway {

class Program {
 public:
  static constexpr std::chrono::seconds patience{60};

  struct Result {
    int status = -1;
    std::string out;
    std::string complaints;
  };

  /// Runs it to its end.
  static Result run(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    Program program(std::move(arguments), std::move(environment));
    return program.finish();
  }

  explicit Program(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    arguments.insert(arguments.begin(), binary());
    for (const char* kept : {"PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
      if (const char* value = std::getenv(kept))
        environment.push_back(std::string(kept) + '=' + value);
    }
    int out[2];
    int complaints[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(complaints, O_CLOEXEC) != 0)
      throw std::runtime_error("no pipes");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, complaints[1], STDERR_FILENO);
    const int error = posix_spawn(&child_, arguments.front().c_str(), &actions, nullptr,
                                  pointers(arguments).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(complaints[1]);
    out_.descriptor = out[0];
    complaints_.descriptor = complaints[0];
    if (error != 0) throw std::runtime_error("cannot run " + arguments.front());
  }

  ~Program() {
    if (child_ > 0) end();
    close(out_.descriptor);
    close(complaints_.descriptor);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void tell(int signal) const { kill(child_, signal); }

  /// What it has written to standard output, or standard error, until `text` is in it.
  std::string out_until(const std::string& text) { return read_until(out_, text); }
  std::string complaints_until(const std::string& text) { return read_until(complaints_, text); }

  /// Waits for its end.
  Result finish() {
    while (out_.open || complaints_.open) receive();
    int status = 0;
    waitpid(std::exchange(child_, -1), &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out_.text,
            complaints_.text};
  }

 private:
  struct Stream {
    int descriptor = -1;
    bool open = true;
    std::string text;
  };

  /// Beside the tests in the build directory, as ctest also says.
  static std::string binary() {
    if (const char* path = std::getenv("SALLYPORT_BINARY")) return path;
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() /
            "sallyport")
        .string();
  }

  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }

  /// Politely at first, so that it takes its scratch files with it.
  void end() const {
    kill(child_, SIGTERM);
    for (int waited = 0; waited < 500; ++waited) {
      if (waitpid(child_, nullptr, WNOHANG) != 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  std::string read_until(Stream& stream, const std::string& text) {
    while (!stream.text.contains(text)) {
      if (!stream.open)
        throw std::runtime_error("it ended without saying \"" + text + "\": " + complaints_.text);
      receive();
    }
    return stream.text;
  }

  /// Takes what comes next on either stream.
  void receive() {
    pollfd polled[] = {{out_.open ? out_.descriptor : -1, POLLIN, 0},
                       {complaints_.open ? complaints_.descriptor : -1, POLLIN, 0}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end_ - std::chrono::steady_clock::now());
    if (left.count() <= 0 || poll(polled, 2, static_cast<int>(left.count())) == 0) {
      throw std::runtime_error("the program neither ends nor goes on: " + out_.text +
                               complaints_.text);
    }
    Stream* const streams[] = {&out_, &complaints_};
    for (int i = 0; i < 2; ++i) {
      if (polled[i].revents == 0) continue;
      char octets[4096];
      const ssize_t count = read(streams[i]->descriptor, octets, sizeof octets);
      streams[i]->open = count > 0;
      if (count > 0) streams[i]->text.append(octets, static_cast<std::size_t>(count));
    }
  }

  pid_t child_ = -1;
  Stream out_;
  Stream complaints_;
  std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + patience;
};

/// What a service manager hears ($NOTIFY_SOCKET).
class NotifySocket {
 public:
  explicit NotifySocket(std::string path) : path_(std::move(path)) {
    descriptor_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("no socket at " + path_);
    }
  }
  ~NotifySocket() { close(descriptor_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  [[nodiscard]] std::string variable() const { return "NOTIFY_SOCKET=" + path_; }

  /// The next message.
  std::string next() {
    pollfd polled{descriptor_, POLLIN, 0};
    if (poll(&polled, 1, std::chrono::milliseconds(Program::patience).count()) == 0) {
      throw std::runtime_error("the service manager hears nothing");
    }
    char octets[512];
    const ssize_t count = recv(descriptor_, octets, sizeof octets, 0);
    return {octets, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

 private:
  std::string path_;
  int descriptor_;
};

}  // namespace gateway
