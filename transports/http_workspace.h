// What a worker's HTTP sessions share: memory for the answer at hand, and exchanges for their next
// use. Owned by its StreamWorkspace; large.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dns/request.h"
#include "transports/http2/exchange.h"
#include "transports/http2/memory.h"
#include "transports/http_refusals.h"

namespace transports {

struct HttpWorkspace {
  explicit HttpWorkspace(base::MetricSheet& sheet) : refusals(sheet) {}

  static constexpr std::size_t spare_max = 1024;

  HttpRefusals refusals;
  std::array<std::uint8_t, dns::message_size_max> answer;
  std::string text;  ///< of an answer or a refusal that is not in wire format
  http2::Memory memory;
  std::vector<std::unique_ptr<http2::Exchange>> spare;
};

}  // namespace transports
