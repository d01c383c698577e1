// The UDP listener: batches of datagrams behind one readiness wait, hits answered in place. RFC
// 1035 §4.2.1, RFC 9715. Owned by a worker.
#pragma once

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "transports/descriptor.h"
#include "transports/listener.h"
#include "transports/listeners/listeners.h"
#include "transports/listeners/udp_batch.h"
#include "transports/query.h"

namespace transports {

class UdpListener final : public Listener {
 public:
  UdpListener(const conf::ListenAddress& address, std::uint16_t index, ListenerContext& context);
  ~UdpListener() override;

  void start() override;
  Awaitable<void> stop(base::TimePoint drain_until) override;
  [[nodiscard]] base::Endpoint local_endpoint() const override { return local_endpoint_; }

 private:
  using Socket = boost::asio::basic_datagram_socket<boost::asio::ip::udp, Executor>;
  using Timer = boost::asio::basic_waitable_timer<base::Clock,
                                                  boost::asio::wait_traits<base::Clock>, Executor>;

  /// An answer that was waited for, on its way out.
  struct LateAnswer {
    Answer answer;
    ReturnPath path;
    dns::Request request;  // for an answer that turns out too long for the link
  };

  void wait();
  void serve_waiting(int descriptor);
  void read(std::size_t slot, base::TimePoint now);
  void serve(std::size_t slot);
  std::optional<base::Bytes> message_of(std::size_t slot, base::Endpoint& client);
  void send_batch();
  static Awaitable<void> answer_later(std::shared_ptr<UdpListener*> home, Answerer& answerer,
                                      WaitingPlace place, Query query, ReturnPath path);
  void send_later(LateAnswer late);
  void send_late_answers();
  void check_drained();

  ListenerContext& context_;
  std::uint16_t index_;
  Socket socket_;
  base::Endpoint local_endpoint_;
  Descriptor answering_;
  std::vector<LateAnswer> late_;
  std::size_t under_way_ = 0;
  bool waiting_ = false;
  bool sending_ = false;
  bool stopping_ = false;
  Timer drained_;
  // What an answer under way knows of its listener: null once that is gone.
  std::shared_ptr<UdpListener*> home_;
};

}  // namespace transports
