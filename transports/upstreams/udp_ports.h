// Ports to ask one upstream from: connected UDP sockets, each with a port that the kernel draws at
// random for one burst of queries, and never for another. Only the asked address can be heard on
// them. RFC 5452 §9.2: a forger has to guess the port and the id, and the port is gone with the
// last reply to its burst. Owned by its upstream; one thread.
//
// Under load the datagrams of one turn of the loop leave and arrive many to a system call; a query
// that is alone has a port of its own.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <system_error>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "transports/awaitable.h"
#include "transports/descriptor.h"
#include "transports/turn.h"
#include "transports/upstreams/random.h"

namespace transports {

class UdpPorts {
  struct Port;

 public:
  /// So many queries leave from one port, in one turn of the loop. RFC 5452 §9.2 wants several
  /// ports at once for several outstanding queries.
  static constexpr std::size_t queries_most = 8;
  static constexpr std::size_t query_size_max = 512;
  /// Above what we ask for (1232), for upstreams that do not care; a longer one is cut, and then
  /// not readable.
  static constexpr std::size_t reply_size_max = 4096;

  /// Who expects a reply at a port. Leaves it when it ends.
  class Expecting {
   public:
    Expecting() = default;
    Expecting(const Expecting&) = delete;
    Expecting& operator=(const Expecting&) = delete;

    /// A datagram with this one's id.
    virtual void take_datagram(base::Bytes datagram) = 0;
    /// One with an id that was never used at its port: somebody guesses.
    virtual void take_stray() = 0;
    /// What send(2) or recv(2) said; nothing will come any more. It has left the port.
    virtual void take_error(std::error_code error) = 0;

   protected:
    ~Expecting() = default;

   private:
    friend class UdpPorts;
    Port* port_ = nullptr;
    std::uint8_t slot_ = 0;
  };

  UdpPorts(const base::Endpoint& peer, Executor executor, Random& random);
  ~UdpPorts();
  UdpPorts(const UdpPorts&) = delete;
  UdpPorts& operator=(const UdpPorts&) = delete;

  /// Gives a port to `who`, and an id that nobody can predict and that is not used there. The error
  /// is what socket(2) or connect(2) said.
  std::expected<std::uint16_t, std::error_code> enter(Expecting& who);
  /// Nothing is told to `who` any more.
  void leave(Expecting& who);
  /// Memory for one query; queue() sends its first `size` octets with all others of this turn, from
  /// the port that `who` has.
  base::MutableBytes room() { return out_->queries[queued_]; }
  void queue(Expecting& who, std::size_t size);
  /// The address that `who` speaks from: 4 or 16 octets.
  static base::Bytes local_address(const Expecting& who, std::array<std::uint8_t, 16>& into);

 private:
  struct Port {
    Descriptor socket;
    std::array<Expecting*, queries_most> who{};
    std::array<std::uint16_t, queries_most> ids{};
    std::uint8_t used = 0;  // of ids: never twice
    std::uint8_t live = 0;  // of who
    std::uint8_t busy = 0;  // queries not sent yet, and whoever goes through it
    bool idle = false;      // among those that wait for their next burst, or to leave
    std::error_code error;  // why no other burst leaves from it
  };
  /// Datagrams on their way out of this turn, and those that are being read.
  static constexpr std::size_t batch = 32;
  struct Outgoing {
    std::array<std::array<std::uint8_t, query_size_max>, batch> queries;
    std::array<Port*, batch> ports;
    std::array<iovec, batch> parts;
    std::array<mmsghdr, batch> headers;
  };
  static constexpr std::size_t replies_at_once = 16;
  struct Incoming {
    std::array<std::array<std::uint8_t, reply_size_max>, replies_at_once> replies;
    std::array<iovec, replies_at_once> parts;
    std::array<mmsghdr, replies_at_once> headers;
  };
  /// Sockets that wait for their next burst; beyond this they are closed.
  static constexpr std::size_t idle_most = 32;

  /// What this does before a turn ends.
  class Chore final : public Turn::Task {
   public:
    Chore(UdpPorts& owner, void (UdpPorts::*work)()) : owner_(owner), work_(work) {}

   private:
    void at_end_of_turn() override { (owner_.*work_)(); }

    UdpPorts& owner_;
    void (UdpPorts::*work_)();
  };

  std::expected<Port*, std::error_code> open();
  std::error_code watch();
  std::error_code draw_port(const Port& port) const;
  void release_if_done(Port& port);
  void release_left();
  void close(Port& port);
  void send_queued();
  void send_from(Port& port, std::size_t first, std::size_t count);
  void tell_error(Port& port);
  void wait();
  void read_ready();
  bool read_the_only_one();
  bool read(Port& port);
  void take(Port& port, base::Bytes datagram);

  Executor executor_;
  Random& random_;
  sockaddr_storage peer_{};
  unsigned peer_size_;
  std::vector<std::unique_ptr<Port>> ports_;  // all of them
  std::vector<Port*> idle_;
  std::vector<Port*> left_;  // by their last query; they still have their port
  Port* newest_ = nullptr;   // of those that were opened
  Port* current_ = nullptr;  // of this turn
  boost::asio::posix::basic_stream_descriptor<Executor> ready_;  // an epoll(7) of all sockets
  std::unique_ptr<Outgoing> out_;
  std::unique_ptr<Incoming> in_;
  std::size_t queued_ = 0;
  Turn& turn_;
  Chore sending_{*this, &UdpPorts::send_queued};
  Chore releasing_{*this, &UdpPorts::release_left};
  // What the wait for news knows of this: null once it is gone.
  std::shared_ptr<UdpPorts*> home_;
};

}  // namespace transports
