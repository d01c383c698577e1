// Packets that broke others, from collections beside the checkout: SALLYPORT_CORPORA, or
// ../shared/corpora. They are data of other projects and no part of this one; without them these
// tests say so and are skipped.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "dns/edns.h"
#include "tests/dns/invariants.h"
#include "tests/dns/message_builder.h"

namespace dns {
namespace {

using test::Octets;

std::filesystem::path corpora() {
  if (const char* named = std::getenv("SALLYPORT_CORPORA")) return named;
  const char* source = std::getenv("SALLYPORT_SOURCE");
  return std::filesystem::path{source != nullptr ? source : "."} / "../shared/corpora";
}

Octets contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The regular files of a .tar.gz (POSIX ustar: headers and contents in blocks of 512 octets).
std::map<std::string, Octets> files_in(const std::filesystem::path& archive) {
  std::map<std::string, Octets> files;
  gzFile in = gzopen(archive.c_str(), "rb");
  std::array<char, 512> block;
  while (gzread(in, block.data(), block.size()) == static_cast<int>(block.size()) &&
         block[0] != '\0') {
    const std::size_t size = std::stoul(std::string(&block[124], 11), nullptr, 8);
    const bool regular = block[156] == '0' || block[156] == '\0';
    const std::string name(&block[0], strnlen(&block[0], 100));
    Octets content((size + 511) / 512 * 512);
    if (gzread(in, content.data(), static_cast<unsigned>(content.size())) !=
        static_cast<int>(content.size()))
      break;
    content.resize(size);
    if (regular) files[name] = content;
  }
  gzclose(in);
  return files;
}

class Corpora : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(corpora())) {
      GTEST_SKIP() << "no corpora at " << corpora() << "; set SALLYPORT_CORPORA to where they are";
    }
  }
};

TEST_F(Corpora, InvariantsHoldForEveryPacket) {
  std::size_t count = 0;
  for (const char* name : {"bind9-fuzz", "c-ares-fuzz", "pdns-fuzz"}) {
    for (const auto& [file, octets] : files_in(corpora() / (std::string{name} + ".tar.gz"))) {
      ++count;
      EXPECT_EQ(test::broken_request(octets), "") << file;
      EXPECT_EQ(test::broken_answer(octets), "") << file;
      EXPECT_EQ(test::broken_match(octets), "") << file;
      EXPECT_EQ(test::broken_name(octets), "") << file;
      EXPECT_FALSE(message_to_text(octets).empty()) << file;
    }
  }
  EXPECT_GT(count, 500U);
}

/// Does the packet's OPT carry an option that RFC 7871 §7.1.2 calls wrongly formatted? Those "MUST
/// be rejected"; the programs of the table have no support for that option and so never look into
/// it.
bool has_unsound_subnet(const Octets& wire) {
  MessageWalk walk(wire);
  for (Record record; walk.next(record);) {
  }
  if (!walk.opt()) return false;
  OptionReader options(walk.opt()->rdata(wire));
  EdnsOption code{};
  base::Bytes data;
  while (options.next(code, data)) {
    if (code == EdnsOption::client_subnet && !query_subnet_is_sound(data)) return true;
  }
  return false;
}

TEST_F(Corpora, MalformedQueriesAreRefusedAsByOthers) {
  std::ifstream table(corpora() / "dnsproxy-formerr/EXPECT.tsv");
  std::string line;
  std::getline(table, line);
  std::size_t refused_by_all = 0;
  std::set<std::string> strict_about_subnet;
  while (std::getline(table, line)) {
    std::istringstream columns(line);
    std::string file;
    std::string size;
    std::string unbound;
    std::string dnsdist;
    std::string nsd;
    std::string judgement;
    columns >> file >> size >> unbound >> dnsdist >> nsd >> judgement;
    const Octets wire = contents(corpora() / "dnsproxy-formerr" / file);
    EXPECT_EQ(test::broken_request(wire), "") << file;
    Request request;
    const Verdict verdict = parse_request(wire, request);
    if (judgement == "all-FORMERR") {
      EXPECT_EQ(verdict, Verdict::format_error) << file;
      ++refused_by_all;
    } else if (judgement == "legal-or-lenient") {
      // The table shows the header's four bits: BADVERS (16) reads NOERROR there.
      if (request.edns.version != 0) {
        EXPECT_EQ(verdict, Verdict::bad_version) << file;
      } else if (has_unsound_subnet(wire)) {
        EXPECT_EQ(verdict, Verdict::format_error) << file;
        strict_about_subnet.insert(file);
      } else {
        EXPECT_EQ(verdict, Verdict::accept) << file;
      }
    } else {
      EXPECT_TRUE(verdict == Verdict::accept || verdict == Verdict::format_error) << file;
    }
  }
  EXPECT_EQ(refused_by_all, 20U);
  EXPECT_EQ(strict_about_subnet.size(), 16U) << "where RFC 7871 makes us stricter than the others";
}

}  // namespace
}  // namespace dns
