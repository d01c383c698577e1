// The keys of [doh]: DNS over HTTP. RFC 8484.
#include "conf/sections_doh.h"

namespace conf {

Table<Doh> doh() {
  return {.name = "doh",
          .help = "DNS over HTTPS, as browsers speak it.",
          .rows =
              {
                  row("paths", &Doh::paths, url_paths(), Applies::at_reload,
                      "Where DNS is asked: with \"/dns-query\", the template that clients are "
                      "given is https://NAME/dns-query{?dns}. Everything else is not found."),
                  row("json_path", &Doh::json_path, url_path_or_off(), Applies::at_reload,
                      "Where scripts ask by parameters and are answered in JSON, as public "
                      "resolvers do: /resolve?name=example.org&type=AAAA. At `paths`, who accepts "
                      "application/dns-json gets the same."),
                  row("page", &Doh::page, flag(), Applies::at_reload,
                      "A short page for people who open the server's address in a browser: what "
                      "this is, and how to use it."),
                  row("cors_origins", &Doh::cors_origins, origins(), Applies::at_reload,
                      "Web pages whose scripts may ask here; browsers keep all others from it."),
              },
          .check = {}};
}

}  // namespace conf
