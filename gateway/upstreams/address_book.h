// Where the hosts of upstreams are: looked up by their own bootstrap resolvers, on a thread of its
// own, kept on disk for the next start. Nobody waits for it who does not need such an upstream;
// what was known stays usable while lookups fail, for a host proves itself by its certificate.
// Owned by App.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/counters.h"
#include "base/log.h"
#include "certs/tls_context.h"
#include "conf/config.h"
#include "gateway/network_watch.h"
#include "gateway/upstreams/address_file.h"
#include "gateway/upstreams/lookup_times.h"
#include "transports/timer_wheel.h"
#include "transports/upstreams/known_host.h"
#include "transports/upstreams/upstreams.h"

namespace gateway::upstreams {

class AddressBook final : public transports::Hosts {
 public:
  /// Keeps its file in the configuration's state directory.
  AddressBook(const conf::Server& server, base::MetricRegistry& metrics, base::Log& log);
  ~AddressBook();
  AddressBook(const AddressBook&) = delete;
  AddressBook& operator=(const AddressBook&) = delete;

  /// As long as somebody has it, the host is looked up again and again. The first one starts the
  /// thread.
  std::shared_ptr<transports::KnownHost> find(const conf::Upstream& upstream) override;

  /// What is known by now about the host of the upstream with that URL.
  [[nodiscard]] Addresses addresses_of(std::string_view url) const;

  /// Nobody is told anything from now on. Who waits on another loop must still have it.
  void stop();

  /// For a member that stands behind those who wait, so that they may end.
  class StopAtEnd {
   public:
    explicit StopAtEnd(AddressBook& book) : book_(book) {}
    ~StopAtEnd() { book_.stop(); }
    StopAtEnd(const StopAtEnd&) = delete;
    StopAtEnd& operator=(const StopAtEnd&) = delete;

   private:
    AddressBook& book_;
  };

 private:
  struct Entry;
  struct Answered;

  void run();
  void load();
  void save();
  void take_remembered(Entry& entry);
  transports::Awaitable<void> tend(std::shared_ptr<Entry> entry);
  transports::Awaitable<void> look_up(Entry& entry);
  void tell_later(Entry& entry, Addresses addresses);
  transports::Awaitable<Answered> ask(Entry& entry, transports::Upstream& resolver,
                                      dns::RrType type);
  void found(Entry& entry, const Answered& v4, const Answered& v6);
  void failed(Entry& entry, const std::string& why);
  void drop_ours(const Entry& entry, Addresses& addresses);
  /// Forgets an entry that nobody has any more.
  bool let_go(const std::shared_ptr<Entry>& entry);
  std::vector<std::shared_ptr<Entry>> entries();
  void network_changed();
  transports::Awaitable<void> end();

  const std::vector<conf::ListenAddress> ours_;
  const bool watch_network_;
  const std::string path_;
  base::Log& log_;
  base::MetricSheet& sheet_;  // registered under the mutex, counted on our thread
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<transports::Executor> work_{context_.get_executor()};

  // What asking needs of a worker; the resolvers are no upstreams, and their counters are not
  // shown.
  base::MetricRegistry unseen_;
  transports::Random random_;
  std::unique_ptr<transports::ChannelBuffers> receive_buffer_;
  certs::Authorities authorities_;
  transports::TimerWheel timers_;
  transports::UpstreamContext asking_;

  NetworkWatch network_;
  transports::UnderWay tending_;        // of entries
  std::vector<AddressRow> remembered_;  // by our thread alone: what the file said of others
  std::string save_complaint_;          // likewise; told once
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Entry>> entries_;  // these two under the mutex
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gateway::upstreams
