// Every key of sallyport.toml, in the order in which a person needs it.
#include "conf/sections.h"

#include <algorithm>
#include <format>

#include "conf/rows.h"
#include "conf/sections_doh.h"
#include "conf/sections_proxy.h"
#include "conf/sections_quic.h"
#include "conf/sections_routing.h"
#include "conf/sections_way_out.h"
#include "conf/spelling.h"
#include "conf/urls.h"

namespace conf {
namespace {

using enum Applies;

constexpr std::string_view chain_mark = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view key_mark = "PRIVATE KEY-----";

Row<Server> allow_row() {
  Row<Server> row = conf::row(
      "allow", &Server::allow, prefixes(), at_reload,
      "Who may ask; all others are refused. Usual are this machine and private networks, for an "
      "open resolver is soon a weapon in other people's hands.");
  row.read = [read = std::move(row.read)](const Node& node, Server& server, Reading& reading) {
    read(node, server, reading);
    server.allow_line.number = node.place.line;
  };
  return row;
}

Table<Server> server() {
  return {
      .name = "server",
      .help = "Where Sallyport listens, under which name, and who may ask.",
      .rows =
          {
              row("name", &Server::name, host_name(), at_reload,
                  "The name by which clients know this server. It stands in the certificate that "
                  "Sallyport makes when you bring none, and it switches the encrypted listeners on "
                  "at the usual addresses when `listen` is not given."),
              row("listen", &Server::listen, listen_addresses(), at_restart,
                  "Where to listen, the transport as scheme: udp (port 53), tcp (53), tls (853, "
                  "DNS over TLS), quic (853, DNS over QUIC), https (443, DNS over HTTP/2 and "
                  "HTTP/1.1), h3 (443, DNS over HTTP/3, which https announces), http (80, DNS over "
                  "HTTP in the clear, for a reverse proxy in front). All addresses of the machine "
                  "are 0.0.0.0 and [::]. Usual is plain DNS on the loopback addresses, with a "
                  "`name` the encrypted transports as well."),
              allow_row(),
              row("workers", &Server::workers, count(Server::workers_bounds), at_restart,
                  "Threads that answer; 0 is one for each core."),
              row("state_directory", &Server::state_directory, directory(), at_restart,
                  "Where what Sallyport makes is kept: its certificate authority and keys. Empty "
                  "is $STATE_DIRECTORY if systemd gives one, /var/lib/sallyport for root, else "
                  "$XDG_STATE_HOME/sallyport or ~/.local/state/sallyport."),
              row("watch_network", &Server::watch_network, flag(), at_restart,
                  "Whether to notice that addresses or routes of this machine change, another "
                  "network or a tunnel, and to connect afresh to upstreams that other ways lead to "
                  "now; no query is lost to it."),
              row("forward_special_names", &Server::forward_special_names, names(), at_reload,
                  "Special-use domains (RFC 6761) that are answered here and do not travel on, "
                  "unless they are listed: \"test.\", say, when an upstream serves it."),
          },
      .check = {}};
}

void check_upstream(const Node& table, const Upstream& upstream, Reading& reading) {
  const ProtocolRow& protocol = row_of(upstream.protocol);
  if (!protocol.encrypted && !upstream.pins.empty())
    complain_pointless(table, "pins", upstream, "encrypted transports", reading);
  if (!protocol.encrypted && !upstream.ca_file.empty())
    complain_pointless(table, "ca_file", upstream, "encrypted transports", reading);
  if (protocol.stream && !upstream.case_randomisation) {
    complain_pointless(table, "case_randomisation", upstream, "udp://", reading);
  }
  check_way_out(table, upstream, reading);
}

void check_upstreams(const Node& list, const std::vector<Upstream>& upstreams, Reading& reading) {
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto same = [](const Upstream& one, const Upstream& other) {
        return !one.url.empty() && one.protocol == other.protocol &&
               one.endpoint == other.endpoint && one.tls_name == other.tls_name &&
               one.host == other.host && one.path == other.path;
      };
      if (!same(upstreams[i], upstreams[j])) continue;
      const Place place = list.items[i].find("url")->value.place;
      reading.complain(
          place,
          std::format("`{}` is there already, on line {}", upstreams[i].url,
                      list.items[j].find("url")->value.place.line),
          "name each upstream once; raise its `links` if one connection is not enough");
      break;
    }
  }
  if (upstreams.empty())
    reading.complain(list.place, "this list is empty", "leave it out for the usual upstreams");
}

Row<Upstream> url_row() {
  return {.name = "url",
          .read =
              [](const Node& node, Upstream& upstream, Reading& reading) {
                const auto text = read_text(node, "\"tls://9.9.9.9#dns.quad9.net\"", reading);
                if (!text) return;
                auto parsed = read_upstream_url(*text);
                if (!parsed) return reading.complain(node.place, std::move(parsed.error()));
                upstream.url = std::move(parsed->url);
                upstream.protocol = parsed->protocol;
                upstream.endpoint = parsed->endpoint;
                upstream.tls_name = std::move(parsed->tls_name);
                upstream.host = std::move(parsed->host);
                upstream.path = std::move(parsed->path);
              },
          .print = [](const Upstream& upstream) { return toml_string(upstream.url); },
          .accepts =
              "udp://, tcp://, tls://, quic://, https:// or h3://, an address, a port if not the "
              "usual one, "
              "over https:// and h3:// a path, and behind # the certificate's name",
          .applies = at_reload,
          .help =
              "The upstream's address, the transport as scheme. The name behind # is verified "
              "against the certificate; without one, the address itself must stand in it. A host "
              "instead of the address needs `bootstrap`, `bootstrap_resolvers` or `proxy`.",
          .placeholder = "\"tls://9.9.9.9#dns.quad9.net\""};
}

Table<Upstream> upstream() {
  return {
      .name = "upstream",
      .help =
          "The resolvers that are asked, in this order unless their [[set]] says otherwise; the "
          "next one when one is slow or fails. Usual are Quad9 and Cloudflare over TLS, each by "
          "address and verified name. To name your own, write one [[upstream]] for each; then "
          "only yours are asked.",
      .rows = with_way_out({
          url_row(),
          row("timeout", &Upstream::timeout, duration(Upstream::timeout_bounds), at_reload,
              "How long one try may take at most; another upstream is tried much sooner, when "
              "this one is slower than it usually is. `query_timeout` stands above it."),
          row("links", &Upstream::links, count(Upstream::links_bounds), at_reload,
              "The most TCP or TLS connections to this upstream at a time."),
          row("queries_per_link", &Upstream::queries_per_link,
              count(Upstream::queries_per_link_bounds), at_reload,
              "The most queries that wait on one connection at a time; lower it for a server "
              "that answers one after the other."),
          row("idle_timeout", &Upstream::idle_timeout, duration(Upstream::idle_timeout_bounds),
              at_reload,
              "How long an unused connection is kept; servers close theirs after some seconds "
              "(RFC 7766 §6.2.3)."),
          row("pins", &Upstream::pins, pins(), at_reload,
              "Public keys, one of which the server must have (RFC 7858 §4.2), instead of a "
              "name that authorities vouch for. Take one from `openssl x509 -pubkey -noout | "
              "openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`."),
          row("ca_file", &Upstream::ca_file, readable_file("a certificate", chain_mark), at_reload,
              "Authorities to trust for this upstream instead of the system's."),
          row("case_randomisation", &Upstream::case_randomisation, flag(), at_reload,
              "Over UDP, ask in random letter case and expect the same back: forged answers "
              "must guess it, too. Switch it off for a server that does not keep the case."),
          row("set", &Upstream::set, set_name(), at_reload,
              "The set that it belongs to; a [[route]] leads names to another than the usual "
              "one."),
          row("weight", &Upstream::weight, count(Upstream::weight_bounds), at_reload,
              "What it counts beside the others of its set: its share where the strategy "
              "spreads queries, its lead where the fastest is asked."),
      }),
      .check = check_upstream};
}

/// Reading takes an empty text for none, which is no certificate.
void check_certificate(const Node& table, const Certificate& /*files*/, Reading& reading) {
  for (const std::string_view key : {"chain_file", "key_file"}) {
    const Member* member = table.find(key);
    if (member == nullptr || member->value.kind != Node::Kind::text || !member->value.text.empty())
      continue;
    reading.complain(member->value.place, std::format("`{}` names no file", key));
  }
}

Table<Certificate> certificate() {
  return {.name = "certificate",
          .help =
              "Your own certificates for the encrypted listeners, chosen by the name that the "
              "client asks for; the first is for clients that name none. Changed files are "
              "noticed. Without any, Sallyport makes an authority and a certificate of its own.",
          .rows =
              {
                  row("chain_file", &Certificate::chain_file,
                      readable_file("a certificate", chain_mark), at_reload,
                      "PEM: the server's certificate first, then what leads to an authority. The "
                      "names are read from it.",
                      "\"/etc/letsencrypt/live/dns.example.org/fullchain.pem\""),
                  row("key_file", &Certificate::key_file, readable_file("a private key", key_mark),
                      at_reload, "PEM: the certificate's private key, without a passphrase.",
                      "\"/etc/letsencrypt/live/dns.example.org/privkey.pem\""),
              },
          .check = check_certificate};
}

Table<Cache> cache() {
  return {
      .name = "cache",
      .help = "What is remembered, and for how long.",
      .rows =
          {
              row("size", &Cache::size, size(Cache::size_bounds), at_restart,
                  "All memory of the cache; when it is full, what is asked for least gives way."),
              row("min_ttl", &Cache::min_ttl, whole_seconds(Cache::min_ttl_bounds), at_reload,
                  "Answers are kept at least this long, whatever their owner says. Above zero it "
                  "saves queries and delays other people's changes."),
              row("max_ttl", &Cache::max_ttl, whole_seconds(Cache::max_ttl_bounds), at_reload,
                  "Answers are kept at most this long."),
              row("negative_ttl", &Cache::negative_ttl, whole_seconds(Cache::negative_ttl_bounds),
                  at_reload,
                  "That a name or a type does not exist is believed at most this long (RFC 2308)."),
              row("failure_ttl", &Cache::failure_ttl, whole_seconds(Cache::failure_ttl_bounds),
                  at_reload, "How long a failed question is not asked again (RFC 9520)."),
              row("stale", &Cache::stale, whole_seconds(Cache::stale_bounds), at_reload,
                  "How long after its end an answer may still serve when upstreams fail or are "
                  "slow "
                  "(RFC 8767); 0s is never. For names whose answers change often it is less: each "
                  "change among the last eight refreshes halves it."),
              row("stale_after", &Cache::stale_after, duration(Cache::stale_after_bounds),
                  at_reload,
                  "How long a client waits for a fresh answer when there is a stale one; then it "
                  "gets that, and the fresh one is kept when it comes. 0ms is at once; a time "
                  "above "
                  "`query_timeout` is only when upstreams fail."),
              row("prefetch", &Cache::prefetch, count(Cache::prefetch_bounds), at_reload,
                  "Answers that are asked for again and again are refreshed in the last tenth of "
                  "their time, so that nobody waits for them; so many at a time. 0 is never."),
              row("save", &Cache::save, flag(), at_reload,
                  "Keep the cache in the state directory, so that it is warm after a restart, "
                  "unless its answers came by other routes or upstreams than the file has by then. "
                  "The "
                  "file holds the names that were asked for, though not by whom; only Sallyport's "
                  "user can read it. Switched off, it is removed."),
              row("save_interval", &Cache::save_interval,
                  whole_seconds(Cache::save_interval_bounds), at_reload,
                  "How often the cache is saved; at the end it always is. What a power cut costs "
                  "is "
                  "what was learnt since."),
              row("negative_share", &Cache::negative_share, count(Cache::negative_share_bounds),
                  at_restart,
                  "Percent of `size` that names which do not exist, and failures, may take: a "
                  "flood "
                  "of random names does not drive out the answers that people use."),
          },
      .check = [](const Node& table, const Cache& values, Reading& reading) {
        if (values.min_ttl <= values.max_ttl) return;
        const Member* member =
            table.find("min_ttl") != nullptr ? table.find("min_ttl") : table.find("max_ttl");
        reading.complain(
            member->value.place,
            std::format("`min_ttl` is {}, more than `max_ttl`, which is {}",
                        duration_to_text(values.min_ttl), duration_to_text(values.max_ttl)),
            "the least must not be above the most");
      }};
}

Table<Limits> limits() {
  return {
      .name = "limits",
      .help = "What one client, and all together, may cost.",
      .rows =
          {
              row("query_timeout", &Limits::query_timeout, duration(Limits::query_timeout_bounds),
                  at_reload,
                  "From a query's arrival to its answer, whatever happens; most clients give up "
                  "after five seconds."),
              row("idle_timeout", &Limits::idle_timeout, duration(Limits::idle_timeout_bounds),
                  at_reload,
                  "How long a connection without queries is kept; a new TLS connection costs a "
                  "thousand answers."),
              row("handshake_timeout", &Limits::handshake_timeout,
                  duration(Limits::handshake_timeout_bounds), at_reload,
                  "How long a client may take for its TLS handshake."),
              row("message_timeout", &Limits::message_timeout,
                  duration(Limits::message_timeout_bounds), at_reload,
                  "How long a client may take for the rest of a message that has begun, and for "
                  "reading its answers."),
              row("sessions", &Limits::sessions, count(Limits::sessions_bounds), at_reload,
                  "Connections of all clients; beyond it the one that is idle longest gives way. "
                  "When seven "
                  "of eight are taken, clients are asked to leave once they are answered (RFC "
                  "7828)."),
              row("sessions_per_client", &Limits::sessions_per_client,
                  count(Limits::sessions_per_client_bounds), at_reload,
                  "Connections of one IPv4 address or one IPv6 /64."),
              row("queries_per_session", &Limits::queries_per_session,
                  count(Limits::queries_per_session_bounds), at_reload,
                  "Queries of one connection that wait for an answer at a time; beyond it the "
                  "connection is not read."),
              row("queries_waiting", &Limits::queries_waiting,
                  count(Limits::queries_waiting_bounds), at_reload,
                  "Queries of all clients that wait for an upstream at a time; beyond it the "
                  "answer is SERVFAIL at once."),
              row("udp_size", &Limits::udp_size, count(Limits::udp_size_bounds), at_reload,
                  "Octets of the largest answer over UDP; what is larger is asked again over TCP. "
                  "Above 1232, answers may be lost in fragments (RFC 9715)."),
          },
      .check = [](const Node& table, const Limits& values, Reading& reading) {
        const Member* member = table.find("sessions_per_client");
        if (member == nullptr || values.sessions_per_client <= values.sessions) return;
        reading.complain(
            member->value.place,
            std::format("`sessions_per_client` is {}, more than `sessions`, which is {}",
                        values.sessions_per_client, values.sessions),
            "one client's share must not be above the whole");
      }};
}

Table<Tls> tls() {
  return {.name = "tls",
          .help = "How the encrypted listeners speak TLS.",
          .rows =
              {
                  row("minimum_version", &Tls::minimum_version, choice({"1.2", "1.3"}), at_reload,
                      "The oldest version that is spoken. 1.2 is there for older devices (RFC "
                      "9325); 1.3 hides more."),
                  row("ticket_rotation", &Tls::ticket_rotation,
                      whole_seconds(Tls::ticket_rotation_bounds), at_reload,
                      "How often the key changes under which clients resume sessions; one works "
                      "twice as long, at most seven days (RFC 8446 §4.6.1). Whoever steals one can "
                      "read resumed sessions of that time that lack forward secrecy."),
              },
          .check = {}};
}

Table<Admin> admin() {
  return {.name = "admin",
          .help = "Metrics for Prometheus at /metrics, and /healthz, over plain HTTP.",
          .rows = {row(
              "listen", &Admin::listen, endpoint_or_off(), at_restart,
              "Keep it on loopback or a network of your own: nobody is asked for a password.")},
          .check = {}};
}

Table<Logging> logging() {
  return {.name = "log",
          .help = "What the operator is told. There is no query log.",
          .rows =
              {
                  row("level", &Logging::level, log_level(), at_reload,
                      "The least severe lines that are written."),
                  row("format", &Logging::format, log_format(), at_restart,
                      "text for people, json for collectors: one line each."),
                  row("file", &Logging::file, new_file(), at_restart,
                      "Empty is standard error, which systemd's journal keeps."),
              },
          .check = {}};
}

std::string heading(const Section& section) {
  return section.list ? std::format("[[{}]]", section.name) : std::format("[{}]", section.name);
}

/// The section that has such a key, for one that stands in the wrong place.
const Section* section_with(std::string_view key) {
  const auto found = std::ranges::find_if(
      sections(), [key](const Section& each) { return std::ranges::contains(each.keys, key); });
  return found == sections().end() ? nullptr : &*found;
}

std::string all_headings() {
  std::string out;
  for (const Section& each : sections())
    out += std::format("{}{}", out.empty() ? "" : ", ", heading(each));
  return out;
}

}  // namespace

const std::vector<Section>& sections() {
  static const std::vector<Section> all{
      single(&Config::server, server()),
      several<Upstream>(&Config::upstreams, upstream(), check_upstreams),
      sets_section(),
      routes_section(),
      several<Certificate>(&Config::certificates, certificate(), {}),
      single(&Config::cache, cache()),
      single(&Config::limits, limits()),
      single(&Config::tls, tls()),
      single(&Config::doh, doh()),
      quic_section(),
      single(&Config::proxy, proxy()),
      single(&Config::admin, admin()),
      single(&Config::log, logging())};
  return all;
}

void complain_unknown_keys(const Node& table, std::string_view name, Reading& reading) {
  const auto section = std::ranges::find(sections(), name, &Section::name);
  for (const Member& member : table.members) {
    if (std::ranges::contains(section->keys, member.key)) continue;
    std::string suggestion;
    if (const auto meant = nearest(member.key, section->keys)) {
      suggestion = std::format("did you mean `{}`?", *meant);
    } else if (const Section* other = section_with(member.key)) {
      suggestion = std::format("it belongs below `{}`", heading(*other));
    } else {
      for (const std::string_view key : section->keys)
        suggestion += std::format("{}{}", suggestion.empty() ? "there are " : ", ", key);
    }
    reading.complain(member.place,
                     std::format("unknown key `{}` in {}", member.key, heading(*section)),
                     suggestion);
  }
}

void read_sections(const Node& root, Config& config, Reading& reading) {
  std::vector<std::string_view> known;
  for (const Section& section : sections()) {
    known.push_back(section.name);
    if (const Member* member = root.find(section.name))
      section.read(member->value, config, reading);
  }
  for (const Member& member : root.members) {
    if (std::ranges::contains(known, member.key)) continue;
    const bool heading_written =
        member.value.kind == Node::Kind::table ||
        (member.value.kind == Node::Kind::list && !member.value.items.empty() &&
         member.value.items.front().kind == Node::Kind::table);
    const Section* other = section_with(member.key);
    std::string suggestion = std::format("there are {}", all_headings());
    if (const auto meant = nearest(member.key, known); meant && heading_written) {
      suggestion = std::format("did you mean `{}`?",
                               heading(*std::ranges::find(sections(), *meant, &Section::name)));
    } else if (other != nullptr) {
      suggestion = std::format("it belongs below `{}`", heading(*other));
    }
    reading.complain(member.place,
                     std::format("unknown {} `{}`", heading_written ? "table" : "key", member.key),
                     suggestion);
  }
}

}  // namespace conf
