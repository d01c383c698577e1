// What a worker's HTTP sessions share. Owned by its StreamWorkspace; large.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "dns/request.h"
#include "transports/http2/exchange.h"
#include "transports/http2/memory.h"

namespace transports {

struct HttpWorkspace {
  static constexpr std::size_t spare_max = 1024;

  std::array<std::uint8_t, dns::message_size_max> answer;  ///< the one at hand
  http2::Memory memory;
  std::vector<std::unique_ptr<http2::Exchange>> spare;  ///< recycled: a warm worker makes none
};

struct ListenerContext;
/// The worker's, made when there is none yet.
HttpWorkspace& http_workspace(ListenerContext& context);

}  // namespace transports
