// `sallyport query`.
#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <format>
#include <optional>
#include <ostream>
#include <vector>

#include "base/counters.h"
#include "base/log.h"
#include "conf/check.h"
#include "conf/urls.h"
#include "dns/compose.h"
#include "gateway/admin/metrics_table.h"
#include "gateway/cli/configuration.h"
#include "gateway/cli/inquiry.h"
#include "gateway/cli/query_report.h"
#include "gateway/cli/verbs.h"
#include "gateway/upstreams/host_addresses.h"
#include "transports/upstreams/ask_once.h"

namespace gateway::cli {
namespace {

namespace asio = boost::asio;
using Outcome = base::Result<transports::Reported>;

/// What ask_once() needs of a worker, for as long as the verb lives.
class Asker {
 public:
  Outcome ask(const conf::Upstream& server, const dns::Question& question,
              const QueryOptions& options) {
    dns::OutgoingOptions outgoing;
    outgoing.id = random_.u16();
    outgoing.dnssec_ok = options.dnssec;
    outgoing.checking_disabled = options.checking_disabled;
    outgoing.authentic_data = true;  // RFC 6840 §5.7: "tell me whether it is validated"
    outgoing.edns = !options.no_edns;
    outgoing.padding_block = options.padding ? 128 : 0;  // RFC 8467 §4.1
    std::vector<std::uint8_t> query(512);
    query.resize(dns::compose_query(question, outgoing, query));

    std::optional<Outcome> outcome;
    asio::co_spawn(io_, run(server, query, options, outcome), asio::detached);
    io_.restart();
    io_.run();
    return *std::move(outcome);
  }

 private:
  transports::Awaitable<void> run(conf::Upstream server, base::Bytes query,
                                  const QueryOptions& options, std::optional<Outcome>& outcome) {
    const base::TimePoint deadline = base::Clock::now() + options.timeout;
    outcome = co_await transports::ask_once(std::move(server), query, deadline,
                                            {.verify = !options.insecure},
                                            {io_.get_executor(), random_, *receive_buffer_,
                                             authorities_, metrics_.add_sheet(), log_, timers_});
  }

  base::Log log_{{.level = base::LogLevel::off}};
  base::MetricRegistry metrics_{admin::metric_families};
  transports::Random random_;
  std::unique_ptr<transports::ChannelBuffers> receive_buffer_ =
      std::make_unique<transports::ChannelBuffers>();
  certs::Authorities authorities_;
  asio::io_context io_{1};
  transports::TimerWheel timers_{io_};
};

/// "192.0.2.1" and "[2001:db8::1]:5353" are understood as with dig: over UDP.
std::string with_scheme(const std::string& server) {
  if (server.contains("://")) return server;
  const auto address = base::Address::from_text(server);
  return "udp://" + (address && !address->is_v4() ? '[' + server + ']' : server);
}

/// The address at which this machine's gateway may be asked: in the clear, for nobody else is on
/// the way.
std::string url_of_gateway(const conf::Config& config) {
  for (const conf::Protocol wanted : {conf::Protocol::udp, conf::Protocol::tcp}) {
    const auto listener =
        std::ranges::find(config.server.listen, wanted, &conf::ListenAddress::protocol);
    if (listener == config.server.listen.end()) continue;
    base::Endpoint endpoint = listener->endpoint;
    if (endpoint.address.is_unspecified()) {
      endpoint.address = *base::Address::from_text(endpoint.address.is_v4() ? "127.0.0.1" : "::1");
    }
    return std::format("{}://{}", conf::row_of(wanted).scheme, endpoint.to_text());
  }
  return "udp://127.0.0.1:53";
}

struct Refused {
  ExitCode code = ExitCode::usage;
  std::string why;
};

/// By the options' resolver: once, and nothing is kept.
std::expected<std::vector<base::Address>, Refused> look_up(const std::string& host,
                                                           const QueryOptions& options,
                                                           Asker& asker) {
  const auto endpoint = conf::read_resolver(options.resolver);  // query() has read it before
  conf::Upstream resolver;
  resolver.url = "udp://" + endpoint->to_text();
  resolver.endpoint = *endpoint;
  const dns::Name name = dns::Name::from_text(host).value_or(dns::Name{});
  QueryOptions plainly;
  plainly.timeout = options.timeout;
  std::array<std::vector<base::Address>, 2> families;
  for (const dns::RrType type : {dns::RrType::a, dns::RrType::aaaa}) {
    const Outcome outcome = asker.ask(resolver, {name, type, dns::RrClass::in}, plainly);
    if (!outcome) return std::unexpected(Refused{ExitCode::unreachable, outcome.error().context});
    families[type == dns::RrType::a ? 0 : 1] =
        upstreams::addresses_in(outcome->reply, name, type).addresses;
  }
  auto all = upstreams::in_turn(families[0], families[1]);
  if (all.empty()) {
    return std::unexpected(
        Refused{ExitCode::unreachable,
                std::format("{}: no address of {} that can be used", resolver.url, host)});
  }
  return all;
}

/// Where the host is that the URL names, as the options tell it; none for an address.
std::expected<std::vector<base::Address>, Refused> addresses_of(const std::string& url,
                                                                const QueryOptions& options,
                                                                Asker& asker) {
  std::vector<base::Address> at;
  for (const std::string& text : options.at) {
    const auto address = base::Address::from_text(text);
    if (!address)
      return std::unexpected(Refused{.why = std::format("--at: `{}` is not an address", text)});
    at.push_back(*address);
  }
  const auto named = conf::read_upstream_url(url);
  if (!at.empty() || !named || named->host.empty()) return at;
  if (!options.resolver.empty()) return look_up(named->host, options, asker);
  return std::unexpected(
      Refused{.why = std::format("`{}` is a host name: {}, or tell its address with `--at`, or "
                                 "who knows it with `--resolver`",
                                 named->host, conf::address_instead(*named))});
}

/// One server as the options want it asked; the error is a sentence.
std::expected<conf::Upstream, std::string> server_from(const std::string& url,
                                                       const std::vector<base::Address>& at,
                                                       const QueryOptions& options) {
  auto server = conf::parse_upstream_url(url, at);
  if (!server) return std::unexpected(server.error());
  if (options.get && !conf::row_of(server->protocol).http)
    return std::unexpected(std::format("{}: --get is for https:// and h3://", server->url));
  if (options.get) server->method = conf::DohMethod::get;
  if (options.padding && !conf::row_of(server->protocol).encrypted) {
    return std::unexpected(
        std::format("{}: --padding is for encrypted transports (RFC 7830 §6)", server->url));
  }
  server->timeout = options.timeout;
  server->ca_file = options.ca_file;
  for (std::string_view pin : options.pins) {
    if (pin.starts_with("sha256/")) pin.remove_prefix(7);  // as in the configuration
    server->pins.emplace_back(pin);
  }
  if (!options.tls_name.empty()) server->tls_name = options.tls_name;
  return server;
}

void print_times(const std::vector<double>& times, std::ostream& out) {
  double sum = 0;
  for (const double time : times) sum += time;
  const auto [least, most] = std::ranges::minmax(times);
  out << std::format("\n;; {} answers: least {:.2f} ms, mean {:.2f} ms, most {:.2f} ms\n",
                     times.size(), least, sum / static_cast<double>(times.size()), most);
}

void print(const conf::Upstream& server, const transports::Reported& report,
           const QueryOptions& options, std::ostream& out) {
  if (options.json) {
    out << report_to_json(server.url, report);
  } else if (options.short_form) {
    out << report_to_short_text(report);
  } else {
    out << report_to_text(server.url, report);
  }
  out << std::flush;
}

ExitCode ask_one(Asker& asker, const conf::Upstream& server, const dns::Question& question,
                 const QueryOptions& options, Streams streams) {
  ExitCode code = ExitCode::ok;
  std::vector<double> times;
  for (std::uint32_t i = 0; i < options.repeat; ++i) {
    const Outcome outcome = asker.ask(server, question, options);
    if (outcome) {
      print(server, *outcome, options, streams.out);
      times.push_back(std::chrono::duration<double, std::milli>(outcome->answer).count());
      continue;
    }
    code = outcome.error().blame == base::Blame::us ? ExitCode::failed : ExitCode::unreachable;
    if (options.json) {
      streams.out << failure_to_json(server.url, outcome.error().context);
    } else {
      streams.complaints << "sallyport: " << outcome.error().context << '\n';
    }
  }
  if (times.size() > 1 && !options.json && !options.short_form) print_times(times, streams.out);
  return code;
}

}  // namespace

ExitCode query(const QueryOptions& options, Streams streams) {
  auto inquiry = inquiry_from_words(options.words);
  if (!inquiry) {
    streams.complaints << "sallyport: " << inquiry.error() << '\n';
    return ExitCode::usage;
  }
  if (inquiry->servers.empty()) {
    const auto config = find_configuration(options.config);
    if (!config) {
      streams.complaints << conf::check_text(config);
      return ExitCode::bad_configuration;
    }
    inquiry->servers.push_back(url_of_gateway(*config));
  }
  if (!options.resolver.empty()) {  // whether or not a host has to be looked up
    if (const auto resolver = conf::read_resolver(options.resolver); !resolver) {
      streams.complaints << "sallyport: --resolver: " << resolver.error().message << '\n';
      return ExitCode::usage;
    }
  }
  Asker asker;
  std::vector<conf::Upstream> servers;
  for (const std::string& text : inquiry->servers) {
    const std::string url = with_scheme(text);
    const auto at = addresses_of(url, options, asker);
    if (!at) {
      streams.complaints << "sallyport: " << at.error().why << '\n';
      return at.error().code;
    }
    auto server = server_from(url, *at, options);
    if (!server) {
      streams.complaints << "sallyport: " << server.error() << '\n';
      return ExitCode::usage;
    }
    servers.push_back(*std::move(server));
  }
  ExitCode worst = ExitCode::ok;
  for (const conf::Upstream& server : servers) {
    worst = std::max(worst, ask_one(asker, server, inquiry->question, options, streams));
  }
  return worst;
}

}  // namespace gateway::cli
