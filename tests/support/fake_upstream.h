// An upstream that records what it is asked and answers as a script says, lies included: UDP and
// TCP on one port, DoT on another, all on loopback and chosen by the kernel. Runs on a thread of
// its own until it is destroyed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "certs/openssl.h"
#include "conf/config.h"
#include "dns/answer.h"
#include "dns/request.h"
#include "tests/support/test_certificates.h"
#include "transports/channel.h"

namespace test_support {

using Octets = std::vector<std::uint8_t>;

/// One query as it came.
struct Received {
  conf::Protocol protocol = conf::Protocol::udp;
  Octets wire;
  dns::Request request;        ///< of `wire`, which a strict parser has accepted
  bool sound = false;          ///< it has
  std::uint16_t port = 0;      ///< the asker's
  std::size_t number = 0;      ///< of all queries, from 0
  std::size_t connection = 0;  ///< from 0; streams only
  std::size_t write =
      0;  ///< how many reads of this connection came before: queries of one write share it
};

/// What to do about it; over streams `octets` are framed unless they are `raw`.
struct Step {
  /// `deaf`: from now on the connection's segments are dropped unseen, as by a NAT that forgot it.
  enum class Kind : std::uint8_t { send, raw, close, reset, deaf };
  Kind kind = Kind::send;
  Octets octets;
  std::chrono::milliseconds after{0};
};

using Script = std::function<std::vector<Step>(const Received&)>;

class FakeUpstream {
 public:
  struct Options {
    bool listen_tcp = true;                      ///< otherwise the port refuses
    bool tls_hangs = false;                      ///< accepts and never shakes hands
    bool old_tls = false;                        ///< TLS 1.1 at most
    const KeyedCertificate* identity = nullptr;  ///< none: no DoT
    const KeyedCertificate* issuer = nullptr;    ///< sent along, when it is there
  };

  explicit FakeUpstream(Script script) : FakeUpstream(std::move(script), Options{}) {}
  FakeUpstream(Script script, const Options& options);
  ~FakeUpstream();
  FakeUpstream(const FakeUpstream&) = delete;
  FakeUpstream& operator=(const FakeUpstream&) = delete;

  /// For conf::Upstream::endpoint.
  [[nodiscard]] base::Endpoint endpoint(conf::Protocol protocol) const;
  [[nodiscard]] std::vector<Received> received() const;
  [[nodiscard]] std::size_t count(conf::Protocol protocol) const;
  /// Stream connections accepted so far, and those of them that are open.
  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] std::size_t connections_open() const;
  [[nodiscard]] std::size_t resumptions() const;
  /// Ends all connections that are open now, and those to come as soon as they are accepted, if so
  /// told.
  void close_connections();

 private:
  struct Connection;
  struct Due;

  void serve();
  void accept(int listener, bool tls);
  void take_datagrams();
  void serve_connection(Connection& connection);
  void take_query(Connection* connection, Octets wire, const base::Endpoint& peer);
  void perform(const Due& due);
  void flush(Connection& connection);
  int next_timeout() const;

  Script script_;
  Options options_;
  std::unique_ptr<transports::ChannelBuffers> receive_buffer_;
  certs::SslContextPtr context_;
  int udp_ = -1;
  int tcp_ = -1;
  int dot_ = -1;
  int wake_[2] = {-1, -1};
  base::Endpoint plain_;
  base::Endpoint encrypted_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Due> due_;
  std::size_t accepted_ = 0;

  mutable std::mutex mutex_;  // for what the test looks at
  std::vector<Received> received_;
  std::size_t connections_seen_ = 0;
  std::size_t connections_open_ = 0;
  std::size_t resumptions_ = 0;
  bool stopping_ = false;
  bool close_all_ = false;
  std::thread thread_;
};

// ---- replies

/// The query's header and question with QR and RA set, one A record (TTL 300) and, if the query had
/// one, an OPT record.
Octets answer_to(const Received& query, std::uint8_t last_octet = 1);
/// Without records but OPT.
Octets empty_answer_to(const Received& query, dns::Rcode rcode);
/// As above without OPT.
Octets bare_answer_to(const Received& query, dns::Rcode rcode);
/// Appends an option to the OPT record that ends the message.
Octets with_option(Octets message, dns::EdnsOption code, base::Bytes value);
Octets with_id(Octets message, std::uint16_t id);
Octets with_flags(Octets message, std::uint16_t set);
/// Another letter in the question's name.
Octets with_other_question(Octets message);
/// The question's name in small letters.
Octets with_small_letters(Octets message);

/// A script that always does so.
Script answering();
std::vector<Step> send(Octets octets,
                       std::chrono::milliseconds after = std::chrono::milliseconds{0});

}  // namespace test_support
