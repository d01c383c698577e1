// DNS over HTTP/2, spoken by a client's session. RFC 8484, RFC 9113. Owned by its stream session.
#pragma once

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>

#include "transports/http2/exchange.h"
#include "transports/http2/session.h"
#include "transports/http_session.h"

namespace transports::http2 {

class ServerSession final : public HttpSession, private Session::Owner, private Session::Output {
 public:
  explicit ServerSession(Carrier& carrier);
  ~ServerSession() override;

  void take(base::Bytes octets, base::TimePoint now) override;
  [[nodiscard]] bool keeps_records_apart() const override { return true; }
  void go_on(base::TimePoint now) override;
  [[nodiscard]] bool wants_more() const override;
  [[nodiscard]] bool has_work() const override;
  [[nodiscard]] base::TimePoint owed_since() const override;
  [[nodiscard]] std::size_t kept() const override { return kept_; }
  void drain() override { session_.go_away(); }
  void too_slow() override { session_.terminate(Code::enhance_your_calm); }
  [[nodiscard]] bool is_over() const override { return session_.over(); }

 private:
  using List = boost::intrusive::list<Exchange, boost::intrusive::constant_time_size<false>>;

  Stream* on_open() override;
  void on_field(Stream& stream, std::string_view name, std::string_view value) override;
  void on_too_many_fields(Stream& stream) override;
  void on_content(Stream& stream, base::Bytes octets) override;
  void on_whole(Stream& stream) override;
  void on_closed(Stream& stream, std::uint32_t code) override;
  [[nodiscard]] bool has_room() const override { return !carrier_.is_stalled(); }
  void put(base::Bytes octets) override;
  void on_answer(std::uint64_t ticket, Answer answer) override;

  void respond(Exchange& exchange, const HttpResponse& response);
  void keep_unsent(Exchange& exchange);
  void write();
  void recycle(Exchange& exchange);
  static void move(Exchange& exchange, List& list);

  List arriving_;
  List ready_;  // to be answered
  List asked_;
  List late_;                    // answered by somebody else meanwhile
  List answered_;                // to be taken by the client, the one that waits longest first
  Exchange* at_hand_ = nullptr;  // its answer is in the workspace
  std::uint32_t takes_ = 0;
  std::size_t kept_ = 0;  // octets of answers in all exchanges
  base::TimePoint now_{};
  bool wrote_ = false;    // in this call of write_to()
  bool counted_ = false;  // why the session ended
  Session session_;
};

}  // namespace transports::http2
