// The page for people.
#include "transports/human_page.h"

#include <format>

namespace transports {

namespace {

/// No text becomes a tag.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

constexpr std::string_view head = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Encrypted DNS</title>
<style>
:root { --ink: #1c2430; --dim: #5b6675; --paper: #f6f4ef; --card: #fff; --line: #e3dfd6; --accent: #0b6e5f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e1; --dim: #9aa3ad; --paper: #14181d; --card: #1c2229; --line: #2c343d; --accent: #5cc8b3; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 2rem 1.25rem;
  background: var(--paper); color: var(--ink);
  font: 17px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 38rem; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 0.75rem; text-wrap: balance; }
p { margin: 0 0 1.25rem; color: var(--dim); }
code { font: 0.95em ui-monospace, "SF Mono", Menlo, Consolas, monospace; color: var(--ink); }
.address { display: block; margin: 0 0 2rem; padding: 1.1rem 1.25rem; border: 1px solid var(--line);
  border-left: 4px solid var(--accent); border-radius: 10px; background: var(--card);
  overflow-wrap: anywhere; user-select: all; font-size: 1.05rem; }
dl { margin: 0; }
dt { margin-top: 1.1rem; font-weight: 600; }
dd { margin: 0; color: var(--dim); overflow-wrap: anywhere; }
</style>
<main>
)";

}  // namespace

std::string human_page(std::string_view name, std::string_view path) {
  const std::string host = escaped(name);
  const std::string url = std::format("https://{}{}", host, escaped(path));
  return std::string{head} + std::format(R"(<h1>This is an encrypted DNS server.</h1>
<p>It finds the addresses behind names, and nobody on the way can read or change what is asked. It is no web site: give its
address to your browser or your system.</p>
<code class="address">{0}</code>
<dl>
<dt>Firefox</dt>
<dd>Settings, Privacy &amp; Security, DNS over HTTPS: Max Protection, Custom.</dd>
<dt>Chrome, Edge, Brave</dt>
<dd>Settings, Privacy and security, Security, Use secure DNS: Add custom DNS service provider.</dd>
<dt>A terminal</dt>
<dd><code>curl --doh-url {0} https://example.org</code></dd>
<dt>Everything else</dt>
<dd>URI template <code>{0}{{?dns}}</code> (RFC 8484)</dd>
</dl>
</main>
)",
                                         url);
}

}  // namespace transports
