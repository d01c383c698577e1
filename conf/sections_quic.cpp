// The section [quic]: what is peculiar to the transports over QUIC.
#include "conf/sections_quic.h"

#include "conf/rows.h"

namespace conf {

Section quic_section() {
  return single(
      &Config::quic,
      Table<Quic>{
          .name = "quic",
          .help = "DNS over QUIC, apart from what [limits] and [tls] say for all.",
          .rows =
              {
                  row("retry_above", &Quic::retry_above, count(Quic::retry_above_bounds),
                      Applies::at_reload,
                      "Handshakes under way on one worker beyond which new clients must first "
                      "prove that their address is theirs (RFC 9000 §8.1.2), which costs them a "
                      "round trip, and a flood of forged addresses nothing but that. 0 is always."),
                  row("early_data", &Quic::early_data, flag(), Applies::at_reload,
                      "Let returning clients ask with their very first packets (0-RTT, RFC 9250 "
                      "§4.5), which saves them a round trip. Taken once for each ticket, from an "
                      "address that the client has proved, and for queries alone; still, whoever "
                      "records such packets may see whether they are answered."),
                  row("qlog_directory", &Quic::qlog_directory, directory(), Applies::at_reload,
                      "For debugging: writes what happens on each connection, of clients and to "
                      "upstreams, into a file of its own there (qlog, as JSON text sequences), "
                      "once a client's address is proved. The newest 256 files are kept, each of "
                      "1 MiB at most; what the disk does not take in time is left out. They tell "
                      "who asked when, though not what."),
              },
          .check = {}});
}

}  // namespace conf
