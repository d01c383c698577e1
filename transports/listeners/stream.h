// The listener of TCP and DoT: takes connections and hosts their sessions. RFC 7766 §6.2.2, RFC
// 7858 §3.1, RFC 9210 §4.2. Owned by a worker.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <expected>

#include "transports/listener.h"
#include "transports/listeners/introduction.h"
#include "transports/listeners/listeners.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"

namespace transports {

class StreamListener final : public Listener,
                             private StreamSession::Host,
                             private Introduction::Host,
                             private TimerWheel::Entry {
 public:
  StreamListener(const conf::ListenAddress& address, std::uint16_t listener_index,
                 ListenerContext& listener_context);
  ~StreamListener() override;

  void start() override;
  Awaitable<void> stop(base::TimePoint drain_until) override;
  [[nodiscard]] base::Endpoint local_endpoint() const override { return local_endpoint_; }

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor>;
  using Timer = boost::asio::basic_waitable_timer<base::Clock,
                                                  boost::asio::wait_traits<base::Clock>, Executor>;

  void wait();
  bool accept_some();
  void take(int descriptor, const base::Endpoint& client, base::TimePoint now);
  using Admitted = std::expected<SessionPlace, SessionRegistry::Refusal>;
  [[nodiscard]] std::uint32_t most_of(const base::Address& client) const;
  Admitted admit(const base::Address& client, std::uint32_t most_of_client);
  bool admitted(const Admitted& place);
  void begin(int descriptor, const base::Endpoint& client, SessionPlace place, base::TimePoint now);
  void on_introduced(Introduction& introduction, base::TimePoint now) override;
  void on_deadline(base::TimePoint now) override;
  void on_end(StreamSession& session) override;
  void tell_if_drained();
  [[nodiscard]] bool drained() const {
    return !waiting_ && sessions_.empty() && introductions_.empty();
  }

  base::Counter& accepted_;
  Acceptor acceptor_;
  base::Endpoint local_endpoint_;
  StreamWorkspace::List<&StreamSession::of_host> sessions_;  // owned
  boost::intrusive::list<
      Introduction, boost::intrusive::constant_time_size<false>,
      boost::intrusive::member_hook<Introduction, Introduction::Hook, &Introduction::of_host>>
      introductions_;  // owned
  bool waiting_ = false;
  bool stopping_ = false;
  Timer drained_;
};

}  // namespace transports
