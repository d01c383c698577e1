// From TOML text to a Config, or to every complaint at once.
#include "conf/load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <iterator>
#include <system_error>

#include "conf/document.h"
#include "conf/reading.h"
#include "conf/sections.h"
#include "conf/sections_routing.h"
#include "conf/urls.h"

namespace conf {
namespace {

/// This machine and private networks: RFC 1122 §3.2.1.3, RFC 1918, RFC 3927, RFC 4193, RFC 4291
/// §2.5.6. Not RFC 6598's 100.64.0.0/10, which an access provider shares among its customers.
constexpr std::array<std::string_view, 8> usual_allow{
    "127.0.0.0/8",    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
    "169.254.0.0/16", "::1/128",    "fc00::/7",      "fe80::/10"};

constexpr std::array<std::string_view, 2> usual_hosts{"127.0.0.1", "[::1]"};

/// Two operators, two addresses each.
constexpr std::array<std::string_view, 4> usual_upstreams{
    "tls://9.9.9.9#dns.quad9.net", "tls://149.112.112.112#dns.quad9.net",
    "tls://1.1.1.1#cloudflare-dns.com", "tls://1.0.0.1#cloudflare-dns.com"};

constexpr std::string_view usual_admin = "127.0.0.1:8953";

/// Plain DNS on loopback; a server that has a name also listens where encryption is spoken.
std::vector<ListenAddress> usual_listen(bool encrypted) {
  std::vector<ListenAddress> out;
  for (const ProtocolRow& row : protocols) {
    if (row.protocol == Protocol::http || (row.encrypted && !encrypted)) continue;
    for (const std::string_view host : usual_hosts) {
      out.push_back(*read_listen_url(std::format("{}://{}:{}", row.scheme, host, row.port)));
      out.back().by_default = true;
    }
  }
  return out;
}

std::string environment(const char* name) {
  const char* value = std::getenv(
      name);  // NOLINT(concurrency-mt-unsafe): while starting and reloading; nobody sets any
  return value == nullptr ? std::string{} : std::string{value};
}

std::string usual_state_directory() {
  const std::string given =
      environment("STATE_DIRECTORY");  // systemd.exec(5): several are separated by colons
  if (!given.empty()) return given.substr(0, given.find(':'));
  if (::geteuid() == 0) return "/var/lib/sallyport";
  const std::string state = environment("XDG_STATE_HOME");
  if (state.starts_with('/'))
    return state + "/sallyport";  // the XDG specification: relative ones are ignored
  const std::string home = environment("HOME");
  return home.empty() ? "/var/lib/sallyport" : home + "/.local/state/sallyport";
}

const Node* value_at(const Node& root, std::string_view section, std::string_view key) {
  const Member* table = root.find(section);
  const Member* member = table == nullptr ? nullptr : table->value.find(key);
  return member == nullptr ? nullptr : &member->value;
}

/// A query to ourselves would come back until its time is over.
bool leads_to(const Upstream& upstream, const ListenAddress& listener) {
  return std::ranges::any_of(upstream.places(), [&](const base::Endpoint& place) {
    return listener.takes(upstream.protocol, place);
  });
}

/// Whoever would look a host up through us would have to know it already.
void check_resolvers_against_listeners(const Node& table, const Upstream& upstream,
                                       const Config& config, Reading& reading) {
  const std::vector<base::Endpoint>& resolvers = upstream.bootstrap_resolvers;
  for (std::size_t i = 0; i < resolvers.size(); ++i) {
    const auto listener = std::ranges::find_if(
        config.server.listen,
        [&](const ListenAddress& each) { return each.takes(Protocol::udp, resolvers[i]); });
    if (listener == config.server.listen.end()) continue;
    const Node& list = table.find("bootstrap_resolvers")->value;
    reading.complain(list.items.size() == resolvers.size() ? list.items[i].place : list.place,
                     std::format("`{}` is this server itself: it listens on `{}`",
                                 resolvers[i].to_text(), listener->text),
                     "name another resolver: this one has to know the upstream first");
  }
}

void check_upstreams_against_listeners(const Node& root, const Config& config, Reading& reading) {
  const Member* list = root.find("upstream");
  if (list == nullptr || list->value.items.size() != config.upstreams.size()) return;
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    const Upstream& upstream = config.upstreams[i];
    check_resolvers_against_listeners(list->value.items[i], upstream, config, reading);
    const auto listener = std::ranges::find_if(
        config.server.listen,
        [&upstream](const ListenAddress& each) { return leads_to(upstream, each); });
    if (upstream.url.empty() || listener == config.server.listen.end()) continue;
    reading.complain(
        list->value.items[i].find("url")->value.place,
        std::format("`{}` is this server itself: it listens on `{}`", upstream.url, listener->text),
        "name another resolver, or give `listen` other ports");
  }
}

/// What is asked over HTTP in the clear can be read on its way from the reverse proxy to us.
void check_clear_http(const Node& root, const Config& config, Reading& reading) {
  const Node* list = value_at(root, "server", "listen");
  if (list == nullptr || !config.proxy.reverse_proxies.empty()) return;
  for (std::size_t i = 0; i < config.server.listen.size(); ++i) {
    const ListenAddress& each = config.server.listen[i];
    const bool is_private = std::ranges::any_of(usual_allow, [&each](std::string_view prefix) {
      return base::Prefix::from_text(prefix)->contains(each.endpoint.address);
    });
    if (each.protocol != Protocol::http || is_private) continue;
    reading.complain(
        list->items.size() == config.server.listen.size() ? list->items[i].place : list->place,
        std::format("`{}` is HTTP in the clear, at no private address", each.text),
        "write `https://`, or name `reverse_proxies` in [proxy]");
  }
}

void check_admin_against_listeners(const Node& root, const Config& config, Reading& reading) {
  const Node* node = value_at(root, "admin", "listen");
  if (node == nullptr || !config.admin.listen || config.admin.listen->port == 0) return;
  const auto taken =
      std::ranges::find_if(config.server.listen, [&config](const ListenAddress& each) {
        return row_of(each.protocol).socket == Socket::tcp && each.endpoint == *config.admin.listen;
      });
  if (taken == config.server.listen.end()) return;
  reading.complain(node->place, std::format("`{}` is taken by `{}`", node->text, taken->text),
                   "give it another port");
}

std::expected<std::string, std::string> read_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return std::unexpected(std::generic_category().message(errno));
  struct stat facts{};
  std::string text;
  std::string failure;
  if (::fstat(descriptor, &facts) != 0 || S_ISDIR(facts.st_mode)) failure = "it is a directory";
  std::array<char, 65536> chunk;
  while (failure.empty() && text.size() <= document_size_most) {
    const ssize_t size = ::read(descriptor, chunk.data(), chunk.size());
    if (size < 0 && errno != EINTR) failure = std::generic_category().message(errno);
    if (size == 0) break;
    if (size > 0) text.append(chunk.data(), static_cast<std::size_t>(size));
  }
  ::close(descriptor);
  if (!failure.empty()) return std::unexpected(failure);
  return text;
}

}  // namespace

Config defaults() {
  Config config;
  config.server.listen = usual_listen(false);
  config.server.state_directory = usual_state_directory();
  for (const std::string_view prefix : usual_allow)
    config.server.allow.push_back(*base::Prefix::from_text(prefix));
  for (const std::string_view url : usual_upstreams)
    config.upstreams.push_back(*read_upstream_url(url));
  config.admin.listen = *read_endpoint(usual_admin);
  config.source = "built-in defaults";
  return config;
}

std::expected<Config, Complaints> load_text(std::string_view text, const std::string& name,
                                            const std::string& directory) {
  const Source source{text, name};
  const auto root = parse_document(text, source);
  if (!root) {
    Complaints complaints = root.error();
    if (complaints.size() > complaints_most) complaints.resize(complaints_most);
    return std::unexpected(std::move(complaints));
  }
  Reading reading{source, directory};
  Config config = defaults();
  config.source = name;
  read_sections(*root, config, reading);
  if (value_at(*root, "server", "listen") == nullptr)
    config.server.listen = usual_listen(!config.server.name.empty());
  if (config.server.state_directory.empty())
    config.server.state_directory = usual_state_directory();
  check_upstreams_against_listeners(*root, config, reading);
  check_clear_http(*root, config, reading);
  check_admin_against_listeners(*root, config, reading);
  check_routing(*root, config, reading);
  if (reading.ok()) return config;
  return std::unexpected(std::move(reading).take());
}

std::expected<Config, Complaints> load_file(const std::string& path) {
  const auto text = read_file(path);
  if (text) {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(path, error);
    return load_text(*text, path, whole.parent_path().string());
  }
  return std::unexpected(Complaints{
      Source{"", path}.complaint({}, "the file cannot be read: " + text.error(),
                                 "`sallyport.example.toml` is a complete file to begin with")});
}

}  // namespace conf
