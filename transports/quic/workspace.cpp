// Setting the library up, and the counters' names.
#include "transports/quic/workspace.h"

#include <string>

#include "transports/quic/connection.h"

namespace transports::quic {

namespace {

base::Counter& datagrams(base::MetricSheet& sheet, const char* what) {
  return sheet.counter("sallyport_quic_datagrams_total", {{"what", what}});
}

base::Counter& answers(base::MetricSheet& sheet, const char* kind) {
  return sheet.counter("sallyport_quic_stateless_answers_total", {{"kind", kind}});
}

base::Counter& early_data(base::MetricSheet& sheet, const char* result) {
  return sheet.counter("sallyport_quic_early_data_total", {{"result", result}});
}

base::Counter& ends(base::MetricSheet& sheet, const char* reason) {
  return sheet.counter("sallyport_quic_connections_ended_total", {{"reason", reason}});
}

}  // namespace

Process::Process() { Connection::prepare_library(); }

Counters::Counters(base::MetricSheet& sheet)
    : received(datagrams(sheet, "received")),
      sent(datagrams(sheet, "sent")),
      not_taken(datagrams(sheet, "not_taken")),
      handed_over(datagrams(sheet, "handed_over")),
      unknown(datagrams(sheet, "unknown")),
      version_answers(answers(sheet, "version_negotiation")),
      retries(answers(sheet, "retry")),
      resets(answers(sheet, "reset")),
      refusals(answers(sheet, "refusal")),
      migrations(sheet.counter("sallyport_quic_migrations_total")),
      early_accepted(early_data(sheet, "accepted")),
      early_rejected(early_data(sheet, "rejected")),
      early_replayed(early_data(sheet, "replayed")),
      ended_by_peer(ends(sheet, "peer")),
      ended_idle(ends(sheet, "idle")),
      ended_handshake(ends(sheet, "handshake")),
      ended_error(ends(sheet, "error")),
      ended_drained(ends(sheet, "drained")) {}

}  // namespace transports::quic
