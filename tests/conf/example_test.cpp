// The example file is the reference: complete, true, and equal to the defaults.
#include "conf/example.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "conf/load.h"
#include "conf/sections.h"

namespace conf {
namespace {

const std::string path = "conf/sallyport.example.toml";

std::string file_text() {
  std::ifstream in{path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// The file with the keys taken out of their comments, but for tables whose keys have no default.
std::string uncommented() {
  std::istringstream in{file_text()};
  std::string out;
  bool without_default = false;
  for (std::string line; std::getline(in, line);) {
    const bool key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    if (line.starts_with('[') || line.starts_with("#["))
      without_default = line == "#[[certificate]]" || line == "#[[set]]" || line == "#[[route]]";
    out += key && !without_default ? line.substr(1) : line;
    out += '\n';
  }
  return out;
}

TEST(Example, IsWhatTheTablesSay) {
  const std::string made = example_text();
  if (std::getenv("SALLYPORT_UPDATE") != nullptr) std::ofstream{path} << made;
  EXPECT_EQ(file_text(), made)
      << "start the test with SALLYPORT_UPDATE=1 to write it anew, and read the difference";
}

TEST(Example, HoldsEveryKeyOnceWithItsUsualValue) {
  std::istringstream in{file_text()};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  Config usual = defaults();
  usual.server.state_directory.clear();
  for (const Section& section : sections()) {
    const std::string heading = section.list ? "#[[" + std::string{section.name} + "]]"
                                             : "[" + std::string{section.name} + "]";
    const auto begin = std::ranges::find(lines, heading);
    ASSERT_NE(begin, lines.end()) << heading;
    const auto end = std::find_if(begin + 1, lines.end(), [](const std::string& line) {
      return line.starts_with('[') || line.starts_with("#[");
    });
    const auto tables = section.print(usual);
    for (const PrintedKey& key : tables.front()) {
      const std::string start = "#" + std::string{key.name} + " = ";
      EXPECT_EQ(
          std::count_if(begin, end,
                        [&start](const std::string& line) { return line.starts_with(start); }),
          1)
          << start;
      if (key.placeholder.empty())
        EXPECT_NE(std::find(begin, end, start + key.value), end) << start << key.value;
      EXPECT_FALSE(key.help.empty() || key.accepts.empty()) << start;
    }
  }
}

TEST(Example, LoadsAndChangesNothing) {
  const auto loaded = load_file(path);
  ASSERT_TRUE(loaded.has_value());
  const Config usual = defaults();
  EXPECT_EQ(loaded->server, usual.server);
  EXPECT_EQ(loaded->upstreams, usual.upstreams);
}

TEST(Example, WithAllCommentsTakenAwaySaysWhatIsUsualAnyway) {
  const auto loaded = load_text(uncommented(), "uncommented", ".");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().front().to_text();
  Config usual = defaults();
  for (ListenAddress& address : usual.server.listen)
    address.by_default = false;  // now somebody asked for them
  EXPECT_EQ(loaded->server, usual.server);
  EXPECT_EQ(loaded->limits, usual.limits);
  EXPECT_EQ(loaded->cache, usual.cache);
  EXPECT_EQ(loaded->upstreams, usual.upstreams);
  EXPECT_EQ(loaded->tls, usual.tls);
  EXPECT_EQ(loaded->certificates, usual.certificates);
  EXPECT_EQ(loaded->admin, usual.admin);
  EXPECT_EQ(loaded->log, usual.log);
}

}  // namespace
}  // namespace conf
