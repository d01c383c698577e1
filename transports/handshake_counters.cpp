// Counting handshakes without asking the sheet each time.
#include "transports/handshake_counters.h"

namespace transports {

void HandshakeCounters::succeeded(const TlsFacts& facts) {
  count(facts.version, facts.group.empty() ? "none" : facts.group, facts.resumed, "ok");
}

void HandshakeCounters::failed(std::string_view result) { count("none", "none", false, result); }

void HandshakeCounters::count(std::string_view version, std::string_view group, bool resumed,
                              std::string_view result) {
  for (const Row& row : rows_) {
    if (row.resumed == resumed && row.group == group && row.version == version &&
        row.result == result) {
      return row.counter->add();
    }
  }
  base::Counter& counter =
      sheet_.counter("sallyport_tls_handshakes_total", {{"transport", transport_},
                                                        {"version", std::string(version)},
                                                        {"group", std::string(group)},
                                                        {"resumed", resumed ? "true" : "false"},
                                                        {"result", std::string(result)}});
  rows_.push_back(
      {std::string(version), std::string(group), resumed, std::string(result), &counter});
  counter.add();
}

}  // namespace transports
