// What is said about mistakes, all of them in one run, and about a good file.
#include "conf/check.h"

#include <gtest/gtest.h>

#include "conf/document.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace conf {
namespace {

const std::string mistakes_path = "tests/conf/mistakes.txt";

struct Case {
  std::string name;
  std::string file;
  std::string complaints;
};

struct Cases {
  std::string head;  ///< comments before the first case
  std::vector<Case> cases;
};

Cases read_cases() {
  Cases out;
  std::ifstream in{mistakes_path};
  std::string* part = &out.head;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("=== ")) {
      out.cases.push_back({.name = line.substr(4), .file = {}, .complaints = {}});
      part = &out.cases.back().file;
    } else if (line == "---" && part != &out.head) {
      part = &out.cases.back().complaints;
    } else {
      *part += line + '\n';
    }
  }
  return out;
}

TEST(Check, EveryMistakeIsToldWithItsPlaceAndWhatToDo) {
  Cases all = read_cases();
  ASSERT_GE(all.cases.size(), 25U) << "is the test started in the checkout's root?";
  std::string as_said_now = all.head;
  for (const Case& each : all.cases) {
    const auto loaded = load_text(each.file, "sallyport.toml", ".");
    EXPECT_FALSE(loaded.has_value()) << each.name;
    const std::string said = check_text(loaded);
    EXPECT_EQ(said + '\n', each.complaints) << each.name;
    as_said_now += "=== " + each.name + '\n' + each.file + "---\n" + said + '\n';
  }
  if (std::getenv("SALLYPORT_UPDATE") != nullptr) std::ofstream{mistakes_path} << as_said_now;
}

TEST(Check, PlacesAreInsideTheFile) {
  for (const Case& each : read_cases().cases) {
    const Source source{each.file, "x"};
    const auto loaded = load_text(each.file, "x", ".");
    ASSERT_FALSE(loaded.has_value());
    for (const Complaint& complaint : loaded.error()) {
      EXPECT_GE(complaint.line, 1U) << each.name;
      EXPECT_LE(complaint.line, source.line_count()) << each.name;
      EXPECT_GE(complaint.column, 1U) << each.name;
      EXPECT_FALSE(complaint.message.empty()) << each.name;
    }
  }
}

TEST(Check, AnEmptyFileIsGoodAndToldInShort) {
  ::setenv("STATE_DIRECTORY", "/state", 1);
  EXPECT_EQ(
      check_text(load_text("", "sallyport.toml", ".")),
      "sallyport.toml: good\n"
      "  listens on    udp://127.0.0.1:53, udp://[::1]:53, tcp://127.0.0.1:53, tcp://[::1]:53\n"
      "  may ask       127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, "
      "::1/128, fc00::/7, fe80::/10\n"
      "  upstreams     tls://9.9.9.9#dns.quad9.net (encrypted, verified as dns.quad9.net)\n"
      "                tls://149.112.112.112#dns.quad9.net (encrypted, verified as dns.quad9.net)\n"
      "                tls://1.1.1.1#cloudflare-dns.com (encrypted, verified as "
      "cloudflare-dns.com)\n"
      "                tls://1.0.0.1#cloudflare-dns.com (encrypted, verified as "
      "cloudflare-dns.com)\n"
      "  certificates  none needed: no listener is encrypted\n"
      "  metrics       http://127.0.0.1:8953/metrics\n");
}

TEST(Check, AGoodFileSaysWhatIsEncryptedAndHow) {
  ::setenv("STATE_DIRECTORY", "/state", 1);
  const auto loaded = load_text(R"(
[server]
name = "dns.example.org"
listen = ["tls://192.0.2.1"]
allow = ["0.0.0.0/0"]
[[upstream]]
url = "udp://192.0.2.2"
[[upstream]]
url = "tls://192.0.2.3"
[[upstream]]
url = "tls://192.0.2.4"
pins = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
[admin]
listen = ""
)",
                                "sallyport.toml", ".");
  EXPECT_EQ(check_text(loaded),
            "sallyport.toml: good\n"
            "  listens on    tls://192.0.2.1\n"
            "  may ask       0.0.0.0/0\n"
            "  upstreams     udp://192.0.2.2 (not encrypted)\n"
            "                tls://192.0.2.3 (encrypted, verified as 192.0.2.3)\n"
            "                tls://192.0.2.4 (encrypted, one key pinned)\n"
            "  certificates  our own, for dns.example.org (kept in /state)\n"
            "  metrics       off\n");
  EXPECT_EQ(
      check_json(loaded),
      R"({"ok":true,"problems":[],"file":"sallyport.toml","name":"dns.example.org","listeners":["tls://192.0.2.1"],)"
      R"("allow":["0.0.0.0/0"],"upstreams":[{"url":"udp://192.0.2.2","encrypted":false,"name":"","pins":0},)"
      R"({"url":"tls://192.0.2.3","encrypted":true,"name":"192.0.2.3","pins":0},)"
      R"({"url":"tls://192.0.2.4","encrypted":true,"name":"192.0.2.4","pins":1}],"certificates":[],"admin":"",)"
      R"("state_directory":"/state"})"
      "\n");
}

TEST(Check, MistakesAsJsonAreOneLine) {
  EXPECT_EQ(
      check_json(load_text("[log]\nlevel = \"lo\\nud\"\n", "a\"b.toml", ".")),
      R"({"ok":false,"problems":[{"file":"a\"b.toml","line":2,"column":9,"width":8,"message":"`lo?ud` is not known here",)"
      R"("suggestion":"one of `\"debug\"`, `\"info\"`, `\"warning\"`, `\"error\"`, `\"off\"`"}]})"
      "\n");
}

TEST(Check, AFileThatIsNotThereIsAComplaintToo) {
  EXPECT_EQ(check_text(load_file("/no/such/file.toml")),
            "/no/such/file.toml: the file cannot be read: No such file or directory\n"
            "      = `sallyport.example.toml` is a complete file to begin with\n\n1 problem\n");
  EXPECT_EQ(load_file("/").error().front().message, "the file cannot be read: it is a directory");
}

TEST(Check, ComplaintsAreBounded) {
  std::string text = "[server]\n";
  for (int i = 0; i < 1000; ++i) text += "key" + std::to_string(i) + " = 1\n";
  const auto loaded = load_text(text, "x", ".");
  EXPECT_EQ(loaded.error().size(), complaints_most);
  EXPECT_TRUE(check_text(loaded).ends_with("\nat least 50 problems\n"));
  EXPECT_EQ(load_text(std::string(document_size_most + 1, '#'), "x", ".").error().front().message,
            "the file is larger than 256 KiB");
}

}  // namespace
}  // namespace conf
