// Fuzz target: any message becomes JSON that can be parsed (RFC 8259), in which no page finds a
// tag.
#include "dns/json.h"

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// A parser of the grammar alone; aborts where the text departs from it.
class Json {
 public:
  explicit Json(std::string_view text) : rest_(text) {}

  void whole() {
    value();
    require(rest_.empty() || rest_ == "\n");
  }

 private:
  void value() {
    require(!rest_.empty() && ++depth_ < 8);
    switch (rest_.front()) {
      case '{': return list('}', true);
      case '[': return list(']', false);
      case '"': string(); break;
      case 't': word("true"); break;
      case 'f': word("false"); break;
      default: number();
    }
    --depth_;
  }
  void list(char end, bool named) {
    rest_.remove_prefix(1);
    for (bool first = true; rest_.empty() || rest_.front() != end; first = false) {
      if (!first) word(",");
      if (named) {
        string();
        word(":");
      }
      value();
    }
    rest_.remove_prefix(1);
    --depth_;
  }
  void string() {
    word("\"");
    while (!rest_.starts_with('"')) {
      require(!rest_.empty());
      const auto c = static_cast<unsigned char>(rest_.front());
      require(c >= ' ' && c != 0x7f && c != '<' && c != '>' && c != '&');
      if (c == '\\') {
        require(rest_.size() > 1);
        const char escaped = rest_[1];
        require(std::string_view("\"\\/bfnrtu").contains(escaped));
        if (escaped == 'u') {
          require(rest_.size() > 5);
          for (const char digit : rest_.substr(2, 4))
            require(std::isxdigit(static_cast<unsigned char>(digit)) != 0);
          rest_.remove_prefix(4);
        }
        rest_.remove_prefix(1);
      }
      rest_.remove_prefix(1);
    }
    word("\"");
  }
  void number() {
    require(std::isdigit(static_cast<unsigned char>(rest_.front())) != 0);
    const bool zero = rest_.front() == '0';
    std::size_t size = 0;
    while (size < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[size])) != 0)
      ++size;
    require(!zero || size == 1);
    rest_.remove_prefix(size);
  }
  void word(std::string_view expected) {
    require(rest_.starts_with(expected));
    rest_.remove_prefix(expected.size());
  }

  std::string_view rest_;
  int depth_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = dns::message_to_json({data, size});
  Json(text).whole();
  return 0;
}
