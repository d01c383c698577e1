// What a connection does for its codec. Once the library is gone, nothing.
#include "transports/quic/connection.h"

namespace transports::quic {

void Connection::release(std::size_t octets) {
  if (library_ != nullptr) ngtcp2_conn_extend_max_offset(library_, octets);
}

void Connection::release(Stream& stream, std::size_t octets) {
  if (library_ == nullptr) return;
  ngtcp2_conn_extend_max_offset(library_, octets);
  ngtcp2_conn_extend_max_stream_offset(library_, stream.id, octets);
}

std::uint64_t Connection::streams_left() const {
  return library_ == nullptr ? 0 : ngtcp2_conn_get_streams_bidi_left(library_);
}

bool Connection::open(Stream& stream) {
  return library_ != nullptr && ngtcp2_conn_open_bidi_stream(library_, &stream.id, &stream) == 0;
}

bool Connection::open_unidirectional(Stream& stream) {
  return library_ != nullptr && ngtcp2_conn_open_uni_stream(library_, &stream.id, &stream) == 0;
}

void Connection::grant_stream() {
  if (library_ != nullptr && !draining_) ngtcp2_conn_extend_max_streams_bidi(library_, 1);
}

void Connection::reset(Stream& stream, std::uint64_t application_code) {
  if (library_ != nullptr) ngtcp2_conn_shutdown_stream(library_, 0, stream.id, application_code);
}

void Connection::reset_writing(Stream& stream, std::uint64_t application_code) {
  if (library_ != nullptr)
    ngtcp2_conn_shutdown_stream_write(library_, 0, stream.id, application_code);
}

void Connection::stop_reading(Stream& stream, std::uint64_t application_code) {
  if (library_ != nullptr)
    ngtcp2_conn_shutdown_stream_read(library_, 0, stream.id, application_code);
}

Stream* Connection::find(StreamId id) const {
  return library_ == nullptr ? nullptr
                             : static_cast<Stream*>(ngtcp2_conn_get_stream_user_data(library_, id));
}

}  // namespace transports::quic
