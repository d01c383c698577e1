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
              },
          .check = {}});
}

}  // namespace conf
