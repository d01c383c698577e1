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
              },
          .check = {}};
}

}  // namespace conf
