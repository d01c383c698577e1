// A server's QUIC endpoint: one UDP socket and all connections of its worker that came by it.
// Routes datagrams by connection id, accepts new connections, lets everything leave at the end of a
// wake-up. RFC 9000 §5.2, §8.1, §10.3; RFC 9308. Owned by a listener.
#pragma once

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "certs/tls_context.h"
#include "transports/handshake_counters.h"
#include "transports/listeners/listeners.h"
#include "transports/quic/connection.h"
#include "transports/quic/stateless.h"
#include "transports/quic/workspace.h"
#include "transports/session_registry.h"
#include "transports/turn.h"

namespace transports::quic {

/// What an endpoint is for; its listener.
class Service {
 public:
  [[nodiscard]] virtual const certs::Alpn& alpn() const = 0;
  [[nodiscard]] virtual StreamLimits limits() const = 0;
  virtual std::unique_ptr<Codec> make_codec(Connection& connection) = 0;

 protected:
  ~Service() = default;
};

class Endpoint final : private Connection::Host, private Turn::Task {
 public:
  /// Binds the socket; throws std::runtime_error with a sentence.
  Endpoint(const conf::ListenAddress& address, std::uint16_t listener_index,
           ListenerContext& context, Service& service);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  void start() { wait(); }
  Awaitable<void> stop(base::TimePoint drain_until);
  [[nodiscard]] base::Endpoint local_endpoint() const { return local_endpoint_; }

 private:
  using Socket = boost::asio::basic_datagram_socket<boost::asio::ip::udp, Executor>;
  using Timer = boost::asio::basic_waitable_timer<base::Clock,
                                                  boost::asio::wait_traits<base::Clock>, Executor>;

  /// A connection with its place among all sessions.
  struct Session {
    std::unique_ptr<Connection> connection;
    std::optional<SessionPlace> place;  // given back when it closes
  };
  /// Ids of ours are random: any eight of their octets are a good hash.
  using Id = std::array<std::uint8_t, ConnectionIds::size>;
  struct IdHash {
    using is_avalanching = void;
    std::size_t operator()(const Id& id) const {
      std::size_t hash = 0;
      std::memcpy(&hash, id.data() + id.size() - sizeof hash, sizeof hash);
      return hash;
    }
  };
  struct ByExpiry {
    bool operator()(const Connection& one, const Connection& other) const {
      return one.expiry() < other.expiry();
    }
  };
  template <ListHook Connection::* hook>
  using List = boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>,
                                      boost::intrusive::member_hook<Connection, ListHook, hook>>;
  using Expiries = boost::intrusive::multiset<
      Connection, boost::intrusive::constant_time_size<false>, boost::intrusive::compare<ByExpiry>,
      boost::intrusive::member_hook<Connection, SetHook, &Connection::of_expiry>>;

  void wait();
  void on_readable();
  void take(const Datagram& datagram);
  void take_carried(const std::vector<CarriedDatagram>& burst);
  void route(const Datagram& datagram, bool carried);
  bool hand_over(const Datagram& datagram, base::Bytes id);
  void accept(const Datagram& datagram);
  std::optional<SessionPlace> admit(const base::Address& client);
  void add(const Datagram& datagram, const Connection::Arrival& arrival, SessionPlace place);
  void read(Connection& connection, const Datagram& datagram);
  [[nodiscard]] Connection* find(base::Bytes id, bool long_header);
  void at_end_of_turn() override { let_leave(); }
  void let_leave();
  void settle(Connection& connection);
  void destroy(Connection& connection);
  void set_timer();
  void on_timer();
  bool evict_one();

  std::unique_ptr<Codec> make_codec(Connection& connection) override;
  bool issue_id(Connection& connection, ngtcp2_cid& id, std::uint8_t* reset_token) override;
  void retire_id(Connection& connection, const ngtcp2_cid& id) override;
  void opened(Connection& connection) override;
  void closed(Connection& connection, End end) override;
  void wants_turn(Connection& connection) override;
  void migrated(Connection& connection) override;
  void early_data(Connection& connection, EarlyData result) override;

  ListenerContext& context_;
  Workspace& work_;
  Service& service_;
  const conf::Protocol protocol_;
  const std::uint16_t index_;
  base::Counter& accepted_;
  HandshakeCounters handshakes_;
  Socket socket_;
  base::Endpoint local_endpoint_;
  StatelessAnswers stateless_;
  boost::unordered_flat_map<Id, Connection*, IdHash> by_id_;
  std::map<std::vector<std::uint8_t>, Connection*> by_first_id_;  // those that clients chose
  boost::unordered_flat_map<Connection*, Session> sessions_;      // owned
  List<&Connection::of_due> due_;
  List<&Connection::of_idle> open_;    // by their last work
  List<&Connection::of_host> closed_;  // oldest first
  Expiries expiries_;
  std::size_t half_open_ = 0;
  std::size_t live_ = 0;  // not closed
  std::size_t closed_count_ = 0;
  Timer timer_;
  base::TimePoint timer_set_to_{};  // epoch: not set
  bool stopping_ = false;
  Timer drained_;
  Turn& turn_;
  std::shared_ptr<Endpoint*> home_;  // what a wait knows: null once this is gone
  Crossing::Inbox inbox_;            // last: nothing comes in before all is there
};

}  // namespace transports::quic
