// The result of checking a file. RFC 8259.
#include "conf/check.h"

#include <algorithm>
#include <format>
#include <string_view>
#include <vector>

#include "base/utf8.h"

namespace conf {
namespace {

using base::json_quoted;

template <class T>
std::vector<std::string> texts(const std::vector<T>& values, auto text) {
  std::vector<std::string> out;
  for (const T& value : values) out.push_back(text(value));
  return out;
}

std::string joined(const std::vector<std::string>& texts, std::string_view between) {
  std::string out;
  for (const std::string& text : texts) {
    if (!out.empty()) out += between;
    out += text;
  }
  return out;
}

std::vector<std::string> listeners(const Config& config) {
  return texts(config.server.listen, [](const ListenAddress& each) { return each.text; });
}

std::vector<std::string> allowed(const Config& config) {
  return texts(config.server.allow, [](const base::Prefix& each) { return each.to_text(); });
}

bool has_encrypted_listener(const Config& config) {
  return std::ranges::any_of(config.server.listen, [](const ListenAddress& each) {
    return row_of(each.protocol).encrypted;
  });
}

std::string about_upstream(const Upstream& upstream) {
  if (!row_of(upstream.protocol).encrypted) return upstream.url + " (not encrypted)";
  if (!upstream.pins.empty())
    return std::format("{} (encrypted, {} pinned)", upstream.url,
                       upstream.pins.size() == 1 ? "one key" : "several keys");
  if (!upstream.bootstrap_resolvers.empty())
    return std::format("{} (encrypted, verified as {}, looked up at {})", upstream.url,
                       upstream.tls_name,
                       joined(texts(upstream.bootstrap_resolvers,
                                    [](const base::Endpoint& each) { return each.to_text(); }),
                              ", "));
  return std::format("{} (encrypted, verified as {})", upstream.url, upstream.tls_name);
}

std::string about_certificates(const Config& config) {
  if (!has_encrypted_listener(config)) return "none needed: no listener is encrypted";
  if (config.certificates.empty()) {
    return std::format("our own, for {} (kept in {})",
                       config.server.name.empty() ? "our addresses" : config.server.name,
                       config.server.state_directory);
  }
  return joined(texts(config.certificates, [](const Certificate& each) { return each.chain_file; }),
                ", ");
}

std::string summary(const Config& config) {
  return std::format(
      "{}: good\n"
      "  listens on    {}\n"
      "  may ask       {}\n"
      "  upstreams     {}\n"
      "  certificates  {}\n"
      "  metrics       {}\n",
      config.source, joined(listeners(config), ", "), joined(allowed(config), ", "),
      joined(texts(config.upstreams, about_upstream), "\n                "),
      about_certificates(config),
      config.admin.listen ? std::format("http://{}/metrics", config.admin.listen->to_text())
                          : "off");
}

std::string json_list(const std::vector<std::string>& values) {
  return '[' + joined(values, ",") + ']';
}

std::string json_of(const Complaint& complaint) {
  return std::format(
      R"({{"file":{},"line":{},"column":{},"width":{},"message":{},"suggestion":{}}})",
      json_quoted(complaint.file), complaint.line, complaint.column, complaint.width,
      json_quoted(complaint.message), json_quoted(complaint.suggestion));
}

std::string json_of(const Upstream& upstream) {
  return std::format(R"({{"url":{},"encrypted":{},"name":{},"pins":{}}})",
                     json_quoted(upstream.url), row_of(upstream.protocol).encrypted,
                     json_quoted(upstream.tls_name), upstream.pins.size());
}

std::string json_of(const Certificate& certificate) {
  return std::format(R"({{"chain_file":{},"key_file":{}}})", json_quoted(certificate.chain_file),
                     json_quoted(certificate.key_file));
}

}  // namespace

std::string check_text(const std::expected<Config, Complaints>& loaded) {
  if (loaded) return summary(*loaded);
  std::string out;
  for (const Complaint& complaint : loaded.error()) out += complaint.to_text() + '\n';
  const std::size_t count = loaded.error().size();
  return out + std::format("{}{} problem{}\n", count == complaints_most ? "at least " : "", count,
                           count == 1 ? "" : "s");
}

std::string check_json(const std::expected<Config, Complaints>& loaded) {
  if (!loaded) {
    const auto problems =
        texts(loaded.error(), [](const Complaint& each) { return json_of(each); });
    return std::format(R"({{"ok":false,"problems":{}}})", json_list(problems)) + '\n';
  }
  const Config& config = *loaded;
  const auto quoted_all = [](const std::vector<std::string>& values) {
    return json_list(texts(values, [](const std::string& each) { return json_quoted(each); }));
  };
  return std::format(
             R"({{"ok":true,"problems":[],"file":{},"name":{},"listeners":{},"allow":{},"upstreams":{},"certificates":{},"admin":{},"state_directory":{}}})",
             json_quoted(config.source), json_quoted(config.server.name),
             quoted_all(listeners(config)), quoted_all(allowed(config)),
             json_list(texts(config.upstreams, [](const Upstream& each) { return json_of(each); })),
             json_list(
                 texts(config.certificates, [](const Certificate& each) { return json_of(each); })),
             json_quoted(config.admin.listen ? config.admin.listen->to_text() : ""),
             json_quoted(config.server.state_directory)) +
         '\n';
}

}  // namespace conf
