// DNS over HTTP/1.1, spoken by a client's session: requests one after the other, answered in their
// order. RFC 8484, RFC 9112. Owned by its stream session.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "transports/http1/request_parser.h"
#include "transports/http_session.h"
#include "transports/kept_octets.h"

namespace transports::http1 {

class ServerSession final : public HttpSession {
 public:
  explicit ServerSession(Carrier& carrier);

  void take(base::Bytes octets, base::TimePoint now) override;
  void go_on(base::TimePoint now) override;
  [[nodiscard]] bool wants_more() const override { return !asked_ && !over_; }
  [[nodiscard]] bool has_work() const override { return asked_; }
  [[nodiscard]] base::TimePoint owed_since() const override;
  /// What a stalled socket does not take is kept by the session.
  [[nodiscard]] std::size_t kept() const override { return exchange_.answer.size(); }
  void drain() override { draining_ = true; }
  void too_slow() override;
  [[nodiscard]] bool is_over() const override { return over_; }

 private:
  std::size_t take_requests(base::Bytes octets, base::TimePoint now);
  bool take_request(base::Bytes octets, std::size_t& taken, base::TimePoint now);
  void answer_whole(base::TimePoint now);
  void permit_content();
  void on_answer(std::uint64_t ticket, Answer answer) override;
  void respond(const HttpResponse& response);
  void count_failure(std::uint16_t status) const;
  void refuse(std::uint16_t status);
  void put(base::Bytes octets);

  HttpExchange exchange_;
  std::optional<RequestParser> parser_;  // while a request arrives
  KeptOctets unread_;                    // what the parser needs more of
  base::TimePoint begun_at_{};           // that request
  bool old_ = false;                     // the request under way is HTTP/1.0
  bool keeps_open_ = false;              // another may follow it
  bool asked_ = false;                   // it waits for its answer
  bool late_ = false;                    // which has come
  bool draining_ = false;
  bool over_ = false;
};

}  // namespace transports::http1
