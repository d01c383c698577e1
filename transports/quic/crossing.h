// The way of a datagram from the worker whose socket the kernel gave it to, to the worker whose
// connection it belongs to. Rare where the kernel can be steered (connection_ids.h), and what keeps
// migrating clients connected where it cannot. Owned by App; thread-safe.
#pragma once

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "transports/quic/library.h"

namespace transports::quic {

/// A datagram with memory of its own.
struct CarriedDatagram {
  Path path;
  std::uint8_t ecn = 0;
  std::vector<std::uint8_t> octets;
};

class Crossing {
 public:
  /// What a burst may hold; a worker that is held up so long loses datagrams, as its socket would.
  static constexpr std::size_t octets_max = 1 << 20;

  /// An endpoint's end of it; ends with the endpoint, on its worker's thread.
  class Inbox {
   public:
    using Receive = std::function<void(std::vector<CarriedDatagram>)>;
    Inbox(Crossing& crossing, std::uint16_t listener, std::uint8_t worker,
          boost::asio::io_context& io, Receive receive);
    ~Inbox();
    Inbox(const Inbox&) = delete;
    Inbox& operator=(const Inbox&) = delete;

   private:
    friend class Crossing;
    struct State {
      boost::asio::io_context& io;
      Receive receive;  // emptied when the endpoint ends
      std::mutex mutex{};
      std::vector<CarriedDatagram> waiting{};
      std::size_t octets = 0;
    };
    static void deliver(const std::shared_ptr<State>& state);

    Crossing& crossing_;
    std::pair<std::uint16_t, std::uint8_t> key_;
    std::shared_ptr<State> state_;
  };

  /// False when there is no such worker, or it has too much waiting.
  bool hand_over(std::uint16_t listener, std::uint8_t worker, CarriedDatagram datagram);

 private:
  std::mutex mutex_;
  std::map<std::pair<std::uint16_t, std::uint8_t>, std::shared_ptr<Inbox::State>> inboxes_;
};

}  // namespace transports::quic
