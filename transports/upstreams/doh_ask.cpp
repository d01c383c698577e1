// The client's side of the mapping between DNS and HTTP.
#include "transports/upstreams/doh_ask.h"

#include <charconv>
#include <format>
#include <limits>
#include <utility>

#include "base/utf8.h"
#include "dns/message.h"
#include "transports/base64url.h"

namespace transports {

namespace {

constexpr std::string_view dns_message = "application/dns-message";

/// The name that is verified, as in TLS's SNI; the address where there is none.
std::string authority_of(const conf::Upstream& upstream) {
  const conf::ProtocolRow& row = conf::row_of(upstream.protocol);
  std::string host = upstream.host.empty() ? upstream.tls_name : upstream.host;
  if (host.empty()) host = upstream.endpoint.address.to_text();
  if (host.contains(':')) host = std::format("[{}]", host);
  return upstream.endpoint.port == row.port ? host
                                            : std::format("{}:{}", host, upstream.endpoint.port);
}

/// RFC 9110 §8.3.1: parameters do not matter, we know of none.
std::string_view essence(std::string_view media_type) {
  return trimmed(media_type.substr(0, media_type.find(';')));
}

/// RFC 9111 §5.1 and §1.2.2: one that is beyond all measure is the longest; what is no number,
/// none.
std::uint32_t seconds_of_age(std::string_view value) {
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (end != value.data() + value.size()) return 0;
  return error == std::errc::result_out_of_range ? std::numeric_limits<std::uint32_t>::max()
                                                 : seconds;
}

}  // namespace

DohTarget::DohTarget(const conf::Upstream& upstream)
    : authority(authority_of(upstream)), path(upstream.path), method(upstream.method) {}

DohAsk::DohAsk(Waiting& asker, const DohTarget& target) : waiting(&asker), target_(target) {
  asker.sent.id = 0;  // RFC 8484 §4.1: so that caches see the same question as the same request
  dns::OutgoingOptions options;
  options.padding_block = 128;
  std::array<std::uint8_t, Waiting::query_max> query;
  ask(target, base::Bytes{query}.first(asker.compose(options, query)));
}

void DohAsk::ask(const DohTarget& target, base::Bytes query) {
  fields_[fields_size_++] = {"accept", dns_message, true};
  path_ = target.path;
  if (target.method == conf::DohMethod::get) {
    path_ += "?dns=";
    const std::size_t begin = path_.size();
    path_.resize(begin + base64url_size(query.size()));
    to_base64url(query, path_.data() + begin);
    return;
  }
  body_.assign(query.begin(), query.end());
  const auto [end, error] =
      std::to_chars(length_.data(), length_.data() + length_.size(), body_.size());
  fields_[fields_size_++] = {"content-type", dns_message, true};
  fields_[fields_size_++] = {
      "content-length", {length_.data(), static_cast<std::size_t>(end - length_.data())}, false};
}

std::string_view DohAsk::method() const {
  return target_.method == conf::DohMethod::get ? "GET" : "POST";
}

void DohAsk::on_field(std::string_view name, std::string_view value) {
  if (name == ":status") {
    unsigned status = 0;
    std::from_chars(value.data(), value.data() + value.size(), status);
    return on_status(status);
  }
  if (!reply_.empty()) return;  // a trailer
  if (equal_ignoring_case(name, "content-type")) {
    typed_ = equal_ignoring_case(essence(value), dns_message);
    constexpr std::size_t shown_max = 40;
    other_type_.clear();
    if (!typed_) base::append_escaped(other_type_, essence(value), shown_max);
  } else if (equal_ignoring_case(name, "content-encoding")) {
    encoded_ = !equal_ignoring_case(trimmed(value), "identity");
  } else if (equal_ignoring_case(name, "age")) {
    age_ = seconds_of_age(trimmed(value));
  }
}

void DohAsk::on_status(unsigned status) {
  status_ = status;
  typed_ = encoded_ = false;
  age_ = 0;
  other_type_.clear();
}

bool DohAsk::on_content(base::Bytes octets) {
  if (reply_.size() + octets.size() > dns::message_size_max) return false;
  reply_.insert(reply_.end(), octets.begin(), octets.end());
  return true;
}

std::string DohAsk::objection() const {
  if (too_many_fields_) return "an HTTP response with too many header fields";
  if (status_ < 200 || status_ > 299) return std::format("HTTP status {}", status_);
  if (encoded_) return "an encoded HTTP response, which was not asked for";
  if (typed_) return {};
  return other_type_.empty() ? "an HTTP response without a type"
                             : std::format("an HTTP response of type {}", other_type_);
}

void DohAsk::deliver(Link& link) {
  Waiting& asker = *std::exchange(waiting, nullptr);
  link.heard();
  asker.http_status = status_;
  if (status_ != 200) link.terms().metrics.http_status(status_);
  const std::string no = objection();
  if (!no.empty()) return link.refuse(asker, link.fail(Reason::http, no));
  link.take_own_reply(asker, reply_);
  // RFC 8484 §5.1: a cache between us and the upstream has kept it for so long.
  if (asker.judged) dns::age_ttls(asker.judged->answer, age_);
}

}  // namespace transports
