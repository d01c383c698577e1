// `sallyport check`: the configuration read as `run` would read it.
#include <boost/json.hpp>
#include <format>
#include <ostream>

#include "gateway/cli/configuration.h"
#include "gateway/cli/verbs.h"

namespace gateway::cli {
namespace {

boost::json::object object_of(const conf::Complaint& complaint) {
  return {{"file", complaint.file},
          {"line", complaint.line},
          {"column", complaint.column},
          {"message", complaint.message},
          {"suggestion", complaint.suggestion}};
}

void print_json(const std::string& source, const conf::Complaints& complaints, std::ostream& out) {
  boost::json::array list;
  for (const conf::Complaint& complaint : complaints) list.emplace_back(object_of(complaint));
  out << boost::json::object{{"ok", complaints.empty()},
                             {"source", source},
                             {"complaints", std::move(list)}}
      << '\n';
}

void print_summary(const conf::Config& config, std::ostream& out) {
  out << config.source << ": no complaints\n";
  for (const conf::ListenAddress& listener : config.server.listen)
    out << "  listens on " << listener.text << '\n';
  for (const conf::Upstream& upstream : config.upstreams) out << "  asks " << upstream.url << '\n';
}

}  // namespace

ExitCode check(const CheckOptions& options, Streams streams) {
  const std::string source = configuration_path(options.config).value_or("built-in defaults");
  const auto config = find_configuration(options.config);
  if (options.json) {
    print_json(source, config ? conf::Complaints{} : config.error(), streams.out);
  } else if (config) {
    print_summary(*config, streams.out);
  } else {
    print_complaints(config.error(), streams.complaints);
  }
  return config ? ExitCode::ok : ExitCode::bad_configuration;
}

}  // namespace gateway::cli
