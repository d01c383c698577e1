// From the words of `sallyport query` to whom and what to ask.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "dns/request.h"

namespace gateway::cli {

struct Inquiry {
  std::vector<std::string> servers;  ///< URLs, without the @; empty: the gateway here
  dns::Question question;
};

/// "@URL" wherever it stands; then the name, then the type (default A). An address instead of a
/// name is asked for backwards, as PTR (RFC 1035 §3.5, RFC 3596 §2.5). The error is one sentence.
std::expected<Inquiry, std::string> inquiry_from_words(std::span<const std::string> words);

}  // namespace gateway::cli
