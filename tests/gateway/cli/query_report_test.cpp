// What `sallyport query` says about an exchange: every fact is there, and a server cannot write on
// the terminal.
#include "gateway/cli/query_report.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>

#include "dns/fit.h"
#include "gateway/demo/zone.h"

namespace gateway::cli {
namespace {

using namespace std::chrono_literals;

transports::Reported report_for(const std::string& name, dns::RrType type) {
  dns::Request request;
  request.has_question = true;
  request.question = {*dns::Name::from_text(name), type, dns::RrClass::in};
  std::array<std::uint8_t, 4096> out{};
  const dns::KeptAnswer answer = demo::Zone().answer(request.question, conf::Protocol::dot);
  const std::size_t size = dns::fit(request, answer.view(), {}, out);
  transports::Reported report;
  report.reply.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
  report.protocol = conf::Protocol::dot;
  report.connect = 1500us;
  report.handshake = 2500us;
  report.answer = 250us;
  report.tls = transports::TlsReport{.version = "TLSv1.3",
                                     .cipher = "TLS_AES_128_GCM_SHA256",
                                     .group = "X25519MLKEM768",
                                     .alpn = "dot",
                                     .resumed = true,
                                     .verified = true,
                                     .subject = "CN = dns.example",
                                     .issuer = "CN = an authority",
                                     .alternative_names = {"dns.example", "192.0.2.53"},
                                     .not_after = 1'800'000'000,
                                     .pin = "cGlu"};
  return report;
}

TEST(QueryReport, TellsTheAnswerItsTimesAndTls) {
  const std::string text =
      report_to_text("tls://192.0.2.53#dns.example", report_for("www.demo.test.", dns::RrType::a));
  for (const char* part :
       {"status: NOERROR", "192.0.2.80", ";; from tls://192.0.2.53#dns.example over dot, ",
        ";; time: connect 1.50 ms, handshake 2.50 ms, answer 0.25 ms\n",
        ";; TLS: TLSv1.3, X25519MLKEM768, TLS_AES_128_GCM_SHA256, ALPN dot, resumed\n",
        ";; certificate: for dns.example, 192.0.2.53; verified, by CN = an authority, until "
        "2027-01-15 08:00 UTC\n",
        ";; pin: cGlu\n"}) {
    EXPECT_TRUE(text.contains(part)) << part << " in\n" << text;
  }
  EXPECT_FALSE(text.contains("truncated") || text.contains("ignored") || text.contains("times"))
      << text;
}

TEST(QueryReport, OverUdpThereIsNoConnectionToTime) {
  transports::Reported report = report_for("www.demo.test.", dns::RrType::a);
  report.protocol = conf::Protocol::udp;
  report.tls.reset();
  const std::string text = report_to_text("udp://192.0.2.53", report);
  EXPECT_TRUE(text.ends_with(";; time: answer 0.25 ms\n")) << text;
}

TEST(QueryReport, TellsWhatWasUnusual) {
  transports::Reported report = report_for("www.demo.test.", dns::RrType::a);
  report.was_truncated = true;
  report.tries = 2;
  report.ignored = 3;
  report.tls->verified = false;
  const std::string text = report_to_text("udp://192.0.2.53", report);
  EXPECT_TRUE(text.contains(
      ";; truncated over UDP, asked again over TCP\n;; sent 2 times\n;; ignored 3 replies"))
      << text;
  EXPECT_TRUE(text.contains("NOT VERIFIED")) << text;
}

TEST(QueryReport, ACertificateCannotWriteOnTheTerminal) {
  transports::Reported report = report_for("www.demo.test.", dns::RrType::a);
  report.tls->alternative_names = {"evil\x1b[2J.example", "two\nlines"};
  report.tls->issuer = "CN = \xe2\x80\xae gnp.exe";
  report.tls->alpn = "\x07";
  for (const std::string& told :
       {report_to_text("tls://192.0.2.53", report), report_to_json("tls://192.0.2.53", report)}) {
    EXPECT_FALSE(told.contains('\x1b') || told.contains('\x07') || told.contains("two\nlines") ||
                 told.contains("\xe2\x80\xae"))
        << told;
  }
}

TEST(QueryReport, ShortIsTheAnswerSectionsData) {
  EXPECT_EQ(report_to_short_text(report_for("alias.demo.test.", dns::RrType::a)),
            "alias2.demo.test.\nwww.demo.test.\n192.0.2.80\n192.0.2.81\n");
  EXPECT_EQ(report_to_short_text(report_for("nothing.demo.test.", dns::RrType::a)), "");
}

TEST(QueryReport, JsonHasAllOfIt) {
  const std::string line =
      report_to_json("tls://192.0.2.53", report_for("www.demo.test.", dns::RrType::a));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const boost::json::value value = boost::json::parse(line);
  EXPECT_EQ(
      value.at("timings"),
      (boost::json::object{{"connect_us", 1500}, {"handshake_us", 2500}, {"answer_us", 250}}));
  EXPECT_EQ(value.at("tls").at("names"), (boost::json::array{"dns.example", "192.0.2.53"}));
  EXPECT_EQ(value.at("tls").at("resumed"), true);
  EXPECT_EQ(value.at("message").at("rcode"), "NOERROR");
}

TEST(QueryReport, AFailureIsALineOfJson) {
  const boost::json::value value =
      boost::json::parse(failure_to_json("udp://192.0.2.53", "no reply in time"));
  EXPECT_EQ(value,
            (boost::json::object{{"server", "udp://192.0.2.53"}, {"error", "no reply in time"}}));
}

TEST(QueryReport, AReplyThatIsNotDnsIsToldAllTheSame) {
  transports::Reported report;
  report.reply = {1, 2, 3};
  EXPECT_FALSE(report_to_text("udp://192.0.2.53", report).empty());
  EXPECT_EQ(report_to_short_text(report), "");
}

}  // namespace
}  // namespace gateway::cli
