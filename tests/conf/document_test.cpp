// TOML as nodes with places, and what would exhaust the stack. Syntax errors' sentences are in
// mistakes.txt.
#include "conf/document.h"

#include <gtest/gtest.h>

#include <string>

namespace conf {
namespace {

Node parse(std::string_view text) { return parse_document(text, Source{text, "test"}).value(); }

std::string refusal(std::string_view text) {
  const auto parsed = parse_document(text, Source{text, "test"});
  return parsed ? "none" : parsed.error().front().message;
}

TEST(Document, NodesKnowTheirKindsAndPlaces) {
  const Node root = parse(
      "[a]\nflag = true\nnumber = -7\n\"text\" = \"x\\ty\"\nlist = [1,\n  'z']\nreal = 1.5\nday = "
      "2024-02-29\n");
  const Node& table = root.find("a")->value;
  EXPECT_EQ(root.find("a")->place, (Place{.line = 1, .column = 2, .width = 1}));
  ASSERT_EQ(table.members.size(), 6U);
  EXPECT_TRUE(table.find("flag")->value.flag);
  EXPECT_EQ(table.find("number")->value.integer, -7);
  EXPECT_EQ(table.find("number")->value.place, (Place{.line = 3, .column = 10, .width = 2}));
  EXPECT_EQ(table.find("text")->value.text, "x\ty");
  EXPECT_EQ(table.find("text")->place, (Place{.line = 4, .column = 2, .width = 4}));
  const Node& list = table.find("list")->value;
  EXPECT_EQ(list.kind, Node::Kind::list);
  EXPECT_EQ(list.place, (Place{.line = 5, .column = 8, .width = 3}));
  EXPECT_EQ(list.items[1].place, (Place{.line = 6, .column = 3, .width = 3}));
  EXPECT_EQ(table.find("real")->value.kind, Node::Kind::fraction);
  EXPECT_EQ(table.find("real")->value.text, "1.5");
  EXPECT_EQ(table.find("day")->value.kind, Node::Kind::time);
  EXPECT_EQ(table.find("nothing"), nullptr);
}

TEST(Document, ColumnsAreCodePoints) {
  const Node root = parse("\xef\xbb\xbf\"\xc3\xa4\xc3\xb6\" = \"\xe2\x82\xac\" # \xc3\xa4\n");
  const Member& member = root.members.front();
  EXPECT_EQ(member.key, "\xc3\xa4\xc3\xb6");
  EXPECT_EQ(member.value.place.width, 3U);
  EXPECT_EQ(member.value.place.column, 9U);  // the mark of the octet order is a code point, too
}

TEST(Document, DepthIsBoundedBeforeTheParserDescends) {
  const std::string deep = "nested too deeply";
  EXPECT_TRUE(refusal("a = " + std::string(100'000, '[')).contains(deep));
  std::string lines = "a = ";
  for (int i = 0; i < 100'000; ++i) lines += "[\n";
  EXPECT_TRUE(refusal(lines).contains(deep));
  std::string braces = "a = ";
  for (int i = 0; i < 10'000; ++i) braces += "{a=";
  EXPECT_TRUE(refusal(braces).contains(deep));
  std::string dots = "a";
  for (int i = 0; i < 100'000; ++i) dots += ".a";
  EXPECT_TRUE(refusal(dots + " = 1").contains(deep));
  EXPECT_TRUE(refusal('[' + dots + ']').contains(deep));
}

TEST(Document, BracketsAndDotsInTextsAndCommentsDoNotCount) {
  const std::string many(100, '[');
  const std::string dots(100, '.');
  EXPECT_EQ(
      refusal("a = \"" + many + dots + "\\\"" + many + "\" # " + many + "\nb = '" + many + "\\'\n"),
      "none");
  EXPECT_EQ(
      refusal("a = \"\"\"\n" + many + "\n\\\"\"" + many + "\"\"\"\nb = '''" + many + "\n'''\n"),
      "none");
}

TEST(Document, ErrorsBeforeCommentsEnd) {
  for (const std::string_view text : {"# \x01\n[a]\n", "# \x01", "a = [[x # y\n]]\n# z\nb = 1\n",
                                      "a = [{b = x # y\n}]\n", "a = [x, # y\n 'z']\n"}) {
    EXPECT_NE(refusal(text), "none") << text;
  }
}

TEST(Document, ErrorsAreBounded) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "?\n";
  const auto parsed = parse_document(text, Source{text, "test"});
  EXPECT_GE(parsed.error().size(), 25U);
  EXPECT_LE(parsed.error().size(), 50U);
}

TEST(Document, WhatIsTooLargeIsRefused) {
  EXPECT_EQ(refusal(std::string(document_size_most + 1, '\n')), "the file is larger than 256 KiB");
  EXPECT_EQ(refusal('#' + std::string(document_size_most - 1, 'x')), "none");
}

TEST(Complaint, ShowsThePlaceInALongLineAndBehindItsEnd) {
  const std::string text = std::string(300, 'a') + "\n\xff\t\x1b[2J";
  const Source source{text, "f"};
  EXPECT_EQ(source.complaint({.line = 1, .column = 301, .width = 1}, "m", "s").to_text(),
            "f:1:301: m\n    1 | \xe2\x80\xa6" + std::string(32, 'a') + "\n      | " +
                std::string(33, ' ') + "^\n      = s\n");
  EXPECT_EQ(source.complaint({.line = 2, .column = 1, .width = 1}, "m\x1b").to_text(),
            "f:2:1: m?\n    2 | ? ?[2J\n      | ^\n");
  EXPECT_EQ(source.complaint({}, "m").to_text(), "f: m\n");
}

TEST(Source, PlacesNeverLeaveTheText) {
  const Source source{"ab\ncd", "f"};
  EXPECT_EQ(source.place(1, 100, 100), (Place{.line = 1, .column = 3, .width = 1}));
  EXPECT_EQ(source.place(9, 1, 1), (Place{.line = 2, .column = 3, .width = 1}));
  EXPECT_EQ(source.place(0, 0, 0), (Place{.line = 1, .column = 1, .width = 1}));
  EXPECT_EQ(Source("", "f").place(1, 1, 1), (Place{.line = 1, .column = 1, .width = 1}));
}

}  // namespace
}  // namespace conf
