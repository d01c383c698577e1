// The UDP listener: batches of datagrams behind one readiness wait, hits answered in place. RFC
// 1035 §4.2.1, RFC 9715. Owned by a worker.
#pragma once

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "transports/descriptor.h"
#include "transports/inquirer.h"
#include "transports/listener.h"
#include "transports/listeners/listeners.h"
#include "transports/listeners/udp_batch.h"
#include "transports/query.h"
#include "transports/spares.h"
#include "transports/turn.h"

namespace transports {

class UdpListener final : public Listener, private Inquirer, private Turn::Task {
 public:
  UdpListener(const conf::ListenAddress& address, std::uint16_t index, ListenerContext& context);

  void start() override;
  Awaitable<void> stop(base::TimePoint drain_until) override;
  [[nodiscard]] base::Endpoint local_endpoint() const override { return local_endpoint_; }

 private:
  using Socket = boost::asio::basic_datagram_socket<boost::asio::ip::udp, Executor>;
  using Timer = boost::asio::basic_waitable_timer<base::Clock,
                                                  boost::asio::wait_traits<base::Clock>, Executor>;

  /// Of a query that has to wait: where its answer goes, and then the answer, on its way out.
  struct Waiting : Spare {
    ReturnPath path;
    std::vector<std::uint8_t> wire;
    dns::Request request;  // of a long answer, which may turn out too long for the link
  };

  void wait();
  void serve_waiting(int descriptor);
  void read(std::size_t slot, base::TimePoint now);
  void serve(std::size_t slot);
  std::optional<base::Bytes> message_of(std::size_t slot, base::Endpoint& client);
  void send_batch();
  bool wait_for_answer(std::size_t slot, Reply& reply);
  void on_late_answer(std::uint64_t ticket, const LateAnswer& answer) override;
  void at_end_of_turn() override { send_late_answers(); }
  void send_late_answers();
  void check_drained();

  std::uint16_t index_;
  Socket socket_;
  base::Endpoint local_endpoint_;
  Descriptor answering_;
  Spares<Waiting, 256> waiting_queries_;
  std::vector<Waiting*> late_;  // answered, and not sent yet
  bool waiting_ = false;
  bool stopping_ = false;
  Timer drained_;
  Turn& turn_;
};

}  // namespace transports
