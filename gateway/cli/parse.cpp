// The command line by CLI11: verbs, options, examples. To add a verb: its struct in options.h, its
// function here, its file.
#include "gateway/cli/parse.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <ostream>

namespace gateway::cli {
namespace {

constexpr const char* config_help =
    "configuration file (default: /etc/sallyport/sallyport.toml,\n"
    "if it is there)";

/// "500ms", "2s", or seconds alone.
std::string read_duration(const std::string& text, std::chrono::milliseconds& out) {
  std::uint32_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(rest, text.data() + text.size());
  if (error != std::errc() || (unit != "ms" && unit != "s" && !unit.empty()))
    return "is not a duration like 500ms or 2s";
  const auto value =
      unit == "ms" ? std::chrono::milliseconds(number) : std::chrono::seconds(number);
  if (value < std::chrono::milliseconds(1) || value > std::chrono::minutes(10))
    return "must be within 1ms and 10min";
  out = value;
  return {};
}

void describe(CLI::App& verb, const std::string& examples) {
  verb.footer("Examples:\n" + examples + "\n" + exit_codes_text);
}

void add_gateway_address(CLI::App& verb, GatewayAddress& gateway) {
  verb.add_option("--config", gateway.config,
                  "the gateway's configuration, which says where its state directory is")
      ->type_name("FILE");
  verb.add_option("--socket", gateway.socket,
                  "the gateway's control.sock, instead of asking the configuration")
      ->type_name("PATH");
}

/// All verbs' options; the one that was chosen is taken at the end.
struct Verbs {
  RunOptions run;
  CheckOptions check;
  QueryOptions query;
  ReloadOptions reload;
  StatusOptions status;
  CacheStatsOptions cache_stats;
  CacheFlushOptions cache_flush;
  UpstreamListOptions upstream_list;
  UpstreamTestOptions upstream_test;
  UpstreamDrainOptions upstream_drain;
  ExplainOptions explain;
  VersionOptions version;
  std::optional<Command> chosen;
};

CLI::App& add_verb(CLI::App& parent, const char* name, const char* help, bool& json,
                   const char* json_help) {
  CLI::App& verb = *parent.add_subcommand(name, help);
  verb.add_flag("--json", json, json_help);
  return verb;
}

void add_run(CLI::App& app, Verbs& verbs) {
  RunOptions& options = verbs.run;
  CLI::App& verb = add_verb(app, "run", "Run the gateway until it is told to stop", options.json,
                            "log lines as JSON");
  CLI::Option* config = verb.add_option("--config", options.config, config_help)->type_name("FILE");
  verb.add_flag("--demo", options.demo,
                "run on unprivileged loopback ports against a demonstration\n"
                "upstream inside this program; no network, nothing is kept")
      ->excludes(config);
  describe(
      verb,
      "  sallyport run                     with the configuration in /etc/sallyport, or safe "
      "defaults\n"
      "  sallyport run --config home.toml\n"
      "  sallyport run --demo              try it out\n"
      "\n"
      "SIGTERM and SIGINT answer what was asked and end it; SIGHUP reloads the configuration.\n");
  verb.callback([&verbs] { verbs.chosen = verbs.run; });
}

void add_check(CLI::App& app, Verbs& verbs) {
  CheckOptions& options = verbs.check;
  CLI::App& verb =
      add_verb(app, "check", "Read the configuration and say everything that is wrong with it",
               options.json, "as JSON");
  verb.add_option("FILE,--config", options.config, config_help)->type_name("FILE");
  describe(verb,
           "  sallyport check\n"
           "  sallyport check home.toml\n"
           "  sallyport check --json home.toml | jq '.problems[].message'\n");
  verb.callback([&verbs] { verbs.chosen = verbs.check; });
}

void add_query(CLI::App& app, Verbs& verbs) {
  QueryOptions& options = verbs.query;
  CLI::App& verb = add_verb(app, "query", "Ask a server over any transport, and show what happened",
                            options.json, "one JSON object for each answer");
  verb.add_option("WORDS", options.words,
                  "@URL of each server to ask (udp://, tcp://, tls://ADDRESS#NAME,\n"
                  "quic://ADDRESS#NAME, https://ADDRESS/PATH#NAME, h3://ADDRESS/PATH#NAME;\n"
                  "default: the gateway here), the name, the type (default: A)")
      ->type_name("[@URL...] NAME [TYPE]")
      ->required();
  verb.add_flag("--dnssec", options.dnssec, "ask for signatures (DO)");
  verb.add_flag("--cd", options.checking_disabled, "ask the server not to check signatures (CD)");
  verb.add_flag("--padding", options.padding,
                "pad the query to 128 octets and ask for a padded answer");
  CLI::Option* no_edns =
      verb.add_flag("--no-edns", options.no_edns, "ask as before 1999: no EDNS, 512 octets");
  for (const char* needs_edns : {"--dnssec", "--padding"})
    verb.get_option(needs_edns)->excludes(no_edns);
  verb.add_option_function<std::string>(
          "--timeout",
          [&options](const std::string& text) {
            if (const std::string wrong = read_duration(text, options.timeout); !wrong.empty()) {
              throw CLI::ValidationError("--timeout", "`" + text + "` " + wrong);
            }
          },
          "for the whole exchange: 500ms, 2s (default: 5s)")
      ->type_name("TIME");
  CLI::Option* ca = verb.add_option("--ca", options.ca_file,
                                    "PEM file of the authorities to believe, not the system's")
                        ->type_name("FILE");
  CLI::Option* insecure =
      verb.add_flag("--insecure", options.insecure, "believe any certificate; shown as such");
  verb.add_option("--pin", options.pins,
                  "base64 SHA-256 of the server's public key; may be given again")
      ->type_name("PIN")
      ->allow_extra_args(false)
      ->excludes(insecure);
  ca->excludes(insecure);
  verb.add_option("--tls-name", options.tls_name,
                  "the name that the certificate must have, as #NAME in the URL")
      ->type_name("NAME");
  verb.add_flag("--get", options.get, "over https:// and h3://, ask with GET, not POST");
  verb.add_option("--at", options.at, "address of the host that the URL names; may be given again")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  verb.add_option("--resolver", options.resolver, "plain DNS server that is asked for that address")
      ->type_name("ADDRESS");
  verb.add_flag("--short", options.short_form, "the answer's data alone");
  verb.add_option("--repeat", options.repeat, "ask so many times, over a new connection each")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000));
  verb.add_option("--config", options.config, "where to read the address of the gateway here")
      ->type_name("FILE");
  describe(verb,
           "  sallyport query example.org AAAA\n"
           "  sallyport query @tls://9.9.9.9#dns.quad9.net example.org --padding\n"
           "  sallyport query @udp://192.0.2.1 @tcp://192.0.2.1 example.org TXT   compare two "
           "transports\n"
           "  sallyport query @tls://127.0.0.1:8853 --ca ca.pem www.demo.test --repeat 3\n"
           "  sallyport query @quic://94.140.14.140#unfiltered.adguard-dns.com example.org\n"
           "  sallyport query @https://dns.quad9.net/dns-query --at 9.9.9.9 example.org\n"
           "  sallyport query example.org --json | jq .timings\n"
           "\n"
           "Any answer counts as done, whatever its response code: ask jq for .rcode.\n");
  verb.callback([&verbs] { verbs.chosen = verbs.query; });
}

void add_reload(CLI::App& app, Verbs& verbs) {
  CLI::App& verb = add_verb(app, "reload", "Have the gateway read its configuration again",
                            verbs.reload.json, "as JSON");
  add_gateway_address(verb, verbs.reload.gateway);
  describe(verb,
           "  sallyport reload        new settings hold at once, or nothing changes and all "
           "complaints are printed\n"
           "  sallyport check && sallyport reload\n");
  verb.callback([&verbs] { verbs.chosen = verbs.reload; });
}

void add_status(CLI::App& app, Verbs& verbs) {
  CLI::App& verb = add_verb(app, "status", "What the gateway listens on, asks, and has done",
                            verbs.status.json, "as JSON");
  add_gateway_address(verb, verbs.status.gateway);
  describe(verb,
           "  sallyport status\n"
           "  sallyport status --json | jq '.upstreams[] | select(.usable | not)'\n");
  verb.callback([&verbs] { verbs.chosen = verbs.status; });
}

void add_cache(CLI::App& app, Verbs& verbs) {
  CLI::App& cache = *app.add_subcommand("cache", "Look at the cache, or forget what is in it");
  cache.require_subcommand(1);
  const std::string examples =
      "  sallyport cache stats\n"
      "  sallyport cache flush                          everything\n"
      "  sallyport cache flush example.org              one name, all types\n"
      "  sallyport cache flush example.org --below      and all names below it\n";
  describe(cache, examples);

  CLI::App& stats = add_verb(cache, "stats", "How full the cache is and what it was good for",
                             verbs.cache_stats.json, "as JSON");
  add_gateway_address(stats, verbs.cache_stats.gateway);
  describe(stats, examples);
  stats.callback([&verbs] { verbs.chosen = verbs.cache_stats; });

  CacheFlushOptions& options = verbs.cache_flush;
  CLI::App& flush =
      add_verb(cache, "flush", "Forget everything, a name, or a name and all below it",
               options.json, "as JSON");
  CLI::Option* name =
      flush.add_option("NAME", options.name, "the name to forget; without it, everything goes");
  flush.add_flag("--below", options.below, "and all names below it")->needs(name);
  add_gateway_address(flush, options.gateway);
  describe(flush, examples);
  flush.callback([&verbs] { verbs.chosen = verbs.cache_flush; });
}

void add_upstream(CLI::App& app, Verbs& verbs) {
  CLI::App& upstream =
      *app.add_subcommand("upstream", "How the upstreams are; try them, spare one of them");
  upstream.require_subcommand(1);
  const std::string examples =
      "  sallyport upstream list\n"
      "  sallyport upstream list --json | jq '.upstreams[] | select(.workers[].standing != "
      "\"well\")'\n"
      "  sallyport upstream test                        ask each of them, now\n"
      "  sallyport upstream test tls://9.9.9.9#dns.quad9.net\n"
      "  sallyport upstream drain udp://192.0.2.1       before it is taken down\n"
      "  sallyport upstream drain udp://192.0.2.1 --undo\n";
  describe(upstream, examples);

  CLI::App& list = add_verb(upstream, "list", "Health and pace of all upstreams, set by set",
                            verbs.upstream_list.json, "as JSON");
  add_gateway_address(list, verbs.upstream_list.gateway);
  describe(list, examples);
  list.callback([&verbs] { verbs.chosen = verbs.upstream_list; });

  UpstreamTestOptions& test_options = verbs.upstream_test;
  CLI::App& test =
      add_verb(upstream, "test", "Ask upstreams whether they answer; fails if one does not",
               test_options.json, "as JSON");
  test.add_option("URL", test_options.url, "that one alone, as it is called in the configuration");
  add_gateway_address(test, test_options.gateway);
  describe(test, examples);
  test.callback([&verbs] { verbs.chosen = verbs.upstream_test; });

  UpstreamDrainOptions& drain_options = verbs.upstream_drain;
  CLI::App& drain =
      add_verb(upstream, "drain", "Send no new queries to an upstream while there is another",
               drain_options.json, "as JSON");
  drain.add_option("URL", drain_options.url, "which, as it is called in the configuration")
      ->required();
  drain.add_flag("--undo", drain_options.undo, "ask it as before; a restart does that, too");
  add_gateway_address(drain, drain_options.gateway);
  describe(drain, examples);
  drain.callback([&verbs] { verbs.chosen = verbs.upstream_drain; });
}

void add_explain(CLI::App& app, Verbs& verbs) {
  ExplainOptions& options = verbs.explain;
  CLI::App& verb =
      add_verb(app, "explain", "What the gateway does with a question, step by step, and why",
               options.json, "as JSON");
  verb.add_option("WORDS", options.words, "the name, the type (default: A)")
      ->type_name("NAME [TYPE]")
      ->required();
  verb.add_flag("--ask", options.ask, "ask the upstreams although the cache has the answer");
  verb.add_option("--from", options.from, "the client's address; this machine if not given")
      ->type_name("ADDRESS");
  add_gateway_address(verb, options.gateway);
  describe(verb,
           "  sallyport explain www.corp.example\n"
           "  sallyport explain example.org AAAA --ask\n"
           "  sallyport explain example.org --from 198.51.100.7\n"
           "  sallyport explain example.org --json | jq '.exchange.attempts'\n"
           "\n"
           "Upstreams are asked in earnest; the cache learns nothing of it.\n");
  verb.callback([&verbs] { verbs.chosen = verbs.explain; });
}

void add_version(CLI::App& app, Verbs& verbs) {
  CLI::App& verb = add_verb(app, "version", "Which sallyport this is, and what it was built with",
                            verbs.version.json, "as JSON");
  describe(verb, "  sallyport version --json\n");
  verb.callback([&verbs] { verbs.chosen = verbs.version; });
}

/// "sallyport cache flush" for whichever verb was reached: where help is to be found.
std::string deepest_verb(const CLI::App& app) {
  std::string name = app.get_name();
  for (const CLI::App* verb : app.get_subcommands()) name += ' ' + deepest_verb(*verb);
  return name;
}

}  // namespace

std::expected<Command, ExitCode> parse(int argument_count, const char* const* arguments,
                                       std::ostream& out, std::ostream& complaints) {
  Verbs verbs;
  CLI::App app(
      "Sallyport, an encrypted DNS gateway: takes queries over plain DNS and DNS over TLS, answers "
      "them from its\n"
      "cache, and asks upstream resolvers over either.",
      "sallyport");
  app.require_subcommand(0, 1);
  add_run(app, verbs);
  add_check(app, verbs);
  add_query(app, verbs);
  add_reload(app, verbs);
  add_status(app, verbs);
  add_cache(app, verbs);
  add_upstream(app, verbs);
  add_explain(app, verbs);
  add_version(app, verbs);
  app.add_flag_callback("--version", [&verbs] { verbs.chosen = VersionOptions{}; }, "as the verb");
  describe(app,
           "  sallyport run --demo                     try it out on this machine\n"
           "  sallyport VERB --help                    more about a verb, with examples\n");
  try {
    app.parse(argument_count, arguments);
  } catch (const CLI::CallForHelp&) {
    out << app.help();  // of the verb that was reached
    return std::unexpected(ExitCode::ok);
  } catch (const CLI::ParseError& error) {
    complaints << "sallyport: " << error.what() << "\nsee: " << deepest_verb(app) << " --help\n";
    return std::unexpected(ExitCode::usage);
  }
  if (verbs.chosen) return *std::move(verbs.chosen);
  out << app.help();
  return std::unexpected(ExitCode::ok);
}

}  // namespace gateway::cli
