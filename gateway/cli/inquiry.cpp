// Reading the words of `sallyport query`.
#include "gateway/cli/inquiry.h"

#include <format>

#include "base/address.h"

namespace gateway::cli {
namespace {

/// "192.0.2.1" is "1.2.0.192.in-addr.arpa.".
std::string backwards(const base::Address& address) {
  std::string name;
  if (address.is_v4()) {
    for (int i = 3; i >= 0; --i)
      name += std::format("{}.", address.octets()[static_cast<std::size_t>(i)]);
    return name + "in-addr.arpa.";
  }
  for (int i = 15; i >= 0; --i) {
    const unsigned octet = address.octets()[static_cast<std::size_t>(i)];
    name += std::format("{:x}.{:x}.", octet & 15U, octet >> 4U);
  }
  return name + "ip6.arpa.";
}

}  // namespace

std::expected<Inquiry, std::string> inquiry_from_words(std::span<const std::string> words) {
  Inquiry inquiry;
  std::vector<std::string> rest;
  for (const std::string& word : words) {
    if (word.starts_with('@')) {
      inquiry.servers.push_back(word.substr(1));
    } else {
      rest.push_back(word);
    }
  }
  if (rest.empty()) return std::unexpected("a name to ask for is missing");
  if (rest.size() > 2) return std::unexpected(std::format("`{}` is one word too many", rest[2]));

  const auto address = base::Address::from_text(rest[0]);
  const auto name = dns::Name::from_text(address ? backwards(*address) : rest[0]);
  if (!name) return std::unexpected(std::format("`{}` is not a name", rest[0]));
  inquiry.question.name = *name;
  inquiry.question.type = address ? dns::RrType::ptr : dns::RrType::a;
  if (rest.size() == 2) {
    const auto type = dns::type_from_text(rest[1]);
    if (!type)
      return std::unexpected(
          std::format("`{}` is not a type: there are A, AAAA, MX … and TYPE65280", rest[1]));
    inquiry.question.type = *type;
  }
  return inquiry;
}

}  // namespace gateway::cli
