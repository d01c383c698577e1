"""HTTP/2 as clients may speak it and as they may not, frame by frame against the DoH listener, by the
sections of RFC 9113 and RFC 7541: h2spec's cases, and the program itself where there is one."""

import shutil
import struct
import subprocess
import unittest

import hpack

from doh import DohTest
from harness import PATIENCE
from http_clients import (
    ACK, COMPRESSION_ERROR, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM,
    FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW, MAX_FRAME, PADDED,
    PING, PREFACE, PRIORITISED, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM,
    SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, asking, block, frame, request_fields, reset, settings,
    window_update,
)  # fmt: skip
from messages import query
from rfc import few

LOCAL = "/resolve?name=localhost"  # is answered at once
GET = block(request_fields("GET", LOCAL))
WIRE = query("www.example")
POST_FIELDS, _ = asking(WIRE)
POST = block(POST_FIELDS)


def get(stream, flags=END_HEADERS | END_STREAM, fields=GET):
    return frame(HEADERS, flags, stream, fields)


def post(stream=1, fields=POST):
    """A request whose body is still to come."""
    return frame(HEADERS, END_HEADERS, stream, fields)


def priority(on, exclusive=False, weight=15):
    return struct.pack("!IB", on | (exclusive << 31), weight)


class Http2Test(DohTest):
    def assert_connection_error(self, octets, *codes, greets=True, **case):
        """The server says GOAWAY with one of the codes and closes."""
        with self.subTest(**case):
            client = self.h2(greets=greets)
            client.send(octets)
            client.wait_closed()
            self.assertIsNotNone(client.goaway, "closed without a word")
            self.assertIn(client.goaway[1], codes)

    def assert_stream_error(self, octets, *codes, stream=1, **case):
        """The server resets the stream and the connection goes on, or it ends over the same."""
        with self.subTest(**case):
            client = self.h2()
            client.send(octets)
            client.until(lambda: stream in client.resets or client.closed, "a reset")
            if stream not in client.resets:
                self.assertIn(client.goaway[1], codes)
                return
            self.assertIn(client.resets[stream], codes)
            client.next_stream = 101
            self.assert_serves(client)

    def assert_fine(self, octets, *streams, **case):
        """Nothing is wrong with it: these streams are answered, and the connection goes on."""
        with self.subTest(**case):
            client = self.h2()
            client.send(octets)
            for stream in streams:
                self.assertEqual(client.response(stream).status, 200)
            self.assertTrue(client.ping())
            client.next_stream = 101
            self.assert_serves(client)
            self.assertIsNone(client.goaway)


class Connections(Http2Test):
    def test_3_4_the_servers_preface_is_settings(self):
        client = self.h2()
        client.until(lambda: client.settings, "SETTINGS")
        kind, flags, stream, _ = client.frames[0]
        self.assertEqual((kind, flags & ACK, stream), (SETTINGS, 0, 0))

    def test_3_4_what_is_no_preface_ends_the_connection(self):
        for octets in (b"INVALID CONNECTION PREFACE\r\n\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"):
            with self.subTest(octets=octets):
                client = self.h2(greets=False)
                client.send(octets)
                client.wait_closed()
                self.assertFalse(client.responses)

    def test_3_4_the_preface_in_pieces(self):
        client = self.h2(greets=False)
        for octet in PREFACE + settings():
            client.send(bytes([octet]))
        self.assert_serves(client)

    def test_3_4_a_frame_of_settings_comes_first(self):
        self.assert_connection_error(PREFACE + frame(PING, 0, 0, bytes(8)), PROTOCOL_ERROR, greets=False)

    def test_5_4_1_goaway_tells_what_was_processed(self):
        client = self.h2()
        self.assert_serves(client)
        client.send(frame(PING, 0, 0, b"short"))
        client.wait_closed()
        self.assertEqual(client.goaway, (1, FRAME_SIZE_ERROR))


class Frames(Http2Test):
    def test_4_1_what_is_unknown_is_ignored(self):
        self.assert_fine(frame(0xBE, 0, 0, b"anything") + get(1), 1, case="type")
        self.assert_fine(get(1, END_HEADERS | END_STREAM | 0xD2), 1, case="flags")
        bit = bytearray(frame(PING, 0, 0, bytes(8)))
        bit[5] |= 0x80
        self.assert_fine(bytes(bit) + get(1), 1, case="reserved bit")

    def test_4_2_sizes(self):
        large = [*POST_FIELDS[:-1], ("content-length", str(1 << 14))]
        body = frame(DATA, END_STREAM, 1, bytes(1 << 14))
        with self.subTest("as large as may be"):
            client = self.h2()
            client.send(post(1, block(large)) + body)
            self.assertEqual(client.response(1).status, 200)  # FORMERR, in DNS
        more = bytes((1 << 14) + 1)
        self.assert_stream_error(
            post() + frame(DATA, END_STREAM, 1, more), FRAME_SIZE_ERROR, case="DATA"
        )
        self.assert_connection_error(get(1, fields=GET + more), FRAME_SIZE_ERROR, case="HEADERS")

    def test_4_3_nothing_comes_between_the_pieces_of_a_block(self):
        begun = get(1, 0, GET[:10])
        for name, between in (
            ("PRIORITY", frame(PRIORITY, 0, 1, priority(0))),
            ("HEADERS of another", get(3)),
            ("an unknown type", frame(0xBE, 0, 0, b"x")),
            ("DATA", frame(DATA, 0, 1, b"x")),
            ("PING", frame(PING, 0, 0, bytes(8))),
        ):
            self.assert_connection_error(begun + between, PROTOCOL_ERROR, between=name)
        self.assert_connection_error(
            get(1, fields=GET + b"\xff\xff\xff\xff\xff"), COMPRESSION_ERROR, case="garbage"
        )

    def test_6_1_data(self):
        fields, body = asking(WIRE)
        head = frame(HEADERS, END_HEADERS, 1, block(fields))
        last = frame(DATA, END_STREAM, 1, body[5:])
        self.assert_fine(head + frame(DATA, 0, 1, body[:5]) + last, 1, case="several")
        padded = b"\x05" + body + bytes(5)
        self.assert_fine(head + frame(DATA, END_STREAM | PADDED, 1, padded), 1, case="padded")
        self.assert_connection_error(frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR, case="stream 0")
        too_much = frame(DATA, END_STREAM | PADDED, 1, b"\xff" + body)
        self.assert_connection_error(head + too_much, PROTOCOL_ERROR, case="padding")

    def test_6_2_headers(self):
        self.assert_fine(get(1, 5 | PADDED, b"\x03" + GET + bytes(3)), 1, case="padded")
        self.assert_fine(get(1, 5 | PRIORITISED, priority(0) + GET), 1, case="priority")
        self.assert_connection_error(get(0), PROTOCOL_ERROR, case="stream 0")
        self.assert_connection_error(get(1, 5 | PADDED, b"\xff" + GET), PROTOCOL_ERROR, case="padding")
        # RFC 7540 §5.3.1; its PRIORITY alone is ignored, as RFC 9113 §5.3.2 has it.
        self.assert_stream_error(get(1, 5 | PRIORITISED, priority(1) + GET), PROTOCOL_ERROR, case="self")

    def test_6_3_priority(self):
        for name, octets in (
            ("weight 1", frame(PRIORITY, 0, 1, priority(0, weight=0))),
            ("weight 256", frame(PRIORITY, 0, 1, priority(0, weight=255))),
            ("of an idle stream", frame(PRIORITY, 0, 9, priority(7))),
            ("exclusive", frame(PRIORITY, 0, 3, priority(1, exclusive=True))),
        ):
            self.assert_fine(octets + get(1), 1, case=name)
        self.assert_fine(get(1) + frame(PRIORITY, 0, 1, priority(0)), 1, case="half-closed, closed")
        self.assert_connection_error(
            frame(PRIORITY, 0, 0, priority(1)), PROTOCOL_ERROR, case="stream 0"
        )
        self.assert_stream_error(
            post() + frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE_ERROR, case="four octets"
        )

    def test_6_4_rst_stream(self):
        self.assert_fine(post() + reset(1), case="open")
        self.assert_fine(get(1) + reset(1), case="half-closed, closed")
        self.assert_connection_error(reset(0), PROTOCOL_ERROR, case="stream 0")
        self.assert_connection_error(reset(1), PROTOCOL_ERROR, case="idle")
        self.assert_connection_error(
            post() + frame(RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE_ERROR, case="three octets"
        )

    def test_6_5_settings(self):
        self.assert_connection_error(
            frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE_ERROR, case="ACK with a payload"
        )
        self.assert_connection_error(
            frame(SETTINGS, 0, 1, bytes(6)), PROTOCOL_ERROR, case="of a stream"
        )
        self.assert_connection_error(frame(SETTINGS, 0, 0, bytes(3)), FRAME_SIZE_ERROR, case="three")

    def test_6_5_2_values(self):
        for key, value, code in (
            (ENABLE_PUSH, 2, PROTOCOL_ERROR),
            (INITIAL_WINDOW, 1 << 31, FLOW_CONTROL_ERROR),
            (MAX_FRAME, (1 << 14) - 1, PROTOCOL_ERROR),
            (MAX_FRAME, 1 << 24, PROTOCOL_ERROR),
        ):
            self.assert_connection_error(settings((key, value)), code, key=key, value=value)
        self.assert_fine(settings((0xFF, 7)) + get(1), 1, case="unknown")

    def test_6_5_3_settings_are_acknowledged(self):
        client = self.h2()
        client.send(settings((INITIAL_WINDOW, 100)), settings((INITIAL_WINDOW, 1)))
        acknowledged = (SETTINGS, ACK, 0, b"")
        client.until(lambda: client.frames.count(acknowledged) == 3, "three acknowledgements")
        stream = client.request(request_fields("GET", LOCAL))
        client.ping()
        self.assertEqual(len(client.of(stream).body), 1)

    def test_6_7_ping(self):
        client = self.h2()
        client.send(frame(PING, ACK, 0, b"unasked!") + frame(PING, 0, 0, b"the ping"))
        client.until(lambda: (PING, ACK, 0, b"the ping") in client.frames, "the answer")
        self.assertNotIn((PING, ACK, 0, b"unasked!"), client.frames)
        self.assert_connection_error(frame(PING, 0, 1, bytes(8)), PROTOCOL_ERROR, case="of a stream")
        self.assert_connection_error(frame(PING, 0, 0, bytes(6)), FRAME_SIZE_ERROR, case="six")

    def test_6_8_goaway(self):
        self.assert_connection_error(
            frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR, case="of a stream"
        )
        # What was asked before it is answered, whatever the code.
        client = self.h2()
        client.send(get(1) + frame(GOAWAY, 0, 0, struct.pack("!II", 0, 0xFF)))
        self.assertEqual(client.response(1).status, 200)
        client.wait_closed()

    def test_6_9_window_update(self):
        self.assert_fine(post() + window_update(0, 1) + window_update(1, 1) + reset(1), case="fine")
        self.assert_fine(get(1) + window_update(1, 1), 1, case="half-closed, closed")
        self.assert_connection_error(window_update(0, 0), PROTOCOL_ERROR, case="0")
        self.assert_stream_error(post() + window_update(1, 0), PROTOCOL_ERROR, case="0 of a stream")
        self.assert_connection_error(
            frame(WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE_ERROR, case="three octets"
        )

    def test_6_9_1_windows_have_an_end(self):
        most = (1 << 31) - 1
        self.assert_connection_error(window_update(0, most) * 2, FLOW_CONTROL_ERROR, case="connection")
        self.assert_stream_error(
            post() + window_update(1, most) * 2, FLOW_CONTROL_ERROR, case="stream"
        )

    def test_6_9_1_no_more_than_the_window_is_sent(self):
        client = self.h2(passive=True)
        client.send(settings((INITIAL_WINDOW, 1)) + get(1))
        client.until(lambda: client.of(1).body, "the first octet")
        client.ping()
        self.assertEqual(len(client.of(1).body), 1)
        size = int(client.of(1).fields["content-length"])
        for more in range(2, min(size, 20)):
            client.send(window_update(1, 1))
            client.until(lambda: len(client.of(1).body) == more, "one octet more")
        client.send(window_update(1, size))
        self.assertEqual(len(client.response(1).body), size)

    def test_6_9_2_windows_may_shrink_and_grow_with_the_settings(self):
        client = self.h2(passive=True)
        client.send(settings((INITIAL_WINDOW, 0)) + get(1) + settings((INITIAL_WINDOW, 1)))
        client.until(lambda: client.of(1).body, "an octet")
        client.send(settings((INITIAL_WINDOW, 0)) + window_update(1, 1))  # -1, then 0
        client.ping()
        self.assertEqual(len(client.of(1).body), 1)
        client.send(settings((INITIAL_WINDOW, 65535)))
        self.assertTrue(client.response(1).whole)
        # The section wants the connection to end; nghttp2 ends the stream alone.
        self.assert_stream_error(
            post() + window_update(1, (1 << 31) - 65537) + settings((INITIAL_WINDOW, 65537)),
            FLOW_CONTROL_ERROR,
            case="too large by a setting",
        )

    def test_6_10_continuation(self):
        pieces = [GET[at : at + 20] for at in range(0, len(GET), 20)]
        head = frame(HEADERS, END_STREAM, 1, pieces[0])
        middle = b"".join(frame(CONTINUATION, 0, 1, piece) for piece in pieces[1:-1])
        last = frame(CONTINUATION, END_HEADERS, 1, pieces[-1])
        more = frame(CONTINUATION, END_HEADERS, 1, b"")
        self.assert_fine(head + middle + last, 1, case="several")
        for name, octets in (
            ("another stream's", head + frame(CONTINUATION, END_HEADERS, 3, pieces[-1])),
            ("stream 0", head + frame(CONTINUATION, END_HEADERS, 0, pieces[-1])),
            ("of nothing", more),
            ("behind END_HEADERS", post() + more),
            ("behind the last", head + middle + last + more),
            ("behind DATA", post() + frame(DATA, 0, 1, b"x") + more),
            ("behind a reset", post() + reset(1) + more),
        ):
            self.assert_connection_error(octets, PROTOCOL_ERROR, STREAM_CLOSED, case=name)

    def test_7_unknown_codes_mean_nothing_special(self):
        self.assert_fine(post() + reset(1, 0xFFFF))

    def test_8_4_clients_do_not_push(self):
        self.assert_connection_error(
            frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack("!I", 2) + GET), PROTOCOL_ERROR
        )


class Streams(Http2Test):
    def test_5_1_idle(self):
        for name, octets in (
            ("DATA", frame(DATA, END_STREAM, 1, b"x")),
            ("RST_STREAM", reset(1)),
            ("WINDOW_UPDATE", window_update(1, 100)),
            ("CONTINUATION", frame(CONTINUATION, END_HEADERS, 1, GET)),
        ):
            self.assert_connection_error(octets, PROTOCOL_ERROR, STREAM_CLOSED, frame=name)

    def test_5_1_half_closed_and_closed(self):
        asked = self.h2()
        self.assertEqual(asked.get(LOCAL).status, 200)
        for name, before in (("ended", get(1)), ("reset", post() + reset(1))):
            for kind, octets in (
                ("DATA", frame(DATA, END_STREAM, 1, b"x")),
                ("HEADERS", get(1)),
                ("CONTINUATION", frame(CONTINUATION, END_HEADERS, 1, GET)),
            ):
                codes = (STREAM_CLOSED, PROTOCOL_ERROR)
                self.assert_stream_error(before + octets, *codes, case=name, frame=kind)
                with self.subTest("after the answer", case=name, frame=kind):
                    client = self.h2()
                    client.send(before)
                    client.ping()
                    client.send(octets)
                    client.wait_closed()
                    self.assertIn(client.goaway[1], codes)

    def test_5_1_1_identifiers(self):
        self.assert_connection_error(get(2), PROTOCOL_ERROR, case="even")
        self.assert_connection_error(get(5) + get(3), PROTOCOL_ERROR, case="smaller than before")
        self.assert_fine(get(1) + get(7) + get(99), 1, 7, 99, case="some left out")

    def test_5_1_2_more_streams_than_allowed_are_refused(self):
        client = self.h2()
        client.until(lambda: 3 in client.settings, "SETTINGS")
        most = client.settings[3]
        self.assertGreaterEqual(most, 100)  # as §6.5.2 advises
        client.send(b"".join(post(2 * n + 1) for n in range(most + 10)))
        client.ping()
        if client.goaway:
            self.assertEqual(client.goaway[1], PROTOCOL_ERROR)
            return
        self.assertEqual(set(client.resets.values()), {REFUSED_STREAM})
        self.assertEqual(set(client.resets), {2 * (most + n) + 1 for n in range(10)})
        client.send(frame(DATA, END_STREAM, 1, WIRE))
        self.assert_answer(client.response(1))

    def test_5_1_2_over_the_limit_and_back(self):
        """A client that learns of the limit late loses nothing but those streams."""
        client = self.h2()
        count = few(300)
        streams = [client.query(query(f"n{n}.limit.example")) for n in range(count)]
        for stream in streams:
            client.until(lambda s=stream: s in client.resets or client.of(s).whole, "an outcome")
        self.assertLessEqual(set(client.resets.values()), {REFUSED_STREAM})
        self.assertGreaterEqual(count - len(client.resets), min(count, 100))
        self.assert_serves(client)

    def test_5_5_extensions(self):
        self.assert_fine(frame(0x16, 0, 0, bytes(8)) + get(1), 1)


class Messages(Http2Test):
    def test_8_1_exchanges(self):
        for method in ("GET", "HEAD"):
            with self.subTest(method=method):
                response = self.h2().get(LOCAL, method=method)
                self.assertEqual((response.status, bool(response.body)), (200, method == "GET"))
        trailers = block([("x-test", "ok")])
        fields, body = asking(WIRE)
        with self.subTest("trailers"):
            client = self.h2()
            head = frame(HEADERS, END_HEADERS, 1, block(fields))
            client.send(head + frame(DATA, 0, 1, body) + get(1, fields=trailers))
            self.assert_answer(client.response(1))
        self.assert_stream_error(
            post() + frame(DATA, 0, 1, body) + get(1, END_HEADERS, trailers),
            PROTOCOL_ERROR,
            case="trailers that do not end the stream",
        )

    def test_8_1_1_malformed_requests(self):
        good = request_fields("GET", LOCAL)

        def without(name):
            return [field for field in good if field[0] != name]

        for name, fields in (
            ("a name in capitals (8.2.1)", [*good, ("X-Test", "ok")]),
            ("an unknown pseudo-field (8.3)", [(":test", "ok"), *good]),
            ("one of responses (8.3)", [*good, (":status", "200")]),
            ("a pseudo-field behind the others (8.3)", [*without(":path"), ("x", "y"), good[-1]]),
            ("connection (8.2.2)", [*good, ("connection", "keep-alive")]),
            ("te (8.2.2)", [*good, ("te", "trailers, deflate")]),
            ("transfer-encoding (8.2.2)", [*good, ("transfer-encoding", "chunked")]),
            ("upgrade (8.2.2)", [*good, ("upgrade", "h2c")]),
            ("an empty path (8.3.1)", [*without(":path"), (":path", "")]),
            ("no method (8.3.1)", without(":method")),
            ("no scheme (8.3.1)", without(":scheme")),
            ("no path (8.3.1)", without(":path")),
            ("two methods (8.3.1)", [*good, (":method", "GET")]),
            ("two schemes (8.3.1)", [*good, (":scheme", "https")]),
            ("two paths (8.3.1)", [*good, (":path", LOCAL)]),
            ("a NUL in a value (8.2.1)", [*good, ("x", "a\0b")]),
            ("a line feed in a value (8.2.1)", [*good, ("x", "a\nb: c")]),
            ("a space in a name (8.2.1)", [*good, ("x y", "z")]),
            ("content-length of nothing", [*good, ("content-length", "1")]),
        ):
            self.assert_stream_error(get(1, fields=block(fields)), PROTOCOL_ERROR, case=name)
        self.assert_fine(get(1, fields=block([*good, ("te", "trailers")])), 1)
        head = post() + frame(DATA, 0, 1, WIRE)
        in_trailers = get(1, fields=block([(":method", "POST")]))
        self.assert_stream_error(head + in_trailers, PROTOCOL_ERROR, case="pseudo-field as a trailer")

    def test_8_1_1_lengths_that_lie(self):
        for size in (1, len(WIRE) - 1, len(WIRE) + 1):
            head = post(1, block([*POST_FIELDS[:-1], ("content-length", str(size))]))
            whole = frame(DATA, END_STREAM, 1, WIRE)
            halves = frame(DATA, 0, 1, WIRE[:9]) + frame(DATA, END_STREAM, 1, WIRE[9:])
            for octets in (whole, halves):
                self.assert_stream_error(head + octets, PROTOCOL_ERROR, size=size)

    def test_8_3_1_the_authority_may_be_in_host(self):
        fields = [*request_fields("GET", LOCAL), ("host", "gateway.example")]
        self.assert_fine(get(1, fields=block(fields)), 1, case="both")
        fields = [field for field in fields if field[0] != ":authority"]
        self.assert_fine(get(1, fields=block(fields)), 1, case="host alone")

    def test_8_5_nobody_is_connected(self):
        client = self.h2()
        fields = [(":method", "CONNECT"), (":authority", "192.0.2.1:443")]
        stream = client.headers(fields)
        client.send(frame(DATA, END_STREAM, stream, b"x"))
        client.until(lambda: stream in client.resets or client.of(stream).whole, "a refusal")
        self.assertNotEqual(client.of(stream).status // 100, 2)


class Compression(Http2Test):
    """RFC 7541."""

    PATH_LOCAL = bytes([len(LOCAL)]) + LOCAL.encode()
    # GET and https by the static table, an authority in none.
    BEFORE = b"\x82\x87\x01\x01x"

    def path(self, first, text=None):
        """:path by its index in the static table, in a representation's first octet."""
        return self.BEFORE + first + (text or self.PATH_LOCAL)

    def test_6_representations(self):
        huffman = hpack.huffman.HuffmanEncoder(
            hpack.huffman_constants.REQUEST_CODES, hpack.huffman_constants.REQUEST_CODES_LENGTH
        )
        encoded = huffman.encode(LOCAL.encode())
        short = bytes([0x80 | len(encoded)]) + encoded
        for case, fields in (
            ("6.2.1, name by index", self.path(b"\x44")),
            ("6.2.1, Huffman", self.path(b"\x44", short)),
            ("6.2.1, new name", self.path(b"\x40\x05:path")),
            ("6.2.2, name by index", self.path(b"\x04")),
            ("6.2.2, Huffman", self.path(b"\x04", short)),
            ("6.2.2, new name", self.path(b"\x00\x05:path")),
            ("6.2.3, name by index", self.path(b"\x14")),
            ("6.2.3, Huffman", self.path(b"\x14", short)),
            ("6.2.3, new name", self.path(b"\x10\x05:path")),
            ("6.3, a smaller table", b"\x20" + self.path(b"\x44")),
            ("6.3, smaller and larger", b"\x20\x3f\xe1\x1f" + self.path(b"\x44")),
        ):
            self.assert_fine(get(1, fields=fields), 1, case=case)
        again = get(1, fields=self.path(b"\x44")) + get(3, fields=self.BEFORE + b"\xbe")
        self.assert_fine(again, 1, 3, case="6.1, of the dynamic table")

    def test_what_cannot_be_decoded_ends_the_connection(self):
        for case, fields in (
            ("2.3.3, an index beyond the tables", self.path(b"\x44") + b"\xfe"),
            ("2.3.3, a name beyond the tables", self.path(b"\x44") + b"\x7f\x7f\x01x"),
            ("4.2, a table's size behind fields", self.path(b"\x44") + b"\x20"),
            ("5.1, an integer without end", self.path(b"\x44") + b"\xff" * 12),
            ("5.2, Huffman padding of more than 7 bits", self.path(b"\x44") + b"\x00\x83\x1c\x64\xff\x00"),
            ("5.2, Huffman padding of zeros", self.path(b"\x44") + b"\x00\x81\x18\x00"),
            ("5.2, Huffman's end", self.path(b"\x44") + b"\x00\x84\xff\xff\xff\xff\x00"),
            ("5.2, text beyond the block", self.path(b"\x44") + b"\x00\x7f\xff\xff\x03x"),
            ("6.1, index 0", self.path(b"\x44") + b"\x80"),
            ("6.3, a table larger than allowed", b"\x3f\xe1\xff\x03" + self.path(b"\x44")),
        ):
            self.assert_connection_error(get(1, fields=fields), COMPRESSION_ERROR, case=case)


class H2spec(Http2Test):
    @unittest.skipUnless(shutil.which("h2spec"), "h2spec is not installed")
    def test_h2spec(self):
        host, port = self.gateway.address("https")
        run = subprocess.run(
            ["h2spec", "-t", "-k", "-h", host, "-p", str(port), "-P", LOCAL, "-o", str(int(PATIENCE / 10))],
            capture_output=True,
            text=True,
            timeout=PATIENCE * 8,
        )
        summary = run.stdout.strip().splitlines()[-1]
        failed = int(summary.split(", ")[-1].split()[0])
        self.assertLessEqual(failed, 1, run.stdout[-4000:])


if __name__ == "__main__":
    unittest.main()
