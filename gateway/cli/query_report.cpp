// Telling an exchange to people and to programs. Whatever the server wrote is escaped, the
// certificate's names included.
#include "gateway/cli/query_report.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <format>
#include <vector>

#include "dns/message.h"
#include "dns/text.h"
#include "gateway/cli/message_json.h"
#include "gateway/cli/printable.h"

namespace gateway::cli {
namespace {

namespace json = boost::json;

double milliseconds(base::Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::int64_t microseconds(base::Clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

std::string date_of(std::time_t when) {
  return std::format("{:%Y-%m-%d %H:%M} UTC", std::chrono::floor<std::chrono::minutes>(
                                                  std::chrono::system_clock::from_time_t(when)));
}

std::string timings(const transports::Reported& report) {
  const conf::ProtocolRow& row = conf::row_of(report.protocol);
  std::string text = ";; time: ";
  if (row.socket == conf::Socket::tcp)
    text += std::format("connect {:.2f} ms, ", milliseconds(report.connect));
  if (row.encrypted) text += std::format("handshake {:.2f} ms, ", milliseconds(report.handshake));
  return text + std::format("answer {:.2f} ms\n", milliseconds(report.answer));
}

/// TLS agreed on it (RFC 9113 §3.2).
std::string_view http_version(const transports::Reported& report) {
  if (report.quic) return "3";
  return report.tls && report.tls->alpn == "h2" ? "2" : "1.1";
}

/// RFC 9000 §15.
std::string quic_version(const transports::quic::Facts& facts) {
  return facts.version == 1 ? "version 1" : std::format("version {:#010x}", facts.version);
}

std::string particulars(const transports::Reported& report) {
  std::string text;
  if (report.http_status != 0)
    text += std::format(";; HTTP/{}, status {}\n", http_version(report), report.http_status);
  if (report.quic)
    text += std::format(";; QUIC: {}, {}\n", quic_version(*report.quic),
                        report.quic->retried ? "address proved first (Retry)" : "no Retry");
  if (report.was_truncated) text += ";; truncated over UDP, asked again over TCP\n";
  if (report.tries > 1) text += std::format(";; sent {} times\n", report.tries);
  if (report.ignored != 0)
    text += std::format(";; ignored {} replies to something else\n", report.ignored);
  return text;
}

std::string tls_to_text(const transports::TlsReport& tls) {
  std::string names;
  for (const std::string& name : tls.alternative_names)
    names += (names.empty() ? "" : ", ") + printable(name);
  return std::format(
      ";; TLS: {}, {}, {}, ALPN {}, {}\n"
      ";; certificate: for {}; {}, by {}, until {}\n"
      ";; pin: {}\n",
      tls.version, tls.group, tls.cipher, tls.alpn.empty() ? "none" : printable(tls.alpn),
      tls.resumed ? "resumed" : "full handshake", names.empty() ? "no name" : names,
      tls.verified ? "verified" : "NOT VERIFIED", printable(tls.issuer), date_of(tls.not_after),
      tls.pin);
}

json::object tls_to_json(const transports::TlsReport& tls) {
  json::array names;
  for (const std::string& name : tls.alternative_names) names.emplace_back(printable(name));
  return {{"version", tls.version},
          {"group", tls.group},
          {"cipher", tls.cipher},
          {"alpn", printable(tls.alpn)},
          {"resumed", tls.resumed},
          {"verified", tls.verified},
          {"names", std::move(names)},
          {"subject", printable(tls.subject)},
          {"issuer", printable(tls.issuer)},
          {"not_after", date_of(tls.not_after)},
          {"pin", tls.pin}};
}

}  // namespace

std::string report_to_text(const std::string& server, const transports::Reported& report) {
  std::string text = dns::message_to_text(report.reply);
  text += std::format("\n;; from {} over {}, {} octets\n", server,
                      conf::row_of(report.protocol).name, report.reply.size());
  text += timings(report) + particulars(report);
  if (report.tls) text += tls_to_text(*report.tls);
  return text;
}

std::string report_to_short_text(const transports::Reported& report) {
  std::string text;
  dns::MessageWalk walk(report.reply);
  for (dns::Record record; walk.next(record);) {
    if (record.section == dns::Section::answer)
      text += dns::rdata_to_text(report.reply, record) + '\n';
  }
  return text;
}

std::string report_to_json(const std::string& server, const transports::Reported& report) {
  json::object object{{"server", server},
                      {"transport", conf::row_of(report.protocol).name},
                      {"timings",
                       {{"connect_us", microseconds(report.connect)},
                        {"handshake_us", microseconds(report.handshake)},
                        {"answer_us", microseconds(report.answer)}}},
                      {"truncated_over_udp", report.was_truncated},
                      {"tries", report.tries},
                      {"ignored_replies", report.ignored}};
  if (report.http_status != 0)
    object.emplace("http",
                   json::object{{"version", http_version(report)}, {"status", report.http_status}});
  if (report.quic)
    object.emplace(
        "quic", json::object{{"version", report.quic->version}, {"retried", report.quic->retried}});
  if (report.tls) object.emplace("tls", tls_to_json(*report.tls));
  object.emplace("message", message_to_json(report.reply));
  return json::serialize(object) + '\n';
}

std::string failure_to_json(const std::string& server, const std::string& why) {
  return json::serialize(json::object{{"server", server}, {"error", printable(why)}}) + '\n';
}

}  // namespace gateway::cli
