// The keys of [proxy]: load balancers and reverse proxies in front of this server.
#include "conf/sections_proxy.h"

namespace conf {

Table<Proxy> proxy() {
  return {.name = "proxy",
          .help =
              "What stands between clients and this server, and may say who they are. `allow` and "
              "all limits then count for the client, as if it had come itself.",
          .rows =
              {
                  row("balancers", &Proxy::balancers, prefixes_or_none(), Applies::at_reload,
                      "Load balancers that begin every connection with a PROXY header, version 1 "
                      "or 2, in front of TLS (HAProxy's `send-proxy-v2`, nginx's "
                      "`proxy_protocol on`, and over UDP and TCP dnsdist's `useProxyProtocol`). "
                      "From there it must come: a connection without one is closed. From elsewhere "
                      "it is never believed."),
                  row("balanced", &Proxy::balanced, balanced_schemes(), Applies::at_reload,
                      "The listeners at which `balancers` do so. Over UDP every datagram has its "
                      "own header."),
                  row("reverse_proxies", &Proxy::reverse_proxies, prefixes_or_none(),
                      Applies::at_reload,
                      "Reverse proxies that speak HTTP to this server. What `field` of their "
                      "requests says about the client is believed, as far as it names the nearest "
                      "hop that is none of them."),
                  row("field", &Proxy::field, choice({"x-forwarded-for", "forwarded"}),
                      Applies::at_reload,
                      "The header field in which `reverse_proxies` name the client; the other one "
                      "they may let through as the client wrote it. forwarded is RFC 7239's."),
              },
          .check = {}};
}

}  // namespace conf
