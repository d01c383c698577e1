// Channel: OpenSSL over a BIO of our own, so that one recv serves many records and no signal is
// raised.
#include "transports/channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace transports {

namespace {

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

constexpr std::size_t record_size_max = 16384;  // RFC 8446 §5.1

}  // namespace

/// OpenSSL's view of the socket. Thunks only.
struct ChannelBio {
  static Channel& channel(BIO* bio) { return *static_cast<Channel*>(BIO_get_data(bio)); }

  static int write(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
    BIO_clear_retry_flags(bio);
    Channel& self = channel(bio);
    const base::Bytes octets{reinterpret_cast<const std::uint8_t*>(data), size};
    if (self.gathers_ ? self.gather(octets) : self.line_up(octets)) {
      *written = size;
      return 1;
    }
    const ChannelResult result = self.write_clear(octets);
    *written = result.octets;
    if (result.octets != 0) return 1;
    if (result.status == ChannelStatus::want_write) BIO_set_retry_write(bio);
    return 0;
  }

  static int read(BIO* bio, char* out, std::size_t size, std::size_t* taken) {
    BIO_clear_retry_flags(bio);
    Channel& self = channel(bio);
    *taken = 0;
    if (self.received_.empty()) {
      if (self.drained_) {
        BIO_set_retry_read(bio);
        return 0;
      }
      const ChannelResult result = self.read_clear(self.buffer_->octets);
      self.received_ = {self.buffer_->octets.data(), result.octets};
      if (result.octets == 0) {
        if (result.status == ChannelStatus::want_read) BIO_set_retry_read(bio);
        return 0;
      }
    }
    *taken = std::min(size, self.received_.size());
    std::memcpy(out, self.received_.data(), *taken);
    self.received_ = self.received_.subspan(*taken);
    return 1;
  }

  static long control(BIO* bio, int command, long, void*) {
    switch (command) {
      case BIO_CTRL_FLUSH: return 1;
      case BIO_CTRL_EOF: return channel(bio).peer_closed_ && channel(bio).received_.empty() ? 1 : 0;
      default: return 0;
    }
  }

  static const BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* method =
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sallyport channel");
      BIO_meth_set_write_ex(method, &ChannelBio::write);
      BIO_meth_set_read_ex(method, &ChannelBio::read);
      BIO_meth_set_ctrl(method, &ChannelBio::control);
      return method;
    }();
    return made;
  }
};

Channel::Channel(int descriptor, certs::SslPtr tls, ChannelBuffers& buffer)
    : descriptor_(descriptor), buffer_(&buffer), tls_(std::move(tls)) {
  BIO* bio = BIO_new(ChannelBio::method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(tls_.get(), bio, bio);
}

/// OpenSSL makes the session of a connection that ends without close_notify useless for resumption,
/// which TLS does not ask for (RFC 8446 §6.1), and DNS clients close as they like; servers of
/// HTTP/2 reset connections. Only what TLS itself found wrong is a reason.
Channel::~Channel() {
  if (tls_ && (!broken_ || system_error_ != 0))
    SSL_set_shutdown(tls_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

ChannelResult Channel::handshake() {
  if (!tls_) return {};
  if (broken_) return {ChannelStatus::failed};
  drained_ = std::exchange(fed_all_, false);
  ERR_clear_error();
  const ChannelResult result = finish_tls_call(SSL_do_handshake(tls_.get()), 0);
  keep_unread();
  // A peer that leaves in the middle of a handshake has not closed anything in order.
  if (result.status == ChannelStatus::closed) return {ChannelStatus::failed};
  return result;
}

void Channel::feed(base::Bytes octets, bool drained) {
  if (received_.empty()) {
    received_ = octets;
  } else {
    unread_.insert(unread_.end(), octets.begin(), octets.end());
    received_ = unread_;
  }
  fed_all_ = drained;
}

ChannelResult Channel::read(base::MutableBytes out, RecordEnds* ends) {
  if (!tls_) return received_.empty() && !fed_all_ ? read_clear(out) : read_fed(out);
  if (broken_) return {ChannelStatus::failed};
  drained_ = std::exchange(fed_all_, false);
  std::size_t total = 0;
  ChannelResult result{};
  while (total < out.size()) {
    std::size_t taken = 0;
    ERR_clear_error();
    const int outcome = SSL_read_ex(tls_.get(), out.data() + total, out.size() - total, &taken);
    if (outcome == 1) {
      total += taken;
      if (ends != nullptr) ends->add(total);
      continue;
    }
    result = finish_tls_call(outcome, 0);
    break;
  }
  keep_unread();
  return {result.status, total};
}

ChannelResult Channel::write(base::Bytes data, bool more) {
  if (!tls_) return write_clear(data);
  if (!unsent_.empty()) {
    const ChannelResult sent = write_clear(unsent_);
    unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(sent.octets));
    if (sent.status != ChannelStatus::ok) return {sent.status};
    unsent_ = {};
  }
  gathers_ = gathers_ || more;
  const ChannelResult result = write_records(data);
  if (!gathers_ || (more && result.status == ChannelStatus::ok)) return result;
  gathers_ = false;
  const ChannelResult sent = send_gathered();
  return {result.status == ChannelStatus::ok ? sent.status : result.status, result.octets};
}

/// False when it is to be sent by itself, after what is gathered.
bool Channel::gather(base::Bytes record) {
  if (gathered_ + record.size() > buffer_->records.size()) {
    send_gathered();
    if (line_up(record)) return true;
    if (record.size() > buffer_->records.size()) return false;
  }
  std::memcpy(buffer_->records.data() + gathered_, record.data(), record.size());
  gathered_ += record.size();
  return true;
}

/// What OpenSSL writes by itself goes behind what waits. False when nothing does.
bool Channel::line_up(base::Bytes record) {
  if (unsent_.empty()) return false;
  unsent_.insert(unsent_.end(), record.begin(), record.end());
  return true;
}

ChannelResult Channel::send_gathered() {
  const base::Bytes all{buffer_->records.data(), std::exchange(gathered_, 0)};
  std::size_t sent = 0;
  if (unsent_.empty()) {
    const ChannelResult result = write_clear(all);
    if (result.status != ChannelStatus::want_write) return result;
    sent = result.octets;
  }
  unsent_.insert(unsent_.end(), all.begin() + static_cast<std::ptrdiff_t>(sent), all.end());
  return {unsent_.empty() ? ChannelStatus::ok : ChannelStatus::want_write};
}

ChannelResult Channel::write_records(base::Bytes data) {
  if (broken_) return {ChannelStatus::failed};
  std::size_t total = 0;
  while (total < data.size()) {
    std::size_t written = 0;
    ERR_clear_error();
    const std::size_t piece = std::min(data.size() - total, record_size_max);
    const int outcome = SSL_write_ex(tls_.get(), data.data() + total, piece, &written);
    if (outcome != 1) return {finish_tls_call(outcome, 0).status, total};
    total += written;
  }
  return {ChannelStatus::ok, total};
}

ChannelResult Channel::shutdown() {
  if (broken_) return {ChannelStatus::failed};
  if (!unsent_.empty()) return {ChannelStatus::want_write};
  if (!tls_) {
    ::shutdown(descriptor_, SHUT_WR);
    return {};
  }
  ERR_clear_error();
  const int outcome = SSL_shutdown(tls_.get());
  if (outcome >= 0) return {};  // 0: ours is sent, the peer's is not awaited (RFC 8446 §6.1)
  return finish_tls_call(outcome, 0);
}

ChannelResult Channel::finish_tls_call(int outcome, std::size_t octets) {
  if (outcome == 1) return {ChannelStatus::ok, octets};
  const int reason = SSL_get_error(tls_.get(), outcome);
  switch (reason) {
    case SSL_ERROR_WANT_READ: return {ChannelStatus::want_read, octets};
    case SSL_ERROR_WANT_WRITE: return {ChannelStatus::want_write, octets};
    case SSL_ERROR_ZERO_RETURN: return {ChannelStatus::closed, octets};
    default: break;
  }
  broken_ = true;
  tls_error_ = ERR_peek_error();
  ERR_clear_error();
  // An end of file without close_notify. Messages carry their length, so a cut shows itself (RFC
  // 7858 §3.4).
  if (peer_closed_ && system_error_ == 0 &&
      ERR_GET_REASON(tls_error_) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return {ChannelStatus::closed, octets};
  }
  return {ChannelStatus::failed, octets};
}

/// The worker's buffer belongs to the next channel once a call returns, and so does what was fed.
void Channel::keep_unread() {
  if (received_.empty()) {
    if (!unread_.empty()) unread_ = {};
    return;
  }
  unread_ = std::vector<std::uint8_t>(received_.begin(), received_.end());
  received_ = unread_;
}

ChannelResult Channel::read_fed(base::MutableBytes out) {
  const bool drained = std::exchange(fed_all_, false);
  const std::size_t taken = std::min(out.size(), received_.size());
  std::memcpy(out.data(), received_.data(), taken);
  received_ = received_.subspan(taken);
  keep_unread();
  if (taken == out.size()) return {ChannelStatus::ok, taken};
  if (drained) return {ChannelStatus::want_read, taken};
  const ChannelResult more = read_clear(out.subspan(taken));
  return {more.status, taken + more.octets};
}

ChannelResult Channel::read_clear(base::MutableBytes out) {
  for (;;) {
    const ssize_t count = ::recv(descriptor_, out.data(), out.size(), MSG_DONTWAIT);
    if (count > 0) {
      const auto octets = static_cast<std::size_t>(count);
      drained_ = octets < out.size();
      return {drained_ ? ChannelStatus::want_read : ChannelStatus::ok, octets};
    }
    if (count == 0) {
      peer_closed_ = true;
      return {ChannelStatus::closed};
    }
    if (errno == EINTR) continue;
    if (would_block(errno)) return {ChannelStatus::want_read};
    system_error_ = errno;
    broken_ = true;
    return {ChannelStatus::failed};
  }
}

ChannelResult Channel::write_clear(base::Bytes data) {
  std::size_t total = 0;
  while (total < data.size()) {
    const ssize_t count =
        ::send(descriptor_, data.data() + total, data.size() - total, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      total += static_cast<std::size_t>(count);
      continue;
    }
    if (errno == EINTR) continue;
    if (would_block(errno)) return {ChannelStatus::want_write, total};
    system_error_ = errno;
    broken_ = true;
    return {ChannelStatus::failed, total};
  }
  return {ChannelStatus::ok, total};
}

TlsFacts Channel::facts() const { return tls_ ? facts_of(*tls_) : TlsFacts{}; }

TlsFacts facts_of(const SSL& tls) {
  TlsFacts facts;
  facts.version = SSL_get_version(&tls);
  // The name is looked up without a change of the object, whatever the signature says.
  if (const char* group = SSL_get0_group_name(const_cast<SSL*>(&tls))) facts.group = group;
  if (const char* cipher = SSL_get_cipher_name(&tls)) facts.cipher = cipher;
  facts.resumed = SSL_session_reused(&tls) == 1;
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(&tls, &name, &size);
  if (name != nullptr) facts.alpn = base::as_text({name, size});
  return facts;
}

std::string Channel::failure_text() const {
  if (tls_) {
    const long verified = SSL_get_verify_result(tls_.get());
    if (verified != X509_V_OK) {
      return std::string("certificate verify failed: ") + X509_verify_cert_error_string(verified);
    }
  }
  if (system_error_ != 0) return std::generic_category().message(system_error_);
  if (tls_error_ != 0) {
    if (const char* reason = ERR_reason_error_string(tls_error_)) return reason;
  }
  return peer_closed_ ? "closed by the peer" : "TLS failure";
}

}  // namespace transports
