// The session: nghttp3, its callbacks, and the limits that stand above it. An error of nghttp3 ends
// the connection, and nghttp3 is not called again: a malformed request is one as well, as RFC 9114
// §8 allows.
#include "transports/http3/session.h"

#include <openssl/rand.h>

#include <charconv>
#include <utility>

namespace transports::http3 {

namespace {

// Frames and streams of no use (unknown ones, empty ones, the same GOAWAY again), as nghttp3 counts
// them.
constexpr std::uint64_t glitches_at_once = 1000;
constexpr std::uint64_t glitches_each_second = 100;
constexpr std::size_t fields_sent_max = 16;
// What nghttp3 keeps for a connection, with a large field or two on their way; and for each
// request.
constexpr std::size_t memory_least = std::size_t{256} * 1024;
constexpr std::size_t memory_of_request = std::size_t{4} * 1024;

nghttp3_nv to_nv(std::string_view name, std::string_view value) {
  return {base::as_bytes(name).data(), base::as_bytes(value).data(), name.size(), value.size(),
          NGHTTP3_NV_FLAG_NO_COPY_NAME};
}

std::string_view text_of(nghttp3_rcbuf* buffer) {
  const nghttp3_vec octets = nghttp3_rcbuf_get_buf(buffer);
  return base::as_text({octets.base, octets.len});
}

}  // namespace

// ---- memory

void* SessionMemory::allocate(std::size_t size) {
  if (held_ + size > most_) return nullptr;
  void* const block = shared_.allocate(size);
  if (block != nullptr) held_ += LibraryMemory::size_of(block);
  return block;
}

void SessionMemory::release(void* block) {
  if (block != nullptr) held_ -= LibraryMemory::size_of(block);
  shared_.release(block);
}

void* SessionMemory::resize(void* block, std::size_t size) {
  if (block == nullptr) return allocate(size);
  const std::size_t had = LibraryMemory::size_of(block);
  if (size > had && held_ + size - had > most_) return nullptr;
  void* const made = shared_.resize(block, size);
  if (made != nullptr) held_ += LibraryMemory::size_of(made) - had;
  return made;
}

// ---- nghttp3's view of us

struct Session::Thunks {
  static Session& self(void* data) { return *static_cast<Session*>(data); }

  static int begin_fields(nghttp3_conn* library, quic::StreamId id, void* data, void*) {
    Stream* const stream = self(data).find(id);
    nghttp3_conn_set_stream_user_data(library, id, stream);
    if (stream != nullptr) stream->fields_.begin();
    return 0;
  }
  static int field(nghttp3_conn*, quic::StreamId, std::int32_t, nghttp3_rcbuf* name,
                   nghttp3_rcbuf* value, std::uint8_t, void* data, void* stream) {
    if (stream != nullptr)
      self(data).tally(*static_cast<Stream*>(stream), text_of(name), text_of(value), false);
    return self(data).go_on();
  }
  static int trailer(nghttp3_conn*, quic::StreamId, std::int32_t, nghttp3_rcbuf* name,
                     nghttp3_rcbuf* value, std::uint8_t, void* data, void* stream) {
    if (stream != nullptr)
      self(data).tally(*static_cast<Stream*>(stream), text_of(name), text_of(value), true);
    return self(data).go_on();
  }
  static int content(nghttp3_conn*, quic::StreamId, const std::uint8_t* octets, std::size_t size,
                     void* data, void* stream) {
    if (stream == nullptr) {
      self(data).streams_.release(size);
      return 0;
    }
    self(data).on_content(*static_cast<Stream*>(stream), {octets, size});
    self(data).streams_.release(*static_cast<Stream*>(stream), size);
    return self(data).go_on();
  }
  static int whole(nghttp3_conn*, quic::StreamId, void* data, void* stream) {
    if (stream != nullptr) self(data).on_whole(*static_cast<Stream*>(stream));
    return 0;
  }
  static int stop_reading(nghttp3_conn*, quic::StreamId id, std::uint64_t code, void* data, void*) {
    if (quic::Stream* const stream = self(data).streams_.find(id))
      self(data).streams_.stop_reading(*stream, code);
    return 0;
  }
  static int reset_writing(nghttp3_conn*, quic::StreamId id, std::uint64_t code, void* data,
                           void*) {
    if (quic::Stream* const stream = self(data).streams_.find(id))
      self(data).streams_.reset_writing(*stream, code);
    return 0;
  }
  static int goaway(nghttp3_conn*, quic::StreamId id, void* data) {
    if (self(data).role_ == Role::client) {
      self(data).going_away_ = true;
      self(data).on_goaway(id);
    }
    return 0;
  }
  static nghttp3_ssize body(nghttp3_conn*, quic::StreamId, nghttp3_vec* parts, std::size_t,
                            std::uint32_t* flags, void*, void* stream) {
    const base::Bytes body = static_cast<Stream*>(stream)->body_;
    *flags |= NGHTTP3_DATA_FLAG_EOF;
    parts[0] = {const_cast<std::uint8_t*>(body.data()), body.size()};  // nghttp3 reads alone
    return 1;
  }
  static void random(std::uint8_t* out, std::size_t size) {
    RAND_bytes(out, static_cast<int>(size));
  }

  static const nghttp3_callbacks& table() {
    static const nghttp3_callbacks made = [] {
      nghttp3_callbacks all{};
      all.begin_headers = &begin_fields;
      all.recv_header = &field;
      all.recv_trailer = &trailer;
      all.recv_data = &content;
      all.end_stream = &whole;
      all.stop_sending = &stop_reading;
      all.reset_stream = &reset_writing;
      all.shutdown = &goaway;
      all.rand = &random;
      return all;
    }();
    return made;
  }
};

Session::Session(Role role, quic::Streams& streams, LibraryMemory& memory,
                 std::uint32_t requests_at_once)
    : streams_(streams),
      memory_(memory, memory_least + (requests_at_once * memory_of_request)),
      role_(role),
      may_open_(requests_at_once),
      resets_(HttpLimits::resets_at_once, HttpLimits::resets_each_second) {
  nghttp3_settings settings;
  nghttp3_settings_default(&settings);
  settings.max_field_section_size = HttpLimits::fields_size_max;
  // No table that a peer fills (RFC 9204 §3.2.3): nothing is blocked, nothing is kept.
  settings.qpack_max_dtable_capacity = 0;
  settings.qpack_encoder_max_dtable_capacity = 0;
  settings.qpack_blocked_streams = 0;
  settings.glitch_ratelim_burst = glitches_at_once;
  settings.glitch_ratelim_rate = glitches_each_second;
  nghttp3_conn* made = nullptr;
  const int error =
      role == Role::server
          ? nghttp3_conn_server_new(&made, &Thunks::table(), &settings, memory_.functions(), this)
          : nghttp3_conn_client_new(&made, &Thunks::table(), &settings, memory_.functions(), this);
  if (error != 0) {
    fail(error);
    return;
  }
  library_.reset(made);
  if (role == Role::server) nghttp3_conn_set_max_client_streams_bidi(made, may_open_);
}

Session::~Session() = default;

/// RFC 9114 §6.2.1: SETTINGS come first, on a stream of their own.
void Session::opened() {
  if (over_) return;
  if (!streams_.open_unidirectional(control_) || !streams_.open_unidirectional(encoder_) ||
      !streams_.open_unidirectional(decoder_)) {
    return end_over(Abuse::protocol, Code::general_protocol_error);  // §6.2: at least three
  }
  int error = nghttp3_conn_bind_control_stream(library_.get(), control_.id);
  if (error == 0) error = nghttp3_conn_bind_qpack_streams(library_.get(), encoder_.id, decoder_.id);
  if (error != 0) return fail(error);
  streams_.schedule();
}

// ---- in

quic::Stream* Session::accept(quic::StreamId id) {
  if (over_) return nullptr;
  if (is_request(id)) return role_ == Role::server ? on_open() : nullptr;
  for (Unidirectional& stream : peers_) {
    if (stream.id < 0) return &stream;
  }
  return nullptr;
}

void Session::received(quic::Stream& stream, base::Bytes octets, bool fin, bool early) {
  if (over_) return streams_.release(octets.size());
  early_ = early;
  const nghttp3_ssize consumed = nghttp3_conn_read_stream2(
      library_.get(), stream.id, octets.data(), octets.size(), fin ? 1 : 0, quic::stamp_now());
  if (over_) return;  // over what it was told meanwhile
  if (consumed < 0) return fail(consumed);
  streams_.release(stream, static_cast<std::size_t>(consumed));
}

void Session::tally(Stream& stream, std::string_view name, std::string_view value, bool trailer) {
  switch (stream.fields_.add(name, value)) {
    case FieldTally::Verdict::fits:
      if (!trailer) on_field(stream, name, value);
      break;
    case FieldTally::Verdict::too_many: on_too_many_fields(stream); break;
    case FieldTally::Verdict::left_out: break;
    case FieldTally::Verdict::hostile: end_over(Abuse::fields, Code::excessive_load); break;
  }
}

/// What is left of a unidirectional one shows when it closes: the peer may not end those that
/// matter.
void Session::reset_by_peer(quic::Stream& stream, std::uint64_t code) {
  if (over_ || !is_request(stream.id)) return;
  nghttp3_conn_shutdown_stream_read(library_.get(), stream.id);
  if (role_ == Role::server) {
    streams_.reset_writing(stream, number_of(Code::request_cancelled));
    if (!resets_.take(base::Clock::now())) return end_over(Abuse::resets, Code::excessive_load);
  }
  on_reset(request_of(stream), code);
}

/// To a client it says that the rest of its request is not needed, the response may come (RFC 9114
/// §4.1.1).
void Session::stopped_by_peer(quic::Stream& stream) {
  if (over_ || !is_request(stream.id)) return;
  nghttp3_conn_shutdown_stream_write(library_.get(), stream.id);
  if (role_ == Role::client) return;
  streams_.stop_reading(stream, number_of(Code::request_cancelled));
  if (!resets_.take(base::Clock::now())) return end_over(Abuse::resets, Code::excessive_load);
  on_reset(request_of(stream), number_of(Code::request_cancelled));
}

bool Session::closed(quic::Stream& stream) {
  if (!over_) {
    const int error =
        nghttp3_conn_close_stream(library_.get(), stream.id, number_of(Code::no_error));
    if (error != 0 && error != NGHTTP3_ERR_STREAM_NOT_FOUND) fail(error);
  }
  if (is_request(stream.id)) {
    const bool another = on_closed(request_of(stream));
    if (another) count_grant();
    return another;
  }
  stream.id = -1;
  return true;
}

void Session::grant() {
  streams_.grant_stream();
  count_grant();
}

/// Clients tell the priority of requests that they have not opened yet, as browsers do (RFC 9218
/// §7.2), but of none that they may not open.
void Session::count_grant() {
  ++may_open_;
  if (!over_ && role_ == Role::server)
    nghttp3_conn_set_max_client_streams_bidi(library_.get(), may_open_);
}

// ---- out

quic::Stream* Session::stream_of(quic::StreamId id) {
  if (is_request(id)) return find(id);
  for (Unidirectional* stream : {&control_, &encoder_, &decoder_}) {
    if (stream->id == id) return stream;
  }
  return nullptr;
}

quic::Output Session::next_output() {
  while (!over_) {
    quic::Output output;
    std::array<nghttp3_vec, std::tuple_size_v<decltype(output.parts)>> parts;
    quic::StreamId id = -1;
    int fin = 0;
    const nghttp3_ssize count =
        nghttp3_conn_writev_stream(library_.get(), &id, &fin, parts.data(), parts.size());
    if (count < 0) fail(count);
    if (count < 0 || id < 0) break;
    output.stream = stream_of(id);
    if (output.stream == nullptr) {
      nghttp3_conn_shutdown_stream_write(library_.get(), id);
      continue;
    }
    output.count = static_cast<std::size_t>(count);
    output.fin = fin != 0;
    for (std::size_t i = 0; i < output.count; ++i) output.parts[i] = {parts[i].base, parts[i].len};
    return output;
  }
  return {};
}

void Session::sent(quic::Stream& stream, std::size_t octets) {
  if (over_) return;
  if (const int error = nghttp3_conn_add_write_offset(library_.get(), stream.id, octets))
    fail(error);
}

void Session::acknowledged(quic::Stream& stream, std::uint64_t octets) {
  if (over_) return;
  if (const int error = nghttp3_conn_add_ack_offset(library_.get(), stream.id, octets)) fail(error);
}

void Session::blocked(quic::Stream& stream) {
  if (!over_) nghttp3_conn_block_stream(library_.get(), stream.id);
}

void Session::unblocked(quic::Stream& stream) {
  if (!over_ && nghttp3_conn_unblock_stream(library_.get(), stream.id) != 0)
    fail(NGHTTP3_ERR_NOMEM);
}

void Session::unwritable(quic::Stream& stream) {
  if (!over_) nghttp3_conn_shutdown_stream_write(library_.get(), stream.id);
}

bool Session::respond(Stream& stream, std::uint16_t status, std::span<const HttpField> fields,
                      base::Bytes body, bool body_left_out) {
  if (over_) return false;
  std::array<char, 3> digits;
  std::to_chars(digits.data(), digits.data() + digits.size(), status);
  std::array<nghttp3_nv, fields_sent_max> list;
  std::size_t count = 0;
  list[count++] = to_nv(":status", {digits.data(), digits.size()});
  for (const HttpField& field : fields) list[count++] = to_nv(field.name, field.value);
  stream.body_ = body_left_out ? base::Bytes{} : body;
  const nghttp3_data_reader content{&Thunks::body};
  const int error = nghttp3_conn_submit_response(library_.get(), stream.id, list.data(), count,
                                                 stream.body_.empty() ? nullptr : &content);
  if (error != 0) fail(error);
  return error == 0;
}

bool Session::request(Stream& stream, std::span<const HttpField> fields, base::Bytes body) {
  if (over_ || going_away_ || !streams_.open(stream)) return false;
  std::array<nghttp3_nv, fields_sent_max> list;
  std::size_t count = 0;
  for (const HttpField& field : fields) list[count++] = to_nv(field.name, field.value);
  stream.body_ = body;
  const nghttp3_data_reader content{&Thunks::body};
  const int error = nghttp3_conn_submit_request(library_.get(), stream.id, list.data(), count,
                                                body.empty() ? nullptr : &content, &stream);
  if (error != 0) fail(error);
  return error == 0;
}

std::uint64_t Session::room_for_requests() const {
  return over_ || going_away_ ? 0 : streams_.streams_left();
}

void Session::reset(Stream& stream, Code code) {
  if (!over_) {
    nghttp3_conn_shutdown_stream_write(library_.get(), stream.id);
    nghttp3_conn_shutdown_stream_read(library_.get(), stream.id);
  }
  streams_.reset(stream, number_of(code));
}

Stream* Session::find(quic::StreamId id) const {
  return static_cast<Stream*>(streams_.find(id));  // requests alone are asked for
}

// ---- the end

/// RFC 9114 §5.2: requests that have begun go on; later ones were surely not begun with.
void Session::drain() {
  if (over_ || control_.id < 0 || std::exchange(going_away_, true)) return;
  if (const int error = nghttp3_conn_shutdown(library_.get())) return fail(error);
  streams_.schedule();
}

void Session::fail(std::int64_t error) {
  const int number = static_cast<int>(error);
  switch (number) {
    case NGHTTP3_ERR_NOMEM:
    case NGHTTP3_ERR_H3_EXCESSIVE_LOAD:
    case NGHTTP3_ERR_QPACK_HEADER_TOO_LARGE: return end_over(Abuse::load, Code::excessive_load);
    default:
      return end_over(Abuse::protocol,
                      static_cast<Code>(nghttp3_err_infer_quic_app_error_code(number)));
  }
}

void Session::end_over(Abuse abuse, Code code) {
  if (std::exchange(over_, true)) return;
  abuse_ = abuse;
  streams_.close(number_of(code));
  on_abuse();
}

}  // namespace transports::http3
