"""Attacks on the DoH listener: floods, bombs, clients that dawdle. Each ends its own connection with the
right code and is counted; memory stays where it was, and others are served meanwhile. RFC 9113 §10.5."""

import itertools
import shutil
import time
import unittest

from doh import DohTest
from fake_upstream import SILENCE
from http_clients import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, INITIAL_WINDOW, PING,
    PRIORITY, Http1, Http2, asking, block, frame, literal, request_fields, reset, settings, window_update,
)  # fmt: skip
from harness import SLOWNESS, Process
from messages import TXT, query
from rfc import few

FIELDS, BODY = asking(query("attack.example"))
POST = block(FIELDS)
GET = block(request_fields("GET", "/resolve?name=localhost"))


def silent(_):
    return SILENCE


class AttackTest(DohTest):
    settings = {
        **DohTest.settings,
        "limits": {"message_timeout": "1s", "idle_timeout": "4s", "sessions_per_client": 2000},
    }

    def drops(self, reason):
        return self.metric("sallyport_drops_total", reason=reason)

    def assert_others_are_served(self):
        with Http2(self.gateway.address("https"), self.gateway.authority) as other:
            self.assert_serves(other)

    def flood(self, octets, *, each=1, most=100_000, before=b"", chunk=50):
        """Sends `octets(n)` again and again until the server has enough, or `most` of them; how many
        the server has read at most, and the client."""
        client = self.h2()
        self.assert_serves(client)
        client.next_stream = 3
        client.send(before)
        sent = 0
        while client.goaway is None and not client.closed and sent < most:
            client.send(b"".join(octets(sent + n) for n in range(chunk)))
            sent += chunk
            client.turn(0.001 if client.flow.unsent < 1 << 20 else 0.1)
            # The flood's own answers are of no use to it.
            client.frames.clear()
        client.until(lambda: client.goaway or client.closed, "the end")
        client.wait_closed()
        return sent * each, client


class Http2Floods(AttackTest):
    def check_flood(self, octets, reason, *, within, codes=(ENHANCE_YOUR_CALM,), **how):
        counted = self.drops(reason)
        sent, client = self.flood(octets, **how)
        self.assertIsNotNone(client.goaway, "closed without a word")
        self.assertIn(client.goaway[1], codes)
        # What was on its way is no fault of the server's: where each has a stream of its own, it
        # says itself which it has seen (RFC 9113 §6.8).
        seen = client.goaway[0] // 2 if reason == "http2_resets" else sent
        self.assertLessEqual(seen, within)
        self.assertEqual(self.drops(reason), counted + 1)
        self.assert_others_are_served()

    def test_cve_2023_44487_rapid_reset_ends_within_a_thousand(self):
        self.upstream.script = silent

        def one(n):
            fields = asking(query(f"r{n}.reset.example"), "GET")[0]
            stream = 2 * n + 3
            return frame(HEADERS, END_HEADERS | END_STREAM, stream, block(fields)) + reset(stream)

        self.check_flood(one, "http2_resets", within=1000, chunk=20)

    def test_cve_2023_44487_memory_is_flat_after_rapid_reset(self):
        def one(n):
            return frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 3, GET) + reset(2 * n + 3)

        before = None
        for _ in range(3):
            for _ in range(few(16)):
                self.flood(one, most=1000)
            before = before or self.resident()
        self.check_growth(self.resident() - before, 4 << 20)

    def test_cve_2025_8671_made_you_reset_ends_within_a_thousand(self):
        """The client never resets: it makes the server do so, in every way that there is."""
        wrong = (
            lambda stream: window_update(stream, (1 << 31) - 1),
            lambda stream: frame(DATA, END_STREAM, stream, b"not as long as it said"),
            lambda stream: frame(HEADERS, END_HEADERS, stream, literal("x", "no end of stream")),
        )
        for way in wrong:
            with self.subTest(way=wrong.index(way)):

                def one(n, way=way):
                    stream = 2 * n + 3
                    return frame(HEADERS, END_HEADERS, stream, POST) + way(stream)

                self.check_flood(one, "http2_resets", within=1000, chunk=20)

    def test_cve_2019_9512_to_9518_useless_frames(self):
        for name, octets in (
            ("PING", frame(PING, 0, 0, b"12345678")),
            ("SETTINGS", settings()),
            ("SETTINGS with something in it", settings((INITIAL_WINDOW, 65535), (3, 7))),
            ("PRIORITY", frame(PRIORITY, 0, 1, bytes(5))),
            ("WINDOW_UPDATE", window_update(0, 1)),
            ("an unknown type", frame(0xBE, 0, 0, b"x" * 100)),
        ):
            with self.subTest(frame=name):
                self.check_flood(lambda _: octets, "http2_frames", within=3000)

    def test_cve_2019_9518_empty_frames_of_a_stream(self):
        head = frame(HEADERS, END_HEADERS, 3, POST)
        empty, padded = frame(DATA, 0, 3), frame(DATA, 8, 3, b"\x05" + bytes(5))
        self.check_flood(lambda _: empty, "http2_frames", within=3000, before=head)
        # Padding alone is no content: the stream is owed, and time ends it.
        client = self.h2()
        client.send(head)
        slow = self.drops("slow_client")
        end = time.monotonic() + 20
        while not client.closed and time.monotonic() < end:
            client.send(padded)
            client.turn(0.05)
        self.assertTrue(client.closed)
        self.assertEqual(self.drops("slow_client"), slow + 1)

    def test_cve_2024_28182_continuations_without_end(self):
        begun = frame(HEADERS, END_STREAM, 3, GET[:20])
        for name, octets in (
            ("empty", frame(CONTINUATION, 0, 3)),
            ("small", frame(CONTINUATION, 0, 3, literal("x", "y"))),
            ("large", frame(CONTINUATION, 0, 3, literal("x", "y" * 4000))),
        ):
            with self.subTest(size=name):
                client = self.h2()
                client.send(begun)
                for _ in range(1000):
                    client.send(octets)
                    client.turn(0)
                    if client.closed:
                        break
                client.wait_closed()
                self.assertIsNotNone(client.goaway)
        self.assert_others_are_served()

    def test_cve_2026_49975_an_octet_for_each_field(self):
        """The HTTP/2 bomb: one entry of the table, referred to thousands of times, and nothing read."""
        seed = b"\x40\x01x\x64" + b"y" * 100
        before = self.resident()
        fields = self.drops("http_fields")
        for references in (110, 1500):
            for _ in range(few(10)):
                client = self.h2(pairs=((INITIAL_WINDOW, 0),), passive=True)
                client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, GET + seed))
                for n in range(1, 100):
                    block_of = GET + b"\xbe" * references
                    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, block_of))
                client.ping()
                if references == 1500:
                    client.wait_closed()
                    self.assertEqual(client.goaway[1], ENHANCE_YOUR_CALM)
                else:
                    self.assertEqual(client.of(3).status, 431)
        self.assertGreaterEqual(self.drops("http_fields"), fields + few(10))
        self.check_growth(self.resident() - before, 8 << 20)
        self.assert_others_are_served()

    def test_rfc6585_5_large_fields_are_told_so(self):
        client = self.h2()
        for fields in (
            [("x", "y" * 15_000), ("z", "y" * 2_000)],
            [(f"x-{n}", "y") for n in range(120)],
        ):
            response = client.get("/resolve?name=localhost", *fields)
            self.assertEqual(response.status, 431)
        self.assertEqual(client.get("/dns-query?dns=" + "A" * 15_000).status, 414)
        self.assert_serves(client)


class Http2Dawdlers(AttackTest):
    """Who does not go on is given up in the time for a message, whatever drips in meanwhile."""

    def check_given_up(self, client, drip, seconds=8):
        slow = self.drops("slow_client")
        began = time.monotonic()
        while not client.closed and time.monotonic() - began < seconds:
            drip()
            client.turn(0)
            time.sleep(0.05)
        self.assertTrue(client.closed, "still open")
        self.assertEqual(self.drops("slow_client"), slow + 1)
        self.assert_others_are_served()

    def test_slow_fields(self):
        client = self.h2(passive=True)  # nothing comes between the pieces
        client.send(frame(HEADERS, END_STREAM, 1, GET[:5]))
        self.check_given_up(client, lambda: None)
        client = self.h2(passive=True)
        rest = iter(frame(HEADERS, END_STREAM | END_HEADERS, 1, GET))
        client.send(bytes(next(rest) for _ in range(12)))
        self.check_given_up(client, lambda: client.send(bytes([next(rest)])))

    def test_slow_bodies(self):
        client = self.h2()
        client.send(frame(HEADERS, END_HEADERS, 1, POST))
        rest = iter(BODY)
        self.check_given_up(client, lambda: client.send(frame(DATA, 0, 1, bytes([next(rest)]))))

    def test_slow_bodies_beside_good_queries(self):
        client = self.h2()
        stream = client.headers(FIELDS)
        self.check_given_up(
            client, lambda: client.closed or (client.query(query("good.example")), stream)
        )

    def test_windows_that_stay_shut(self):
        before = self.resident()
        for size in (0, 1):
            client = self.h2(pairs=((INITIAL_WINDOW, size),), passive=True)
            self.assert_answer_is_kept(client)
            self.check_given_up(client, lambda: None)
        # One octet at a time is no way to read 4,000 of them.
        client = self.h2(pairs=((INITIAL_WINDOW, 0),), passive=True)
        stream = self.assert_answer_is_kept(client)
        self.check_given_up(client, lambda: client.send(window_update(stream, 1)))
        self.check_growth(self.resident() - before, 8 << 20)

    def assert_answer_is_kept(self, client):
        stream = client.query(query("s4000.window.example", TXT))
        client.until(lambda: client.of(stream).status, "the head of a response")
        self.assertLess(len(client.of(stream).body), 4000)
        return stream

    def test_cve_2024_12705_nobody_reads(self):
        """Large answers asked for without end, over connections that never read them."""
        wire = query("s60000.unread.example", TXT)
        self.assert_large(wire)
        before = self.resident()
        slow = self.drops("slow_client")
        clients = [self.h2(pairs=((INITIAL_WINDOW, (1 << 31) - 1),)) for _ in range(few(8))]
        for client in clients:
            client.send(window_update(0, (1 << 31) - 1 - 65535))
        highest, end = 0, time.monotonic() + 20
        while self.drops("slow_client") < slow + len(clients) and time.monotonic() < end:
            for client in clients:
                if client.flow.unsent < 1 << 16:
                    for _ in range(20):
                        client.query(wire)
                client.flow.flush()
            highest = max(highest, self.resident())
            time.sleep(0.02)
        self.assertEqual(self.drops("slow_client"), slow + len(clients))
        self.check_growth(highest - before, 24 << 20)
        self.assert_others_are_served()

    def assert_large(self, wire):
        with Http2(self.gateway.address("https"), self.gateway.authority) as client:
            self.assertGreater(len(client.ask(wire).body), 50_000)

    def test_silence_before_the_preface_is_idleness(self):
        for octets in (b"", b"PRI * HTTP/2.0\r\n"):
            client = self.h2(greets=False)
            client.send(octets)
            began = time.monotonic()
            client.wait_closed()
            self.assertLess(time.monotonic() - began, 15)

    def test_clients_that_have_gone_are_forgotten(self):
        self.upstream.script = silent
        for _ in range(few(20)):
            client = self.h2()
            for n in range(50):
                client.query(query(f"gone{n}.example"))
            client.flow.close()
        self.assert_local_answers()

    def assert_local_answers(self):
        with Http2(self.gateway.address("https"), self.gateway.authority) as client:
            self.assertEqual(client.get("/resolve?name=localhost").status, 200)


class Http1Dawdlers(AttackTest):
    HEAD = b"POST /dns-query HTTP/1.1\r\nhost: x\r\ncontent-type: application/dns-message\r\n"

    def check_given_up(self, begun, rest, status=408):
        """One octet at a time of what never ends; the client is told, and closed on."""
        slow = self.drops("slow_client")
        client = self.h1()
        client.send(begun)
        octets = itertools.cycle(rest)
        end = time.monotonic() + 8 * SLOWNESS
        while not client.closed and time.monotonic() < end:
            client.send(bytes([next(octets)]))
            client.turn(0)
            time.sleep(0.05)
        self.assertTrue(client.closed, "still open")
        self.assertEqual(client.response().status, status)
        self.assertEqual(self.drops("slow_client"), slow + 1)
        self.assert_others_are_served()

    def test_slow_fields(self):
        self.check_given_up(b"GET /dns-query?dns=", b"A")
        self.check_given_up(b"GET / HTTP/1.1\r\nhost: x\r\n", b"x: y\r\n")

    def test_slow_bodies(self):
        self.check_given_up(self.HEAD + b"content-length: 4000\r\n\r\n", b"\0")
        self.check_given_up(self.HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n")
        self.check_given_up(self.HEAD + b"transfer-encoding: chunked\r\n\r\n5;", b"a=b;")

    def test_empty_lines_are_no_requests(self):
        client = self.h1()
        end = time.monotonic() + 15 * SLOWNESS
        while not client.closed and time.monotonic() < end:
            client.send(b"\r\n")
            client.turn(0)
            time.sleep(0.05)
        self.assertTrue(client.closed, "never idle")

    def test_what_has_no_end_is_cut_off(self):
        chunked = self.HEAD + b"transfer-encoding: chunked\r\n\r\n"
        for begun, rest, statuses in (
            (b"GET /", b"a" * 1000, (414,)),
            (b"GET / HTTP/1.1\r\nhost: x\r\n", b"x-y: z\r\n" * 100, (431,)),
            (b"GET / HTTP/1.1\r\nhost: x\r\ny: ", b"z" * 1000, (431,)),
            (chunked + b"5;", b"extension;" * 100, (400, 413, 431)),
            (chunked + b"0\r\n", b"trailer: x\r\n" * 100, (400, 413, 431)),
            (chunked, b"100\r\n" + bytes(256) + b"\r\n", (413,)),
            (chunked, b"F" * 100, (400, 413)),
            (self.HEAD + b"content-length: 99999999999999999999\r\n\r\n", b"x", (400, 413)),
        ):
            with self.subTest(begun=begun[-20:]):
                client = self.h1()
                client.send(begun)
                for _ in range(3000):
                    if client.closed:
                        break
                    client.send(rest)
                    client.turn(0)
                self.assertIn(client.response().status, statuses)
                client.until(lambda: client.closed, "the end")

    def test_cve_2024_12705_nobody_reads(self):
        wire = query("s60000.unread.example", TXT)
        with Http1(self.gateway.address("https"), self.gateway.authority) as client:
            self.assertGreater(len(client.ask(wire).body), 50_000)
        before, slow = self.resident(), self.drops("slow_client")
        clients = [self.h1() for _ in range(few(8))]
        highest, end = 0, time.monotonic() + 20
        while self.drops("slow_client") < slow + len(clients) and time.monotonic() < end:
            for client in clients:
                if client.flow.unsent < 1 << 16:
                    for _ in range(20):
                        client.query(wire)
                client.flow.flush()
            highest = max(highest, self.resident())
            time.sleep(0.02)
        self.assertEqual(self.drops("slow_client"), slow + len(clients))
        self.check_growth(highest - before, 24 << 20)
        self.assert_others_are_served()

    def test_pipelines_of_any_length_are_answered(self):
        """CVE-2025-30193: and none of it by recursion."""
        count = few(20_000)
        before = self.resident()
        client = self.h1()
        request = b"GET /resolve?name=localhost HTTP/1.1\r\nhost: x\r\n\r\n"
        sent = received = 0
        while received < count:
            while sent < count and sent - received < 2000:
                client.send(request * 100)
                sent += 100
            self.assertEqual(client.response().status, 200)
            received += 1
        self.check_growth(self.resident() - before, 4 << 20)


@unittest.skipUnless(shutil.which("slowhttptest"), "slowhttptest is not installed")
class Slowhttptest(AttackTest):
    """The program that others test their web servers with, in its three modes at once."""

    def test_all_modes(self):
        host, port = self.gateway.address("https")
        slow = self.drops("slow_client")
        count = few(120)
        runs = []
        for mode in (
            ("-H",),
            ("-B", "-t", "POST", "-f", "application/dns-message"),
            ("-X", "-k", "20", "-w", "1", "-y", "8", "-n", "2", "-z", "4"),
        ):
            path = "/" if mode[0] == "-X" else "/dns-query"
            command = [
                "slowhttptest", *mode, "-c", str(count), "-r", "200", "-i", "1", "-l", "8",
                "-u", f"https://{host}:{port}{path}",
            ]  # fmt: skip
            runs.append(Process(f"slowhttptest{mode[0]}", command, self.folder))
        while any(run.returncode is None for run in runs):
            began = time.monotonic()
            self.assert_others_are_served()
            self.assertLess(time.monotonic() - began, 5 * SLOWNESS)
            time.sleep(0.2)
        for run in runs:
            run.kill()
        # Some end by themselves a moment before the server ends them.
        self.assertGreaterEqual(self.drops("slow_client"), slow + 2 * count * 9 // 10)


if __name__ == "__main__":
    unittest.main()
