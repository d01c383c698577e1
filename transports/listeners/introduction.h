// A balancer's connection whose PROXY header has not come yet: nothing of what follows the header
// is read here, so that the session, TLS or not, begins as if its client had connected itself.
// Owned by its host, a listener.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list.hpp>

#include "transports/listeners/listeners.h"
#include "transports/proxy_header.h"
#include "transports/session_registry.h"
#include "transports/timer_wheel.h"

namespace transports {

class Introduction final : private TimerWheel::Entry {
 public:
  class Host {
   public:
    /// The header has come, or it never will and the connection is closed; to be destroyed here.
    virtual void on_introduced(Introduction& introduction, base::TimePoint now) = 0;

   protected:
    ~Host() = default;
  };

  /// Takes the connected, non-blocking `descriptor`.
  Introduction(Host& host, ListenerContext& context, int descriptor, const base::Endpoint& balancer,
               SessionPlace place);

  void start(base::TimePoint now);
  /// Ends now; on_introduced() follows, perhaps at once.
  void end();

  /// In on_introduced(): whose connection it is, or nothing when it is closed.
  [[nodiscard]] std::optional<base::Endpoint> client() const;
  /// The descriptor is the caller's from now on.
  int release() { return socket_.release(); }

  using Hook = boost::intrusive::list_member_hook<
      boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  Hook of_host;

 private:
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;

  void wait();
  void on_readable();
  void refuse();
  void on_deadline(base::TimePoint now) override;

  Host& host_;
  ListenerContext& context_;
  SessionPlace place_;
  Socket socket_;
  base::Endpoint balancer_;
  ProxyHeader header_;
  bool begun_ = false;  // an octet has come
  bool ended_ = false;
};

}  // namespace transports
