"""DNS over HTTP/3 as clients meet it that do what no library would, frame by frame. RFC 9114, RFC 9204;
what curl sees is in test_doh."""

import json
import shutil
import subprocess
import unittest

from aioquic.buffer import Buffer, encode_uint_var
from pylsqpack import Decoder, Encoder

from doq_client import DoqClient
from fake_upstream import SILENCE
from gateway import run
from harness import PATIENCE, temporary_folder, until
from messages import NOERROR, SERVFAIL, query, read
from rfc import RfcTest, anything, few
from test_doh import MESSAGE, encoded

DATA, HEADERS, SETTINGS, GOAWAY = 0, 1, 4, 7
(
    NO_ERROR, GENERAL_PROTOCOL_ERROR, INTERNAL_ERROR, STREAM_CREATION_ERROR, CLOSED_CRITICAL_STREAM,
    FRAME_UNEXPECTED, FRAME_ERROR, EXCESSIVE_LOAD, ID_ERROR, SETTINGS_ERROR, MISSING_SETTINGS,
    REQUEST_REJECTED, REQUEST_CANCELLED, REQUEST_INCOMPLETE, MESSAGE_ERROR,
) = range(0x100, 0x10F)  # fmt: skip


def frame(kind, payload=b""):
    return encode_uint_var(kind) + encode_uint_var(len(payload)) + payload


class Response:
    def __init__(self, fields, body):
        self.fields, self.body = fields, body
        self.status = int(fields[":status"])


class Doh3Client(DoqClient):
    """HTTP/3 over the connection by hand. `control` is what is said on the control stream at first."""

    def __init__(self, address, authority, *, control=b"\0" + frame(SETTINGS), **how):
        super().__init__(address, authority, alpn=("h3",), **how)
        self.encoder = Encoder()
        self.control = self.write(control, stream=self.one_way()) if control else None

    def one_way(self):
        return self.quic.get_next_available_stream_id(is_unidirectional=True)

    def head(self, path="/dns-query", method="GET", extra=()):
        fields = [(":method", method), (":scheme", "https"), (":authority", "a"), (":path", path)]
        fields = [(n.encode(), v.encode()) for n, v in (*fields, *extra)]
        return frame(HEADERS, self.encoder.encode(0, fields)[1])

    def get(self, wire):
        return self.head(f"/dns-query?dns={encoded(wire)}")

    def post(self, wire, **how):
        return self.head(method="POST", extra=(("content-type", MESSAGE),)) + frame(DATA, wire)

    def request(self, octets):
        return self.write(octets, fin=True)

    def response(self, stream, seconds=None):
        self.until(
            lambda: stream in self.finished or stream in self.reset, f"stream {stream}", seconds
        )
        if stream in self.reset:
            return self.reset[stream]
        fields, body = {}, b""
        for kind, payload in self.frames(stream):
            if kind == HEADERS:
                decoder = Decoder(0, 0)
                fields |= {n.decode(): v.decode() for n, v in decoder.feed_header(0, payload)[1]}
            elif kind == DATA:
                body += payload
        return Response(fields, body)

    def ask(self, octets, seconds=None):
        return self.response(self.request(octets), seconds)

    def frames(self, stream, behind=0):
        octets = bytes(self.streams.get(stream, b""))[behind:]
        buffer = Buffer(data=octets)
        while not buffer.eof():
            kind, size = buffer.pull_uint_var(), buffer.pull_uint_var()
            yield kind, buffer.pull_bytes(size)

    def goaway(self):
        """Whether the server has said that it takes no more; on its control stream, the first."""
        return any(kind == GOAWAY for kind, _ in self.frames(3, behind=1))


class Doh3(RfcTest):
    settings = {
        "listen": ("udp", "h3"),
        "limits": {"message_timeout": "1s", "query_timeout": "2s", "sessions_per_client": 5000},
    }

    def connect(self, **how):
        return self.enter(
            Doh3Client(self.gateway.address("h3"), self.gateway.authority, **how)
        )

    def dropped(self, reason):
        return self.gateway.metrics().total("sallyport_drops_total", reason=reason)

    def still_serves(self):
        with Doh3Client(self.gateway.address("h3"), self.gateway.authority) as other:
            self.assertEqual(read(other.ask(other.get(query("www.example"))).body).rcode, NOERROR)

    def waiting(self):
        return self.gateway.metrics().total("sallyport_queries_waiting")

    def test_requests_octet_by_octet_and_many_at_once(self):
        client = self.connect()
        octets = client.post(query("octets.example"))
        stream = client.write(octets[:1])
        for octet in octets[1:]:
            client.write(bytes([octet]), stream=stream)
            client.turn(0.0)
        client.write(b"", stream=stream, fin=True)
        self.assertEqual(read(client.response(stream).body).rcode, NOERROR)
        streams = [client.request(client.get(query(f"n{n}.example"))) for n in range(60)]
        for stream in streams:
            response = client.response(stream)
            self.assertEqual((response.status, read(response.body).rcode), (200, NOERROR))
            self.assertEqual(response.fields["content-type"], MESSAGE)

    def test_rfc9000_4_6_more_streams_come_with_closed_ones(self):
        client = self.connect()
        for n in range(few(400)):
            self.assertEqual(client.ask(client.get(query("www.example"))).status, 200)

    def test_rfc9114_9_what_is_unknown_is_ignored(self):
        client = self.connect(control=b"\0" + frame(SETTINGS, b"\x21\x05") + frame(0x21, b"xyz"))
        for _ in range(3):
            client.write(encode_uint_var(0x21 + 0x1F * 7) + b"grease", stream=client.one_way())
        octets = frame(0x5F, b"x" * 20) + client.get(query("www.example")) + frame(0x7E)
        self.assertEqual(client.ask(octets).status, 200)

    def test_rfc9218_7_2_priorities_come_before_requests(self):
        """As Chromium sends them."""
        client = self.connect(
            control=b"\0" + frame(SETTINGS) + frame(0xF0700, encode_uint_var(0) + b"u=0, i")
        )
        for n in range(few(300)):
            priority = encode_uint_var(4 * (n + 1)) + b"u=0, i"
            client.write(frame(0xF0700, priority), stream=client.control)
            self.assertEqual(client.ask(client.get(query("www.example"))).status, 200)

    @unittest.skipUnless(shutil.which("chromium"), "no Chromium here")
    def test_chromium_shows_the_page(self):
        host, port = self.gateway.address("h3")
        told = run(
            "query", f"@h3://{host}:{port}", "localhost", "--ca", self.gateway.authority, "--json"
        )
        pin = json.loads(told.stdout)["tls"]["pin"]
        sessions = self.gateway.metrics().total("sallyport_sessions_total", transport="doh3")
        with temporary_folder() as folder:
            shown = subprocess.run(
                [
                    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-quic",
                    f"--user-data-dir={folder}", f"--origin-to-force-quic-on={host}:{port}",
                    f"--ignore-certificate-errors-spki-list={pin}", "--dump-dom",
                    f"https://{host}:{port}/",
                ],
                capture_output=True, timeout=PATIENCE * 6, check=False,
            )  # fmt: skip
        self.assertIn(b"gateway.example", shown.stdout, shown.stderr[-500:])
        after = self.gateway.metrics().total("sallyport_sessions_total", transport="doh3")
        self.assertGreater(after, sessions)

    def test_rfc9204_no_table_is_offered(self):
        client = self.connect()
        client.until(lambda: len(client.streams.get(3, b"")) > 4, "the server's settings")
        kind, payload = next(client.frames(3, behind=1))
        self.assertEqual(kind, SETTINGS)
        buffer, found = Buffer(data=payload), {}
        while not buffer.eof():
            setting = buffer.pull_uint_var()
            found[setting] = buffer.pull_uint_var()
        self.assertEqual((found.get(1, 0), found.get(7, 0)), (0, 0))
        self.assertEqual(found[6], 16 * 1024)  # RFC 9114 §7.2.4.1

    def test_errors_that_end_the_connection(self):
        before = self.dropped("http_protocol")
        good = "\0\0\xd1\xd7\x50\x01a\xc1".encode("latin-1")  # GET https://a/
        for stream, octets, code in (
            ("request", frame(DATA, b"x"), FRAME_UNEXPECTED),  # §4.1
            ("request", frame(SETTINGS), FRAME_UNEXPECTED),  # §7.2.4
            ("request", frame(5, b"\0"), FRAME_UNEXPECTED),  # §7.2.5
            ("request", b"\x01\x40", FRAME_ERROR),  # §7.1
            ("request", frame(HEADERS, good + b"\x22XY\x01z"), MESSAGE_ERROR),  # §4.2
            ("request", frame(HEADERS, good[:-1]), MESSAGE_ERROR),  # §4.3.1
            ("request", frame(HEADERS, b"\x02\0\x80"), 0x200),  # RFC 9204 §2.2
            ("control", frame(SETTINGS), FRAME_UNEXPECTED),  # §7.2.4
            ("control", frame(DATA), FRAME_UNEXPECTED),  # §7.2.1
            ("control end", b"", CLOSED_CRITICAL_STREAM),  # §6.2.1
            ("another control", b"\0" + frame(SETTINGS), STREAM_CREATION_ERROR),  # §6.2.1
            ("push", b"\x01\0", STREAM_CREATION_ERROR),  # §6.2.2
            ("no settings", b"\0" + frame(0x21), MISSING_SETTINGS),  # §6.2.1
            ("no settings", b"\0" + frame(SETTINGS, b"\x02\0"), SETTINGS_ERROR),  # §7.2.4.1
        ):
            with self.subTest(stream=stream, octets=octets):
                control = {"control": octets} if stream == "no settings" else {}
                client = self.connect(**control)
                if stream == "request":
                    client.request(octets)
                elif stream.startswith("control"):
                    client.write(octets, stream=client.control, fin=stream == "control end")
                elif stream != "no settings":
                    client.write(octets, stream=client.one_way())
                self.assertEqual(client.end_code(), code)
        self.assertEqual(self.dropped("http_protocol") - before, 14)
        self.still_serves()

    def test_rfc9114_4_1_1_a_reset_frees_what_was_asked(self):
        self.upstream.script = lambda _: SILENCE
        client = self.connect()
        for n in range(30):
            stream = client.write(client.get(query(f"reset{n}.example")))
            client.quic.reset_stream(stream, REQUEST_CANCELLED)
            client.flush()
        client.until(lambda: len(client.reset) == 30, "the server's side to be reset")
        until(lambda: self.waiting() == 0, "nothing to be waited for any more")
        self.upstream.script = anything
        self.still_serves()

    def test_cve_2023_44487_resets_without_end(self):
        before = self.dropped("http3_resets")
        client = self.connect()
        octets = client.get(query("www.example"))
        for _ in range(2000):
            if client.ended:
                break
            stream = client.write(octets)
            # aioquic would reset streams beyond what the server has granted, too.
            client.until(
                lambda: client.ended or not client.quic._streams_blocked_bidi, "room for a stream"
            )
            client.quic.reset_stream(stream, REQUEST_CANCELLED)
            client.turn(0.0)
        self.assertEqual(client.end_code(), EXCESSIVE_LOAD)
        self.assertEqual(self.dropped("http3_resets") - before, 1)

    def test_a_request_that_does_not_end_is_not_waited_for(self):
        before = self.dropped("slow_client")
        client = self.connect()
        streams = [client.write(begun) for begun in (b"\x01", client.get(query("a.example")))]
        for stream in streams:
            self.assertEqual(client.response(stream), REQUEST_INCOMPLETE)
        self.assertEqual(self.dropped("slow_client") - before, 2)
        self.assertEqual(client.ask(client.get(query("www.example"))).status, 200)

    def test_announced_fields_are_bounded(self):
        """Each makes room for 64 KiB of which nothing comes."""
        before = self.dropped("http3_load")
        client = self.connect()
        head = b"\0\0\xd1\xd7\x50\x01a\x5f\x09\x7f\xe0\xfe\x03"
        for _ in range(60):
            client.write(encode_uint_var(HEADERS) + encode_uint_var(65536) + head)
        self.assertEqual(client.end_code(), EXCESSIVE_LOAD)
        self.assertEqual(self.dropped("http3_load") - before, 1)

    def test_floods_of_nothing(self):
        for octets in (frame(0x21) * 5000,):
            client = self.connect()
            client.write(octets, stream=client.control)
            self.assertEqual(client.end_code(), EXCESSIVE_LOAD)

    def test_an_upstream_that_fails_is_servfail_and_200(self):
        self.upstream.script = lambda _: SILENCE
        client = self.connect()
        response = client.ask(client.get(query("silent.example")))
        self.assertEqual((response.status, read(response.body).rcode), (200, SERVFAIL))

    def test_rfc9114_3_1_other_protocols_are_refused(self):
        for alpn in (("doq",), ("h2",), ()):
            client = self.enter(
                DoqClient(
                    self.gateway.address("h3"), self.gateway.authority, alpn=alpn, connect=False
                )
            )
            self.assertEqual(client.end_code(), 0x100 + 120)


if __name__ == "__main__":
    unittest.main()
