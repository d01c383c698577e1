// What QUIC endpoints share: with the whole process the secrets and the way between workers; with
// their worker the memory for the wake-up at hand.
#pragma once

#include <cstdint>

#include "base/counters.h"
#include "conf/config.h"
#include "transports/library_memory.h"
#include "transports/quic/connection_ids.h"
#include "transports/quic/crossing.h"
#include "transports/quic/datagrams.h"
#include "transports/quic/early_tickets.h"
#include "transports/quic/qlog.h"
#include "transports/quic/secrets.h"

namespace transports::quic {

/// Owned by App. Throws when there is no randomness.
struct Process {
  Process();

  ConnectionIds ids;
  Secrets secrets;
  EarlyTickets early_tickets;
  QlogFiles qlogs;
  Crossing crossing;
};

/// `sallyport_quic_*` of one worker.
struct Counters {
  explicit Counters(base::MetricSheet& sheet);

  base::Counter& received;  ///< datagrams
  base::Counter& sent;
  base::Counter& not_taken;    ///< by the kernel
  base::Counter& handed_over;  ///< to another worker
  base::Counter& unknown;      ///< of no connection, and no beginning of one
  base::Counter& version_answers;
  base::Counter& retries;
  base::Counter& resets;
  base::Counter& refusals;
  base::Counter& migrations;
  base::Counter& early_accepted;
  base::Counter& early_rejected;
  base::Counter& early_replayed;
  base::Counter& ended_by_peer;
  base::Counter& ended_idle;
  base::Counter& ended_handshake;
  base::Counter& ended_error;
  base::Counter& ended_drained;
};

/// Owned by its worker.
struct Workspace {
  Workspace(Process& shared, std::uint8_t number, const conf::Quic& quic, base::MetricSheet& sheet)
      : process(shared), worker(number), counters(sheet), qlogs(shared.qlogs, sheet) {
    configure(quic);
  }
  void configure(const conf::Quic& newest) {
    settings = newest;
    qlogs.directory = newest.qlog_directory;
  }

  Process& process;
  const std::uint8_t worker;  ///< in the order in which workers bind their sockets
  conf::Quic settings;        ///< of the newest configuration
  Datagrams datagrams;
  LibraryMemory library_memory;  ///< of the connections
  const ngtcp2_mem memory = library_functions<ngtcp2_mem>(library_memory);
  Counters counters;
  QlogPlace qlogs;
};

}  // namespace transports::quic
