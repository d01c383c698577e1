// A whole gateway in this process: what a reload changes, and that it changes all or nothing.
#include "gateway/app.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <expected>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "conf/load.h"
#include "tests/gateway/temporary_directory.h"

namespace gateway {
namespace {

constexpr std::chrono::seconds patience{30};

/// A pipe with a name: each reader of the file gets what was written last.
class FileToldPerReader {
 public:
  explicit FileToldPerReader(const std::string& path) {
    if (::mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("no pipe");
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  }
  ~FileToldPerReader() { ::close(descriptor_); }
  FileToldPerReader(const FileToldPerReader&) = delete;
  FileToldPerReader& operator=(const FileToldPerReader&) = delete;

  void tell(std::string_view line) const {
    ASSERT_EQ(::write(descriptor_, line.data(), line.size()), std::ssize(line));
  }
  /// Whether it was read within the time that only a gateway that hangs needs.
  [[nodiscard]] bool is_read() const {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
      int left = 0;
      ::ioctl(descriptor_, FIONREAD, &left);
      if (left == 0) return true;
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }

 private:
  int descriptor_;
};

class AppTest : public ::testing::Test {
 protected:
  [[nodiscard]] conf::Config config(const std::string& upstreams) const {
    auto loaded = conf::load_text(
        "[server]\nlisten = [\"udp://127.0.0.1:0\"]\nworkers = 2\n"
        "state_directory = \"" +
            folder.path() +
            "\"\n"
            "watch_network = false\n[admin]\nlisten = \"\"\n[log]\nlevel = \"off\"\n" +
            upstreams,
        "test", ".");
    if (!loaded) throw std::invalid_argument(loaded.error().front().to_text());
    return *loaded;
  }

  TemporaryDirectory folder;
  base::Log log{{.level = base::LogLevel::off}};
};

TEST_F(AppTest, AReloadThatOneWorkerCannotTakeIsTakenByNone) {
  const std::string login = folder.file("login");
  const FileToldPerReader file{login};
  conf::Config next = config(
      "[[upstream]]\nurl = \"udp://192.0.2.2\"\n"
      "[[upstream]]\nurl = \"tcp://192.0.2.3\"\n");
  next.upstreams.back().proxy = base::Endpoint{base::Address::from_text("127.0.0.1").value(), 9};
  next.upstreams.back().proxy_login_file = login;
  App app{config("[[upstream]]\nurl = \"udp://192.0.2.1\"\n"),
          log,
          {.version = "test",
           .read_again = [&next] { return std::expected<conf::Config, conf::Complaints>{next}; }}};

  std::future<admin::ReloadOutcome> reloaded =
      std::async(std::launch::async, [&app] { return app.reload(); });
  file.tell("user:password\n");  // for one worker
  ASSERT_TRUE(file.is_read());
  file.tell("neither\n");  // for the other
  const admin::ReloadOutcome outcome = reloaded.get();
  EXPECT_FALSE(outcome.ok);
  ASSERT_EQ(outcome.complaints.size(), 1U);
  EXPECT_TRUE(outcome.complaints[0].contains("holds no user and password"));

  const std::vector<admin::UpstreamDetail> asked = app.upstreams();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].url, "udp://192.0.2.1");
  EXPECT_EQ(asked[0].views.size(), 2U) << "by both workers";

  // And a good one is taken by both, after a bad one too.
  next = config("[[upstream]]\nurl = \"udp://192.0.2.4\"\n");
  EXPECT_TRUE(app.reload().ok);
  const std::vector<admin::UpstreamDetail> then = app.upstreams();
  ASSERT_EQ(then.size(), 1U);
  EXPECT_EQ(then[0].url, "udp://192.0.2.4");
  EXPECT_EQ(then[0].views.size(), 2U);
}

}  // namespace
}  // namespace gateway
