// DNS over HTTP/3 with a client: a request on each stream, its response back on it. RFC 8484, RFC
// 9114. Owned by its connection.
#pragma once

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "transports/doh.h"
#include "transports/http3/session.h"
#include "transports/http_refusals.h"
#include "transports/inquirer.h"
#include "transports/quic/connection.h"
#include "transports/timer_wheel.h"
#include "transports/waiting_budget.h"

namespace transports::http3 {

/// One request and its response. Kept in a stock between uses.
struct Exchange final : Stream {
  explicit Exchange(OctetBudget& octets) : request(octets) {}

  DohRequest request;
  std::vector<std::uint8_t> answer;  ///< the response's content, until the client has it
  base::TimePoint since;             ///< it began, or its response was ready
  bool waited_for = false;           ///< its answer is to come
  bool abandoned = false;            ///< by the client: nothing is sent any more
  quic::ListHook of_session;
  quic::ListHook of_patience;
};

/// What a worker's sessions of one listener share: memory for the query at hand, for nghttp3, and
/// exchanges for their next use. Owned by the listener.
struct Workspace {
  Workspace(OctetBudget& octets, base::MetricSheet& sheet);
  std::unique_ptr<Exchange> take();
  void put(std::unique_ptr<Exchange> exchange);

  OctetBudget& octets;
  std::vector<std::uint8_t> reply;
  std::string text;  ///< of an answer or a refusal that is not in wire format
  Query query;
  LibraryMemory memory;
  HttpRefusals refusals;
  std::vector<std::unique_ptr<Exchange>> stock;
};

class ServerSession final : public Session, private Inquirer, private TimerWheel::Entry {
 public:
  ServerSession(quic::Streams& streams, ListenerContext& context, Workspace& work,
                std::uint16_t listener);
  ~ServerSession() override;

  [[nodiscard]] bool idle() const override { return exchanges_.empty() && under_way() == 0; }

 private:
  template <quic::ListHook Exchange::* hook>
  using List =
      boost::intrusive::list<Exchange, boost::intrusive::constant_time_size<false>,
                             boost::intrusive::member_hook<Exchange, quic::ListHook, hook>>;

  static Exchange& of(Stream& stream) { return static_cast<Exchange&>(stream); }

  Stream* on_open() override;
  void on_field(Stream& stream, std::string_view name, std::string_view value) override;
  void on_too_many_fields(Stream& stream) override;
  void on_content(Stream& stream, base::Bytes octets) override;
  void on_whole(Stream& stream) override;
  void on_reset(Stream& stream, std::uint64_t code) override;
  bool on_closed(Stream& stream) override;
  void on_abuse() override;
  void on_late_answer(std::uint64_t ticket, const LateAnswer& answer) override;
  void on_deadline(base::TimePoint now) override;

  void give(Exchange& exchange, base::Bytes wire, const AnswerSummary& summary);
  void give_none(Exchange& exchange, std::uint16_t status);
  void send(Exchange& exchange, const HttpResponse& response);
  void be_patient(Exchange& exchange);

  Workspace& work_;
  const std::uint16_t listener_;
  List<&Exchange::of_session> exchanges_;  // owned
  List<&Exchange::of_patience> patience_;  // that the client holds up, oldest first
  std::size_t unsent_ = 0;                 // octets of responses that the client has not got
  OctetShare share_;                       // for them
};

}  // namespace transports::http3
