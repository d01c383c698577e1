// From text to a configuration: what is usual, what is given, and what environment and directory
// add.
#include "conf/load.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace conf {
namespace {

std::vector<std::string> urls(const Config& config) {
  std::vector<std::string> out;
  for (const ListenAddress& each : config.server.listen) out.push_back(each.text);
  return out;
}

Config load(std::string_view text) {
  const auto loaded = load_text(text, "test.toml", ".");
  if (loaded) return *loaded;
  for (const Complaint& complaint : loaded.error()) ADD_FAILURE() << complaint.to_text();
  return {};
}

TEST(Load, NoFileIsASafeResolver) {
  const Config config = defaults();
  EXPECT_EQ(config.source, "built-in defaults");
  EXPECT_EQ(urls(config), (std::vector<std::string>{"udp://127.0.0.1:53", "udp://[::1]:53",
                                                    "tcp://127.0.0.1:53", "tcp://[::1]:53"}));
  for (const ListenAddress& each : config.server.listen)
    EXPECT_TRUE(each.by_default && each.endpoint.address.is_loopback());
  const auto allowed = [&config](std::string_view text) {
    const auto address = base::Address::from_text(text);
    return std::ranges::any_of(config.server.allow, [&address](const base::Prefix& prefix) {
      return prefix.contains(*address);
    });
  };
  for (const auto* text : {"127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.7.7",
                           "::1", "fd00::1", "fe80::1%1"})
    EXPECT_TRUE(allowed(text)) << text;
  for (const auto* text : {"8.8.8.8", "172.32.0.1", "100.64.0.1", "0.0.0.0", "2001:db8::1", "::"})
    EXPECT_FALSE(allowed(text)) << text;
  for (const Upstream& upstream : config.upstreams) {
    EXPECT_EQ(upstream.protocol, Protocol::dot);
    EXPECT_EQ(upstream.endpoint.port, 853);
    EXPECT_TRUE(upstream.tls_name == "dns.quad9.net" || upstream.tls_name == "cloudflare-dns.com")
        << upstream.tls_name;
  }
  EXPECT_EQ(config.upstreams.size(), 4U);
  EXPECT_EQ(config.admin.listen->to_text(), "127.0.0.1:8953");
}

TEST(Load, AnEmptyFileIsTheDefaults) {
  Config config = load("");
  EXPECT_EQ(config.source, "test.toml");
  EXPECT_EQ(config.server, defaults().server);
  EXPECT_EQ(config.upstreams, defaults().upstreams);
}

TEST(Load, ANameAloneSwitchesTheEncryptedListenersOn) {
  EXPECT_EQ(
      urls(load("[server]\nname = \"dns.example.org\"\n")),
      (std::vector<std::string>{"udp://127.0.0.1:53", "udp://[::1]:53", "tcp://127.0.0.1:53",
                                "tcp://[::1]:53", "tls://127.0.0.1:853", "tls://[::1]:853",
                                "quic://127.0.0.1:853", "quic://[::1]:853", "https://127.0.0.1:443",
                                "https://[::1]:443", "h3://127.0.0.1:443", "h3://[::1]:443"}));
  const Config given =
      load("[server]\nname = \"dns.example.org\"\nlisten = [\"udp://192.0.2.1\"]\n");
  EXPECT_EQ(urls(given), std::vector<std::string>{"udp://192.0.2.1"});
  EXPECT_FALSE(given.server.listen.front().by_default);
  EXPECT_EQ(given.server.listen.front().endpoint.to_text(), "192.0.2.1:53");
}

TEST(Load, EveryKindOfValueIsRead) {
  const Config config = load(R"(
[server]
listen = ["udp://[::]:5353", "tls://0.0.0.0", "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"]
workers = 3
state_directory = "state"
allow = ["::/0", "192.0.2.1"]
forward_special_names = ["test", "10.in-addr.arpa."]
[[upstream]]
url = "tls://[2620:fe::fe]:8853#dns.quad9.net"
timeout = "250 ms"
links = 5
queries_per_link = 1
idle_timeout = "1m"
pins = ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="]
[[upstream]]
url = "udp://192.0.2.53"
case_randomisation = false
[cache]
size = "2 GiB"
min_ttl = "1m"
max_ttl = "12h"
[limits]
query_timeout = "500ms"
udp_size = 4096
[tls]
minimum_version = "1.3"
ticket_rotation = "1h"
[admin]
listen = "[::1]:9000"
[log]
level = "debug"
format = "json"
file = "test.log"
)");
  ASSERT_EQ(urls(config), (std::vector<std::string>{"udp://[::]:5353", "tls://0.0.0.0",
                                                    "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"}));
  EXPECT_EQ(config.server.listen[1].endpoint.to_text(), "0.0.0.0:853");
  EXPECT_EQ(config.server.listen[1].protocol, Protocol::dot);
  EXPECT_EQ(config.server.workers, 3U);
  EXPECT_EQ(config.server.state_directory, "state");
  EXPECT_EQ(config.server.allow.size(), 2U);
  ASSERT_EQ(config.server.forward_special_names.size(), 2U);
  EXPECT_EQ(config.server.forward_special_names[0].to_text(), "test.");
  ASSERT_EQ(config.upstreams.size(), 2U);
  const Upstream& first = config.upstreams[0];
  EXPECT_EQ(first.url, "tls://[2620:fe::fe]:8853#dns.quad9.net");
  EXPECT_EQ(first.endpoint.to_text(), "[2620:fe::fe]:8853");
  EXPECT_EQ(first.tls_name, "dns.quad9.net");
  EXPECT_EQ(first.timeout, 250ms);
  EXPECT_EQ(first.links, 5U);
  EXPECT_EQ(first.queries_per_link, 1U);
  EXPECT_EQ(first.idle_timeout, 60s);
  EXPECT_EQ(first.pins, (std::vector<std::string>{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                                  "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="}));
  EXPECT_EQ(config.upstreams[1].protocol, Protocol::udp);
  EXPECT_FALSE(config.upstreams[1].case_randomisation);
  EXPECT_EQ(config.cache.size, 2048 * mebibyte);
  EXPECT_EQ(config.cache.min_ttl, 60s);
  EXPECT_EQ(config.cache.max_ttl, 12h);
  EXPECT_EQ(config.limits.query_timeout, 500ms);
  EXPECT_EQ(config.limits.udp_size, 4096U);
  EXPECT_EQ(config.tls.minimum_version, "1.3");
  EXPECT_EQ(config.tls.ticket_rotation, 1h);
  EXPECT_EQ(config.admin.listen->to_text(), "[::1]:9000");
  EXPECT_EQ(config.log.level, base::LogLevel::debug);
  EXPECT_EQ(config.log.format, base::LogFormat::json);
  EXPECT_EQ(config.log.file, "test.log");
}

TEST(Load, TheBoundsThemselvesAreInside) {
  EXPECT_EQ(load("[limits]\nquery_timeout = \"30s\"\nudp_size = 512\n").limits.query_timeout,
            Limits::query_timeout_bounds.most);
  EXPECT_EQ(load("[limits]\nquery_timeout = \"100ms\"\n").limits.query_timeout,
            Limits::query_timeout_bounds.least);
  EXPECT_EQ(load("[cache]\nsize = \"1 TiB\"\n").cache.size, Cache::size_bounds.most);
}

TEST(Load, AnEmptyTextIsNone) {
  const Config config = load(
      "[server]\nname = \"\"\nstate_directory = \"\"\n[admin]\nlisten = \"\"\n[log]\nfile = "
      "\"\"\n");
  EXPECT_EQ(urls(config), urls(defaults()));
  EXPECT_EQ(config.server.state_directory, defaults().server.state_directory);
  EXPECT_EQ(config.admin.listen, std::nullopt);
}

TEST(Load, TheStateDirectoryFollowsTheEnvironment) {
  ::setenv("STATE_DIRECTORY", "/run/one:/run/two", 1);
  EXPECT_EQ(defaults().server.state_directory, "/run/one");
  ::unsetenv("STATE_DIRECTORY");
  ::setenv("XDG_STATE_HOME", "/home/x/state", 1);
  const bool root = ::geteuid() == 0;
  EXPECT_EQ(defaults().server.state_directory,
            root ? "/var/lib/sallyport" : "/home/x/state/sallyport");
  ::unsetenv("XDG_STATE_HOME");
  ::setenv("HOME", "/home/x", 1);
  EXPECT_EQ(defaults().server.state_directory,
            root ? "/var/lib/sallyport" : "/home/x/.local/state/sallyport");
}

/// A directory that goes away with its files.
class Directory {
 public:
  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "conf-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  [[nodiscard]] std::string write(const std::string& name, std::string_view text) const {
    std::ofstream{path_ / name} << text;
    return (path_ / name).string();
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

TEST(Load, RelativePathsBeginAtTheFilesDirectory) {
  const Directory directory;
  const std::string chain =
      directory.write("chain.pem", "text before\n-----BEGIN CERTIFICATE-----\n");
  const std::string key = directory.write("key.pem", "-----BEGIN EC PRIVATE KEY-----\n");
  const auto loaded =
      load_file(directory.write("sallyport.toml",
                                "[[certificate]]\nchain_file = \"chain.pem\"\nkey_file = "
                                "\"./key.pem\"\n[log]\nfile = \"x.log\"\n"));
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->certificates,
            (std::vector<Certificate>{{.chain_file = chain, .key_file = key}}));
  EXPECT_EQ(loaded->log.file, directory.path("x.log"));
}

TEST(Load, FilesThatAreSwappedAreNoticed) {
  const Directory directory;
  static_cast<void>(directory.write("chain.pem", "-----BEGIN CERTIFICATE-----\n"));
  static_cast<void>(directory.write("key.pem", "-----BEGIN PRIVATE KEY-----\n"));
  const auto loaded = load_file(directory.write(
      "sallyport.toml", "[[certificate]]\nchain_file = \"key.pem\"\nkey_file = \"chain.pem\"\n"));
  ASSERT_EQ(loaded.error().size(), 2U);
  EXPECT_TRUE(loaded.error()[0].message.ends_with(
      "key.pem` is a private key, and a certificate is wanted here"))
      << loaded.error()[0].message;
  EXPECT_TRUE(loaded.error()[1].message.ends_with(
      "chain.pem` is a certificate, and a private key is wanted here"))
      << loaded.error()[1].message;
}

TEST(Load, APipeInPlaceOfAFileHoldsNobodyUp) {
  const Directory directory;
  ASSERT_EQ(::mkfifo(directory.path("pipe").c_str(), 0600), 0);
  const auto loaded = load_file(directory.write(
      "sallyport.toml", "[[certificate]]\nchain_file = \"pipe\"\nkey_file = \"pipe\"\n"));
  ASSERT_EQ(loaded.error().size(), 2U);
  EXPECT_TRUE(loaded.error()[0].message.ends_with("pipe` is not a file"));
}

/// Without root's right to read everything, for the length of a scope.
class WithoutPrivileges {
 public:
  WithoutPrivileges() : before_(::geteuid()) {
    if (before_ == 0 && ::seteuid(65534) != 0) throw std::runtime_error("seteuid");
  }
  ~WithoutPrivileges() {
    if (before_ == 0 && ::seteuid(before_) != 0) std::abort();
  }
  WithoutPrivileges(const WithoutPrivileges&) = delete;
  WithoutPrivileges& operator=(const WithoutPrivileges&) = delete;

 private:
  uid_t before_;
};

TEST(Load, AFileThatMayNotBeReadIsSaidSo) {
  const Directory directory;
  const std::string chain = directory.write("chain.pem", "-----BEGIN CERTIFICATE-----\n");
  ::chmod(chain.c_str(), 0);
  const WithoutPrivileges here;
  const std::string text = "[[upstream]]\nurl = \"tls://192.0.2.1\"\nca_file = \"" + chain + "\"\n";
  const auto loaded = load_text(text, "test.toml", ".");
  ASSERT_FALSE(loaded.has_value());
  ASSERT_EQ(loaded.error().size(), 1U);
  EXPECT_EQ(loaded.error()[0].suggestion, "may the user that Sallyport runs as read it?");
}

TEST(Load, LinesMayEndAsOnOtherSystems) {
  EXPECT_EQ(load("\xef\xbb\xbf[server]\r\nworkers = 2\r\n").server.workers, 2U);
  const auto loaded = load_text("[server]\r\nworker = 2\r\n", "x", ".");
  EXPECT_EQ(loaded.error().front().source_line, "worker = 2");
}

}  // namespace
}  // namespace conf
