// The client, the keys that its library uses, and packets under them.
#include "tests/support/quic_forger.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace test {

using namespace transports::quic;

namespace {

constexpr std::size_t id_size = 12;
constexpr std::size_t number_size = 4;  // of forged packets
constexpr std::uint8_t long_header = 0x80;
constexpr std::uint8_t fixed_bit = 0x40;
constexpr std::uint8_t key_phase_bit = 0x04;

/// Whose call of the library this is: its cryptographic callbacks do not say.
thread_local QuicForger* calling = nullptr;

ngtcp2_cid new_id() {
  ngtcp2_cid id{};
  id.datalen = id_size;
  RAND_bytes(id.data, id_size);
  return id;
}

void append(Octets& out, base::Bytes octets) {
  out.insert(out.end(), octets.begin(), octets.end());
}

void append_u32(Octets& out, std::uint64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

/// RFC 9000 §16, in eight octets.
void append_number(Octets& out, std::uint64_t value) {
  append_u32(out, 0xC0000000U | (value >> 32));
  append_u32(out, value);
}

}  // namespace

/// Friend of QuicForger: what the library's callbacks see of keys.
struct ForgerHooks {
  using Keys = QuicForger::Keys;

  static void keep(Keys& keys, const ngtcp2_crypto_aead* aead,
                   const ngtcp2_crypto_aead_ctx* sealing, const std::uint8_t* nonce,
                   const std::uint8_t* header, std::size_t header_size) {
    keys.aead = *aead;
    keys.sealing = *sealing;
    std::copy_n(nonce, keys.iv.size(), keys.iv.begin());
    // The first numbers are small, so that what a header has of one is all of it.
    const std::size_t size = (header[0] & 3U) + 1;
    for (std::size_t i = 0; i < size; ++i)
      keys.iv[keys.iv.size() - 1 - i] ^= header[header_size - 1 - i];
  }
  static int encrypt(std::uint8_t* out, const ngtcp2_crypto_aead* aead,
                     const ngtcp2_crypto_aead_ctx* sealing, const std::uint8_t* text,
                     std::size_t text_size, const std::uint8_t* nonce, std::size_t nonce_size,
                     const std::uint8_t* header, std::size_t header_size) {
    constexpr std::uint8_t early = 1;
    const auto type = static_cast<std::uint8_t>((header[0] >> 4) & 3U);
    // Nothing is in what authenticates a Retry.
    if (calling != nullptr && text_size != 0 && nonce_size == Keys{}.iv.size()) {
      calling->masked_ = nullptr;
      if ((header[0] & long_header) == 0) {
        calling->masked_ = &calling->out_[2];
      } else if (type != early) {
        calling->masked_ = &calling->out_[type == 0 ? 0 : 1];
      }
      if (calling->masked_ != nullptr)
        keep(*calling->masked_, aead, sealing, nonce, header, header_size);
    }
    return ngtcp2_crypto_encrypt_cb(out, aead, sealing, text, text_size, nonce, nonce_size, header,
                                    header_size);
  }
  static int decrypt(std::uint8_t* out, const ngtcp2_crypto_aead* aead,
                     const ngtcp2_crypto_aead_ctx* sealing, const std::uint8_t* text,
                     std::size_t text_size, const std::uint8_t* nonce, std::size_t nonce_size,
                     const std::uint8_t* header, std::size_t header_size) {
    const int failed = ngtcp2_crypto_decrypt_cb(out, aead, sealing, text, text_size, nonce,
                                                nonce_size, header, header_size);
    if (failed == 0 && calling != nullptr && !calling->in_.known &&
        (header[0] & long_header) == 0) {
      Keys& keys = calling->in_;
      keep(keys, aead, sealing, nonce, header, header_size);
      keys.cipher = calling->cipher_read_;
      keys.masking = calling->masking_read_;
      keys.known = true;
    }
    return failed;
  }
  static int mask(std::uint8_t* out, const ngtcp2_crypto_cipher* cipher,
                  const ngtcp2_crypto_cipher_ctx* masking, const std::uint8_t* sample) {
    if (calling != nullptr && calling->reading_) {
      calling->cipher_read_ = *cipher;
      calling->masking_read_ = *masking;
    } else if (calling != nullptr && calling->masked_ != nullptr) {
      Keys& keys = *std::exchange(calling->masked_, nullptr);
      keys.cipher = *cipher;
      keys.masking = *masking;
      keys.known = true;
    }
    return ngtcp2_crypto_hp_mask_cb(out, cipher, masking, sample);
  }
  static void forget_sealing(ngtcp2_conn*, ngtcp2_crypto_aead_ctx* sealing, void* user) {
    static_cast<QuicForger*>(user)->sealing_kept_.push_back(*sealing);
  }
  static void forget_masking(ngtcp2_conn*, ngtcp2_crypto_cipher_ctx* masking, void* user) {
    static_cast<QuicForger*>(user)->masking_kept_.push_back(*masking);
  }
  static int new_connection_id(ngtcp2_conn*, ngtcp2_cid* id, ngtcp2_stateless_reset_token* token,
                               std::size_t size, void*) {
    id->datalen = size;
    return RAND_bytes(id->data, static_cast<int>(size)) == 1 &&
                   RAND_bytes(token->data, sizeof token->data) == 1
               ? 0
               : NGTCP2_ERR_CALLBACK_FAILURE;
  }
  static const ngtcp2_callbacks& table() {
    static const ngtcp2_callbacks made = [] {
      ngtcp2_callbacks all{};
      all.client_initial = ngtcp2_crypto_client_initial_cb;
      all.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
      all.recv_retry = ngtcp2_crypto_recv_retry_cb;
      all.encrypt = &encrypt;
      all.decrypt = &decrypt;
      all.hp_mask = &mask;
      all.update_key = ngtcp2_crypto_update_key_cb;
      all.delete_crypto_aead_ctx = &forget_sealing;
      all.delete_crypto_cipher_ctx = &forget_masking;
      all.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
      all.get_path_challenge_data2 = ngtcp2_crypto_get_path_challenge_data2_cb;
      all.get_new_connection_id2 = &new_connection_id;
      all.rand = [](std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx*) {
        RAND_bytes(out, static_cast<int>(size));
      };
      return all;
    }();
    return made;
  }

  /// While it lives, the library's calls are those of `whose`.
  class Call {
   public:
    Call(QuicForger& whose, bool reading) {
      calling = &whose;
      whose.reading_ = reading;
    }
    ~Call() { calling = nullptr; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
  };
};

// ---- the honest client

QuicForger::QuicForger(SSL_CTX& context, std::string_view alpn, const Path& path)
    : tls_(SSL_new(&context)), path_(path), own_(new_id()) {
  constexpr std::uint64_t window = 1 << 20;
  constexpr std::uint64_t streams_of_server = 8;
  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = stamp_now();
  settings.no_pmtud = 1;
  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  params.initial_max_data = window;
  params.initial_max_stream_data_bidi_local = window;
  params.initial_max_stream_data_uni = window;
  params.initial_max_streams_uni = streams_of_server;
  params.max_idle_timeout = 30 * NGTCP2_SECONDS;
  params.active_connection_id_limit = 4;
  self_.user_data = this;
  self_.get_conn = [](ngtcp2_crypto_conn_ref* self) {
    return static_cast<QuicForger*>(self->user_data)->library_;
  };
  const ngtcp2_cid theirs = new_id();
  const ngtcp2_path way = path_.view();
  SSL_set_connect_state(tls_.get());
  const base::Bytes names = base::as_bytes(alpn);
  if (ngtcp2_crypto_ossl_configure_client_session(tls_.get()) != 0 ||
      SSL_set_alpn_protos(tls_.get(), names.data(), static_cast<unsigned>(names.size())) != 0 ||
      ngtcp2_crypto_ossl_ctx_new(&glue_, tls_.get()) != 0 ||
      ngtcp2_conn_client_new(&library_, &theirs, &own_, &way, NGTCP2_PROTO_VER_V1,
                             &ForgerHooks::table(), &settings, &params, nullptr, this) != 0) {
    throw std::runtime_error("no connection for a forger");
  }
  SSL_set_app_data(tls_.get(), &self_);
  ngtcp2_conn_set_tls_native_handle(library_, glue_);
}

QuicForger::~QuicForger() {
  SSL_set_app_data(tls_.get(), nullptr);
  ngtcp2_conn_del(library_);
  tls_.reset();
  ngtcp2_crypto_ossl_ctx_del(glue_);
  for (ngtcp2_crypto_aead_ctx& each : sealing_kept_) ngtcp2_crypto_aead_ctx_free(&each);
  for (ngtcp2_crypto_cipher_ctx& each : masking_kept_)
    ngtcp2_crypto_delete_crypto_cipher_ctx_cb(nullptr, &each, nullptr);
}

void QuicForger::read(base::Bytes datagram) {
  if (broken_) return;
  const ForgerHooks::Call call(*this, true);
  const ngtcp2_path way = path_.view();
  const ngtcp2_pkt_info info{};
  broken_ = ngtcp2_conn_read_pkt(library_, &way, &info, datagram.data(), datagram.size(),
                                 stamp_now()) != 0;
}

std::vector<Octets> QuicForger::write() {
  std::vector<Octets> out;
  if (broken_) return out;
  const ForgerHooks::Call call(*this, false);
  if (ngtcp2_conn_get_expiry(library_) <= stamp_now())
    broken_ = ngtcp2_conn_handle_expiry(library_, stamp_now()) != 0;
  while (!broken_) {
    std::array<std::uint8_t, datagram_size> room;
    const ngtcp2_ssize size =
        ngtcp2_conn_write_pkt(library_, nullptr, nullptr, room.data(), room.size(), stamp_now());
    broken_ = size < 0;
    if (size <= 0) break;
    out.emplace_back(room.begin(), room.begin() + size);
  }
  return out;
}

// ---- the forger

ngtcp2_cid QuicForger::destination() const { return *ngtcp2_conn_get_dcid(library_); }

std::array<std::uint8_t, 12> QuicForger::nonce_of(const Keys& keys, std::uint64_t number) {
  std::array<std::uint8_t, 12> nonce = keys.iv;
  for (std::size_t i = 0; i < sizeof number; ++i)
    nonce[nonce.size() - 1 - i] ^= static_cast<std::uint8_t>(number >> (8 * i));
  return nonce;
}

/// RFC 9001 §5.3-5.4.
Octets QuicForger::seal(Level level, base::Bytes frames, How how) {
  const Keys& keys = out_[index(level)];
  std::uint64_t& next = numbers_[index(level)];
  if (!how.repeat_number) ++next;
  const ngtcp2_cid to = destination();
  const bool is_long = level != Level::application;
  Octets out;
  if (is_long) {
    constexpr std::uint8_t handshake = 0x20;
    out.push_back(static_cast<std::uint8_t>(long_header | fixed_bit | (number_size - 1) |
                                            (level == Level::handshake ? handshake : 0)));
    append_u32(out, NGTCP2_PROTO_VER_V1);
    for (const ngtcp2_cid& id : {to, own_}) {
      out.push_back(static_cast<std::uint8_t>(id.datalen));
      append(out, octets_of(id));
    }
    if (level == Level::initial) out.push_back(0);  // no token
    append_number(out, number_size + frames.size() + keys.aead.max_overhead);
  } else {
    out.push_back(static_cast<std::uint8_t>(fixed_bit | (how.key_phase ? key_phase_bit : 0) |
                                            (number_size - 1)));
    append(out, octets_of(to));
  }
  append_u32(out, next);
  const std::size_t header_size = out.size();
  const Octets header = out;
  const auto nonce = nonce_of(keys, next);
  out.resize(header_size + frames.size() + keys.aead.max_overhead);
  std::array<std::uint8_t, NGTCP2_HP_SAMPLELEN> mask{};
  if (ngtcp2_crypto_encrypt(out.data() + header_size, &keys.aead, &keys.sealing, frames.data(),
                            frames.size(), nonce.data(), nonce.size(), header.data(),
                            header.size()) != 0 ||
      ngtcp2_crypto_hp_mask(mask.data(), &keys.cipher, &keys.masking, out.data() + header_size) !=
          0) {
    throw std::runtime_error("a packet that cannot be sealed");
  }
  out[0] ^= mask[0] & (is_long ? 0x0FU : 0x1FU);
  for (std::size_t i = 0; i < number_size; ++i) out[header_size - number_size + i] ^= mask[i + 1];
  return out;
}

std::optional<Octets> QuicForger::open(base::Bytes datagram) {
  const std::size_t number_at = 1 + own_.datalen;
  const std::size_t sample_at = number_at + 4;
  if (!in_.known || datagram.size() < sample_at + NGTCP2_HP_SAMPLELEN ||
      (datagram[0] & long_header) != 0) {
    return std::nullopt;
  }
  Octets packet(datagram.begin(), datagram.end());
  std::array<std::uint8_t, NGTCP2_HP_SAMPLELEN> mask{};
  if (ngtcp2_crypto_hp_mask(mask.data(), &in_.cipher, &in_.masking, packet.data() + sample_at) != 0)
    return std::nullopt;
  packet[0] ^= mask[0] & 0x1FU;
  const std::size_t size = (packet[0] & 3U) + 1;
  std::uint64_t truncated = 0;
  for (std::size_t i = 0; i < size; ++i)
    truncated = truncated << 8 | (packet[number_at + i] ^= mask[i + 1]);
  const std::uint64_t number = whole_number(truncated, size);
  const std::size_t header_size = number_at + size;
  const auto nonce = nonce_of(in_, number);
  const std::size_t sealed = packet.size() - header_size;
  if (sealed < in_.aead.max_overhead) return std::nullopt;
  Octets text(sealed);
  if (ngtcp2_crypto_decrypt(text.data(), &in_.aead, &in_.sealing, packet.data() + header_size,
                            sealed, nonce.data(), nonce.size(), packet.data(), header_size) != 0) {
    return std::nullopt;
  }
  text.resize(sealed - in_.aead.max_overhead);
  const auto place = std::ranges::lower_bound(opened_, number);
  if (place == opened_.end() || *place != number) opened_.insert(place, number);
  return text;
}

/// RFC 9000 §A.3.
std::uint64_t QuicForger::whole_number(std::uint64_t truncated, std::size_t octets) const {
  const std::uint64_t expected = opened_.empty() ? 0 : opened_.back() + 1;
  const std::uint64_t window = std::uint64_t{1} << (8 * octets);
  const std::uint64_t found = (expected & ~(window - 1)) | truncated;
  if (found + window / 2 <= expected) return found + window;
  if (found > expected + window / 2 && found >= window) return found - window;
  return found;
}

/// RFC 9000 §19.3: from the largest downwards, each range by the gap before it and its length.
Octets QuicForger::acknowledgement() const {
  constexpr std::uint8_t ack = 2;
  constexpr std::size_t ranges_max = 32;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;  // largest, smallest
  for (auto number = opened_.rbegin(); number != opened_.rend(); ++number) {
    if (!ranges.empty() && ranges.back().second == *number + 1) {
      ranges.back().second = *number;
    } else if (ranges.size() < ranges_max) {
      ranges.emplace_back(*number, *number);
    } else {
      break;
    }
  }
  Octets out;
  if (ranges.empty()) return out;
  out.push_back(ack);
  append_number(out, ranges.front().first);
  append_number(out, 0);  // without delay
  append_number(out, ranges.size() - 1);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (i != 0) append_number(out, ranges[i - 1].second - ranges[i].first - 2);
    append_number(out, ranges[i].first - ranges[i].second);
  }
  return out;
}

}  // namespace test
