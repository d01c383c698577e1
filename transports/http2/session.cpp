// The session: nghttp2, its callbacks, and the limits that stand above it.
#include "transports/http2/session.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace transports::http2 {

namespace {

// PING, SETTINGS, empty DATA, PRIORITY, WINDOW_UPDATE, CONTINUATION and unknown frames
// (CVE-2019-9512 to 9518). A request makes up for what comes with it: WINDOW_UPDATE for each
// answer, PING to measure.
constexpr std::uint32_t frames_at_once = 1000;
constexpr std::uint32_t frames_each_second = 100;
constexpr std::uint32_t frames_of_request = 4;
constexpr std::size_t settings_entries_max = 32;
constexpr std::size_t acknowledgements_waiting_max = 100;
/// Requests that leave before the server has said how many it takes at once (RFC 9113 §5.1.2 lets
/// it refuse them, and some end the connection over it).
constexpr std::uint32_t streams_before_settings = 10;
constexpr std::size_t fields_sent_max = 16;
/// Of lasting fields there is a handful (RFC 7541 §4.2): a larger table would cost memory alone.
constexpr std::size_t fields_table_size = 1024;

std::uint8_t* octets_of(std::string_view text) {
  return const_cast<std::uint8_t*>(base::as_bytes(text).data());  // nghttp2 reads alone
}

/// Names are literals.
nghttp2_nv to_nv(const HttpField& field) {
  unsigned flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
  // What does not last changes with each message and would only push others out of the table.
  flags |= field.lasting ? NGHTTP2_NV_FLAG_NO_COPY_VALUE : NGHTTP2_NV_FLAG_NO_INDEX;
  return {octets_of(field.name), octets_of(field.value), field.name.size(), field.value.size(),
          static_cast<std::uint8_t>(flags)};
}

}  // namespace

/// nghttp2's view of us.
struct Session::Thunks {
  static Session& self(void* data) { return *static_cast<Session*>(data); }

  static int begin_fields(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    return self(data).on_begin_fields(*frame);
  }
  static int field(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                   std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                   std::uint8_t, void* data) {
    return self(data).on_field(*frame, base::as_text({name, name_size}),
                               base::as_text({value, value_size}));
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    return self(data).on_frame(*frame);
  }
  static int content(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* octets,
                     std::size_t size, void* data) {
    if (Stream* const stream = self(data).stream_of(id))
      self(data).owner_.on_content(*stream, {octets, size});
    return 0;
  }
  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    self(data).on_frame_sent(*frame);
    return 0;
  }
  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* data) {
    return self(data).on_closed(id, code);
  }
  static int send_content(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head,
                          std::size_t size, nghttp2_data_source* source, void* data) {
    return self(data).send_content(*frame, head, size, *static_cast<Stream*>(source->ptr));
  }
  /// How much of a body the next frame has; it is written by send_content().
  static nghttp2_ssize read_content(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t most,
                                    std::uint32_t* flags, nghttp2_data_source* source, void*) {
    const std::size_t left = static_cast<Stream*>(source->ptr)->unsent_.size();
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (left <= most) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<nghttp2_ssize>(std::min(left, most));
  }

  static const nghttp2_session_callbacks* table() {
    static nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* table = nullptr;
      nghttp2_session_callbacks_new(&table);
      nghttp2_session_callbacks_set_on_begin_headers_callback(table, &begin_fields);
      nghttp2_session_callbacks_set_on_header_callback(table, &field);
      nghttp2_session_callbacks_set_on_frame_recv_callback(table, &frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, &content);
      nghttp2_session_callbacks_set_on_frame_send_callback(table, &frame_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(table, &closed);
      nghttp2_session_callbacks_set_send_data_callback(table, &send_content);
      return table;
    }();
    return made;
  }

  static const nghttp2_option* options() {
    static nghttp2_option* const made = [] {
      nghttp2_option* options = nullptr;
      nghttp2_option_new(&options);
      nghttp2_option_set_no_closed_streams(options, 1);
      nghttp2_option_set_max_deflate_dynamic_table_size(options, fields_table_size);
      nghttp2_option_set_max_settings(options, settings_entries_max);
      nghttp2_option_set_peer_max_concurrent_streams(options, streams_before_settings);
      nghttp2_option_set_max_outbound_ack(options, acknowledgements_waiting_max);
      return options;
    }();
    return made;
  }
};

Session::Session(Role role, Owner& owner, Memory& memory, const Settings& settings)
    : owner_(owner),
      heads_(role == Role::server ? NGHTTP2_CLIENT_MAGIC_LEN : 0),
      resets_(HttpLimits::resets_at_once, HttpLimits::resets_each_second),
      frames_(frames_at_once, frames_each_second),
      role_(role) {
  nghttp2_session* made = nullptr;
  const auto make =
      role == Role::server ? &nghttp2_session_server_new3 : &nghttp2_session_client_new3;
  if (make(&made, Thunks::table(), this, Thunks::options(), memory.functions()) != 0) {
    broken_ = true;
    return;
  }
  session_.reset(made);
  std::array<nghttp2_settings_entry, 4> entries;
  std::size_t count = 0;
  entries[count++] = {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HttpLimits::fields_size_max};
  if (role == Role::server) {
    entries[count++] = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings.concurrent_streams};
    entries[count++] = {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1};
  } else {
    entries[count++] = {NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
  }
  if (settings.window != NGHTTP2_INITIAL_WINDOW_SIZE)
    entries[count++] = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings.window};
  nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, entries.data(), count);
}

void Session::take(base::Bytes octets, base::TimePoint now) {
  if (broken_) return;
  now_ = now;
  heads_.take(octets, [this](const FrameHead& head) { on_frame_head(head); });
  const nghttp2_ssize taken =
      nghttp2_session_mem_recv2(session_.get(), octets.data(), octets.size());
  if (taken >= 0) return;
  broken_ = true;
  if (abuse_ != Abuse::none) return;
  const bool flooded = taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
  abuse_ = flooded ? Abuse::frames : Abuse::protocol;
}

void Session::write_to(Output& output) {
  if (broken_) return write_last_words(output);
  output_ = &output;
  while (output.has_room()) {
    const std::uint8_t* octets = nullptr;
    const nghttp2_ssize size = nghttp2_session_mem_send2(session_.get(), &octets);
    if (size < 0) broken_ = true;
    if (size <= 0) break;
    output.put({octets, static_cast<std::size_t>(size)});
  }
  output_ = nullptr;
}

/// After an error that nghttp2 does not outlive, it must not be asked for a GOAWAY. RFC 9113 §6.8.
void Session::write_last_words(Output& output) {
  if (said_last_words_) return;
  said_last_words_ = true;
  if (!session_) return;
  std::array<std::uint8_t, 17> frame{0, 0, 8, NGHTTP2_GOAWAY};
  const Code code = abuse_ == Abuse::protocol ? Code::protocol_error : Code::enhance_your_calm;
  base::store_u32(&frame[9], static_cast<std::uint32_t>(
                                 nghttp2_session_get_last_proc_stream_id(session_.get())));
  base::store_u32(&frame[13], static_cast<std::uint32_t>(code));
  output.put(frame);
}

bool Session::wants_write() const {
  return broken_ ? !said_last_words_ : nghttp2_session_want_write(session_.get()) != 0;
}

bool Session::over() const {
  if (broken_) return said_last_words_;
  return nghttp2_session_want_read(session_.get()) == 0 && !wants_write();
}

void Session::respond(Stream& stream, std::uint16_t status, std::span<const HttpField> fields,
                      base::Bytes body, bool body_left_out) {
  std::array<char, 3> digits;
  std::to_chars(digits.data(), digits.data() + digits.size(), status);
  std::array<nghttp2_nv, fields_sent_max> list;
  std::size_t count = 0;
  list[count++] = to_nv({":status", {digits.data(), digits.size()}, false});
  list[0].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;  // which the table has already
  for (const HttpField& field : fields) list[count++] = to_nv(field);
  stream.unsent_ = body_left_out ? base::Bytes{} : body;
  const nghttp2_data_provider2 content{{.ptr = &stream}, &Thunks::read_content};
  nghttp2_submit_response2(session_.get(), stream.id_, list.data(), count,
                           stream.unsent_.empty() ? nullptr : &content);
}

bool Session::request(Stream& stream, std::span<const HttpField> fields, base::Bytes body) {
  if (broken_) return false;
  std::array<nghttp2_nv, fields_sent_max> list;
  std::size_t count = 0;
  for (const HttpField& field : fields) list[count++] = to_nv(field);
  stream.unsent_ = body;
  const nghttp2_data_provider2 content{{.ptr = &stream}, &Thunks::read_content};
  const std::int32_t id = nghttp2_submit_request2(session_.get(), nullptr, list.data(), count,
                                                  body.empty() ? nullptr : &content, &stream);
  if (id < 0) return false;
  stream.id_ = id;
  ++requests_open_;
  return true;
}

std::size_t Session::room_for_requests() const {
  if (broken_ || nghttp2_session_check_request_allowed(session_.get()) == 0) return 0;
  const std::size_t most =
      nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return most - std::min(most, requests_open_);
}

void Session::reset(Stream& stream, Code code) {
  if (broken_) return;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id_,
                            static_cast<std::uint32_t>(code));
}

void Session::ping() {
  if (!broken_) nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
}

void Session::go_away() {
  if (broken_) return;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void Session::terminate(Code code) {
  if (!broken_) nghttp2_session_terminate_session(session_.get(), static_cast<std::uint32_t>(code));
}

/// nghttp2 goes through the rest of what it was given, and takes nothing of it for new.
void Session::end_over(Abuse abuse) {
  if (abuse_ != Abuse::none) return;
  abuse_ = abuse;
  terminate(Code::enhance_your_calm);
}

void Session::on_frame_head(const FrameHead& head) {
  const bool of_use = head.type == NGHTTP2_HEADERS || head.type == NGHTTP2_RST_STREAM ||
                      (head.type == NGHTTP2_DATA && head.length != 0);
  if (!of_use && !frames_.take(now_)) end_over(Abuse::frames);
  if (role_ == Role::client) return;
  if (const Code code = objection(head); code != Code::no_error) terminate(code);
}

/// To what nghttp2 ignores. Of streams that we have reset more may be on its way, and nobody is to
/// blame for it.
Code Session::objection(const FrameHead& head) {
  // RFC 9113 §6.3; RFC 7540's priorities are none of ours.
  if (head.type == NGHTTP2_PRIORITY && head.stream == 0) return Code::protocol_error;
  const bool of_message = head.type == NGHTTP2_HEADERS || head.type == NGHTTP2_DATA;
  if (of_message && head.stream != 0 && std::ranges::contains(ended_, head.stream))
    return Code::stream_closed;  // §5.1, "closed"
  if (head.type == NGHTTP2_RST_STREAM ||
      (of_message && (head.flags & NGHTTP2_FLAG_END_STREAM) != 0))
    ended_[ended_next_++ % ended_.size()] = head.stream;
  return head.type == NGHTTP2_HEADERS ? objection_to_stream(head.stream) : Code::no_error;
}

/// §5.1.1: what was left out cannot be opened any more.
Code Session::objection_to_stream(std::int32_t id) {
  if (id > newest_) {
    if (id > newest_ + 2) {
      skipped_from_ = newest_ + 2;
      skipped_to_ = id;
    }
    newest_ = id;
    return Code::no_error;
  }
  return id >= skipped_from_ && id < skipped_to_ ? Code::protocol_error : Code::no_error;
}

int Session::on_begin_fields(const nghttp2_frame& frame) {
  if (Stream* const stream = stream_of(frame.hd.stream_id)) {
    stream->fields_.begin();
    return 0;
  }
  if (role_ == Role::client || frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  Stream* const opened = owner_.on_open();
  if (opened == nullptr) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, frame.hd.stream_id,
                              NGHTTP2_REFUSED_STREAM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  opened->id_ = frame.hd.stream_id;
  opened->fields_.begin();
  nghttp2_session_set_stream_user_data(session_.get(), frame.hd.stream_id, opened);
  return 0;
}

int Session::on_field(const nghttp2_frame& frame, std::string_view name, std::string_view value) {
  Stream* const stream = stream_of(frame.hd.stream_id);
  if (stream == nullptr) return 0;
  switch (stream->fields_.add(name, value)) {
    case FieldTally::Verdict::fits: break;
    case FieldTally::Verdict::too_many: owner_.on_too_many_fields(*stream); return 0;
    case FieldTally::Verdict::left_out: return 0;
    case FieldTally::Verdict::hostile: end_over(Abuse::fields); return 0;
  }
  const bool trailers = role_ == Role::server && frame.headers.cat == NGHTTP2_HCAT_HEADERS;
  if (!trailers) owner_.on_field(*stream, name, value);
  return 0;
}

int Session::on_frame(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) break;
      if (Stream* const stream = stream_of(frame.hd.stream_id)) {
        frames_.give(frames_of_request);
        owner_.on_whole(*stream);
      }
      break;
    case NGHTTP2_RST_STREAM:
      if (role_ == Role::server && !resets_.take(now_)) end_over(Abuse::resets);
      break;
    case NGHTTP2_GOAWAY:
      owner_.on_goaway(frame.goaway.last_stream_id, frame.goaway.error_code);
      break;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) owner_.on_pong();
      break;
    default: break;
  }
  return 0;
}

void Session::on_frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    if (role_ == Role::server && !resets_.take(now_)) end_over(Abuse::resets);
  } else if (frame.hd.type == NGHTTP2_GOAWAY && frame.goaway.error_code != NGHTTP2_NO_ERROR &&
             abuse_ == Abuse::none) {
    abuse_ = Abuse::protocol;
  }
}

int Session::on_closed(std::int32_t id, std::uint32_t code) {
  Stream* const stream = stream_of(id);
  if (stream == nullptr) return 0;
  if (role_ == Role::client) --requests_open_;
  owner_.on_closed(*stream, code);
  return 0;
}

int Session::send_content(const nghttp2_frame& frame, const std::uint8_t* head, std::size_t size,
                          Stream& stream) {
  if (!output_->has_room()) return NGHTTP2_ERR_WOULDBLOCK;
  output_->put({head, FrameHeads::size});
  static_cast<void>(frame);  // never padded: we ask for none
  output_->put(stream.unsent_.first(size));
  stream.unsent_ = stream.unsent_.subspan(size);
  return 0;
}

Stream* Session::stream_of(std::int32_t id) const {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_.get(), id));
}

}  // namespace transports::http2
