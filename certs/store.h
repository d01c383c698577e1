// The identities that this server has: the operator's by SNI, or one of its own making; watched,
// checked and swapped while connections live. RFC 6066 §3, RFC 8310. Owned by App; thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <ctime>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "certs/identity.h"
#include "certs/internal_ca.h"
#include "certs/openssl.h"
#include "certs/ticket_keys.h"
#include "certs/tls_context.h"
#include "conf/config.h"

namespace certs {

class Store {
 public:
  using Wall = std::function<std::time_t()>;  ///< seconds since the epoch

  /// Loads `config.certificates`; without any, makes or loads the internal authority and a leaf for
  /// the server's name and addresses, in the state directory. Every complaint at once, a sentence
  /// each.
  static std::expected<std::unique_ptr<Store>, std::vector<std::string>> open(
      const conf::Config& config, base::Log& log, Wall wall = &wall_clock);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// A server's side of one connection; `alpn` as for make_server_session(). Null when memory is
  /// short.
  [[nodiscard]] SslPtr make_session(const Alpn& alpn) const;

  /// For a reload: the new configuration's identities, or every complaint and the old ones kept.
  std::expected<void, std::vector<std::string>> replace(const conf::Config& config);

  /// Looks whether files have changed (inode, size, time), and takes what is good: a pair that is
  /// not is logged with the reason, and the old one serves on. Renews the internal leaf before its
  /// end.
  void look_again();
  /// Does that from a thread of its own, until this ends.
  void watch(std::chrono::milliseconds interval = std::chrono::seconds(5));

  struct Facts {
    std::string name;
    std::time_t not_after = 0;
    std::string fingerprint;
    bool internal = false;
  };
  /// For metrics and people.
  [[nodiscard]] std::vector<Facts> facts() const;
  /// The internal authority's certificate, which clients may trust; empty without one.
  [[nodiscard]] std::string authority_file() const;

 private:
  /// What is known of a file without reading it.
  struct FileMark {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    std::int64_t changed_ns = 0;
    bool operator==(const FileMark&) const = default;
  };
  struct PairMark {
    FileMark chain;
    FileMark key;
    bool operator==(const PairMark&) const = default;
  };
  struct Pair {
    conf::Certificate files;
    PairMark mark;
    std::shared_ptr<const Identity> identity;
  };
  /// All that is served at one time; built aside, then put in place as a whole.
  struct Served {
    conf::Tls tls;
    std::string state_directory;
    std::vector<Pair> pairs;
    std::shared_ptr<const InternalLeaf> internal;  ///< null when there are pairs
    std::shared_ptr<SSL_CTX> context;              ///< null when nothing is encrypted
  };

  Store(std::chrono::seconds ticket_rotation, base::Log& log, Wall wall);
  static std::time_t wall_clock();
  static PairMark mark_of(const conf::Certificate& files);

  std::expected<Served, std::vector<std::string>> build(const conf::Config& config) const;
  std::expected<void, std::string> make_contexts(Served& served) const;
  bool look_at_pairs(Served& next);
  bool look_at_internal(Served& next) const;
  void put_in_place(Served next);
  [[nodiscard]] std::shared_ptr<const Served> served() const;

  base::Log& log_;
  Wall wall_;
  std::shared_ptr<const TicketKeys> tickets_;  // outlives reloads: clients resume across them
  mutable std::mutex served_mutex_;            // for the pointer alone; held for a copy of it
  std::shared_ptr<const Served> served_;
  std::mutex change_mutex_;                  // one change at a time
  std::map<std::string, PairMark> refused_;  // said once, not at every look
  std::mutex watch_mutex_;
  std::condition_variable watch_ends_;
  bool watch_ending_ = false;
  std::thread watcher_;
};

}  // namespace certs
