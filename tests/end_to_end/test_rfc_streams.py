"""DNS over TCP and TLS as a stream: framing, order, limits, patience. RFC 1035 §4.2.2, 7766, 9210."""

import random
import socket
import struct
import time
import unittest

from clients import Closed, Stream, ask_many
from fake_upstream import HOLD, address
from harness import QUICK, until
from messages import A, NOERROR, TXT, query, read
from rfc import ADDRESS, STREAMS, RfcTest, anything, few, question_of


def framed(*messages):
    return b"".join(struct.pack("!H", len(message)) + message for message in messages)


def held(asked):
    """Names that begin with "slow" wait for release()."""
    return HOLD if asked.name.startswith("slow") else anything(asked)


class Streams(RfcTest):
    def release(self, count):
        self.upstream.wait_for(count)
        self.upstream.release(anything)

    def test_rfc7766_6_2_1_1_pipelined_queries_are_answered_as_they_get_ready(self):
        """§7: a quick answer does not wait for a slow one before it."""
        self.upstream.script = held
        for transport in STREAMS:
            with self.gateway.connect(transport) as flow:
                flow.send(query(f"slow.{transport}.example", number=1))
                for n in range(2, 12):
                    flow.send(query(f"quick{n}.{transport}.example", number=n))
                numbers = {read(flow.receive()).number for _ in range(10)}
                self.assertEqual(numbers, set(range(2, 12)), transport)
                self.upstream.release(anything)
                self.assertEqual(read(flow.receive()).number, 1)

    def test_rfc7766_7_ids_on_one_connection_may_even_be_equal(self):
        for transport in STREAMS:
            with self.gateway.connect(transport) as flow:
                for n in range(20):
                    flow.send(query(f"equal{n}.zone.example", number=77))
                questions = {question_of(flow.receive()) for _ in range(20)}
                self.assertEqual(len(questions), 20)

    def test_rfc7766_8_a_message_may_come_in_pieces(self):
        wire = framed(query("pieces.zone.example", number=5))
        for transport in STREAMS:
            for size in (1, 2, 3, 13):
                with self.subTest(transport=transport, size=size):
                    with self.gateway.connect(transport) as flow:
                        for at in range(0, len(wire), size):
                            flow.send_octets(wire[at : at + size])
                            # Each of them a segment, and a TLS record, of its own.
                            flow.flush()
                        self.assertEqual(read(flow.receive()).rdata(A), [ADDRESS])

    def test_rfc7766_8_pieces_of_any_size_hold_any_number_of_messages(self):
        rng = random.Random(7766)
        count = few(2000)
        wires = [query(f"n{n % 50}.zone.example", number=n) for n in range(count)]
        octets = framed(*wires)
        for transport in STREAMS:
            with self.gateway.connect(transport) as flow:
                at, numbers = 0, set()
                while at < len(octets) or len(numbers) < count:
                    size = rng.choice((1, 7, 30, 500, 4000))
                    flow.send_octets(octets[at : at + size])
                    at += size
                    if at >= len(octets):
                        numbers.add(read(flow.receive()).number)
                self.assertEqual(numbers, set(range(count)), transport)

    def test_rfc7766_8_length_and_message_leave_together(self):
        """And answers that are ready together do, too: one TLS record holds them all."""
        self.ask("udp", query("together.zone.example"))
        wires = [query("together.zone.example", number=n) for n in range(20)]
        for transport in STREAMS:
            with self.gateway.connect(transport) as flow:
                flow.send_octets(framed(*wires))
                first = until(lambda: self.first_octets(flow), "the first octets")
                self.assertGreaterEqual(len(first), 2 + (first[0] << 8 | first[1]), transport)
                if transport == "tls":
                    self.assertEqual(len(first), 20 * (2 + (first[0] << 8 | first[1])))

    def first_octets(self, flow):
        try:
            return flow._socket.recv(65536)
        except OSError:  # nothing yet
            return b""

    def test_rfc7766_6_2_4_a_client_that_sends_no_more_still_gets_its_answers(self):
        self.upstream.script = held
        with self.gateway.connect("tcp") as flow:
            for n in range(5):
                flow.send(query(f"slow{n}.half.example", number=n))
            flow._socket.shutdown(socket.SHUT_WR)
            self.release(5)
            numbers = {read(reply).number for reply in flow.wait_closed()}
        self.assertEqual(numbers, set(range(5)))

    def test_rfc7766_6_2_4_nothing_is_sent_to_a_client_that_left(self):
        self.upstream.script = held
        for transport in STREAMS:
            self.upstream.forget()
            before = self.gateway.metrics().total("sallyport_drops_total", reason="client_gone")
            with self.gateway.connect(transport) as flow:
                for n in range(5):
                    flow.send(query(f"slow{n}.{transport}.gone.example", number=n))
                self.upstream.wait_for(5)
                # With a reset: a mere FIN says that no more questions will come.
                linger = struct.pack("ii", 1, 0)
                flow._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            until(
                lambda: self.gateway.metrics().total("sallyport_sessions", transport=transport) == 0,
                "the connection's end to be seen",
            )
            self.upstream.release(anything)
            until(
                lambda: self.gateway.metrics().total("sallyport_drops_total", reason="client_gone")
                >= before + 5,
                "the answers to be dropped",
            )
            # They were not in vain: who asks next gets them from the cache.
            count = self.upstream.count()
            found = self.ask(transport, query(f"slow0.{transport}.gone.example"))
            self.assertEqual((found.rdata(A), self.upstream.count()), ([ADDRESS], count))

    def test_rfc7766_6_2_1_one_connection_for_a_great_many_queries(self):
        """CVE-2025-30193: recursion that grows with each query."""
        count = few(10_000)
        right = []
        for transport in STREAMS:
            with self.gateway.connect(transport) as flow:
                wire = query("many.zone.example")
                lost = ask_many(
                    [(flow, ((n, wire) for n in range(count)))],
                    lambda _, n, __, reply: right.append(reply[-4:] != b"" and reply[3] & 15 == 0),
                    window=100,
                )
            self.assertEqual(lost, [])
        self.assertEqual((len(right), all(right)), (2 * count, True))


class Patience(RfcTest):
    """How long slow and silent clients are borne."""

    settings = {
        "limits": {
            "idle_timeout": "1s",
            "message_timeout": "1s",
            "handshake_timeout": "1s",
            "query_timeout": "20s",
        }
    }

    def open_for(self, flow, keep_busy=lambda: None):
        """Seconds until the server closes; fails when it does not."""
        began = time.monotonic()

        def closed():
            keep_busy()
            try:
                flow.messages()
            except Closed:
                return True

        until(closed, "the server to close")
        return time.monotonic() - began

    def test_rfc7766_6_2_3_idle_connections_are_closed(self):
        for transport in STREAMS:
            for name in (None, "idle.zone.example"):
                with self.subTest(transport=transport, name=name):
                    with self.gateway.connect(transport) as flow:
                        if name:
                            flow.ask(query(name))
                        self.assertGreater(self.open_for(flow), 0.7)

    def test_rfc7766_6_2_3_a_query_under_way_is_not_idleness(self):
        self.upstream.script = held
        for transport in STREAMS:
            with self.gateway.connect(transport) as flow:
                flow.send(query(f"slow.{transport}.idle.example"))
                time.sleep(2)  # twice what an idle connection is kept
                self.upstream.release(anything)
                self.assertEqual(read(flow.receive()).rcode, NOERROR)

    def test_rfc7766_6_2_3_only_whole_messages_count(self):
        """A client that drips octets is closed as if it were silent."""
        drips = framed(query("drip.zone.example"))
        for transport in STREAMS:
            for what in (drips, struct.pack("!H", 65535) + bytes(1000)):
                with self.subTest(transport=transport, promised=what[0] << 8 | what[1]):
                    with self.gateway.connect(transport) as flow:
                        octets = iter(what[:-1])
                        due = [time.monotonic()]

                        def drip():
                            if time.monotonic() >= due[0]:
                                flow.send_octets(bytes([next(octets, 0)]))
                                due[0] += 0.3

                        # The last octet would come after ten seconds and more.
                        self.assertLess(self.open_for(flow, drip), 0.3 * len(drips))

    def test_rfc9210_4_2_a_handshake_that_does_not_come(self):
        for octets in (b"", b"\x16", b"\x16\x03\x01\x02\x00" + bytes(20)):
            with self.subTest(octets=octets):
                address = self.gateway.address("tls")
                with socket.create_connection(address, 20) as silent:
                    silent.sendall(octets)
                    began = time.monotonic()
                    while silent.recv(4096):  # an alert, perhaps
                        pass
                    if not octets:
                        self.assertGreater(time.monotonic() - began, 0.7)

    def test_a_client_that_does_not_read_costs_little(self):
        """CVE-2024-0760: whoever asks for megabytes and takes nothing is left."""
        wire = query("s60000.zone.example", TXT)
        self.ask("tcp", wire)
        before = self.resident()
        for transport in STREAMS:
            flows = [self.enter(self.gateway.connect(transport)) for _ in range(10)]
            for flow in flows:
                flow._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                flow.send_octets(framed(wire) * 400)
            highest = before
            drops = self.drops()
            end = time.monotonic() + 20

            while self.drops() < drops + len(flows) and time.monotonic() < end:
                highest = max(highest, self.resident())
                for flow in flows:
                    flow.flush()
                time.sleep(0.05)
            self.assertGreaterEqual(self.drops(), drops + len(flows), transport)
            if not QUICK:
                self.assertLess(highest - before, 24 << 20, transport)

    def drops(self):
        return self.gateway.metrics().total("sallyport_drops_total", reason="slow_client")


class Caps(RfcTest):
    settings = {
        "server": {"workers": 1},
        "limits": {"sessions": 6, "sessions_per_client": 6, "queries_per_session": 10},
    }

    def is_open(self, flow):
        try:
            return read(flow.ask(query("open.zone.example"))).rcode == NOERROR
        except Closed:
            return False

    def test_rfc9210_4_2_the_one_that_is_idle_longest_gives_way(self):
        flows = []
        for n in range(6):
            flows.append(self.enter(self.gateway.connect(STREAMS[n % 2])))
            self.assertTrue(self.is_open(flows[-1]))
        self.assertTrue(self.is_open(flows[0]))  # the second is idle longest now
        # Another client: one that has its share already would be refused.
        newcomer = self.enter(Stream(self.gateway.address("tcp"), source="127.0.0.2"))
        self.assertTrue(self.is_open(newcomer))
        flows[1].wait_closed()
        for n in (0, 2, 3, 4, 5):
            self.assertTrue(self.is_open(flows[n]), n)
        for flow in (*flows, newcomer):
            flow.close()

    def test_rfc9210_4_2_a_connection_is_not_read_while_its_queries_wait(self):
        self.upstream.script = held
        for transport in STREAMS:
            self.upstream.forget()
            with self.gateway.connect(transport) as flow:
                for n in range(200):
                    flow.send(query(f"slow{n}.{transport}.cap.example", number=n))
                numbers = set()
                while len(numbers) < 200:
                    count = min(200, len(numbers) + 10)
                    self.upstream.wait_for(count)
                    self.assertEqual(self.upstream.count(), count, "more than may wait")
                    self.upstream.release(address)
                    numbers |= {read(flow.receive()).number for _ in range(count - len(numbers))}


class CapOfOne(RfcTest):
    settings = {"limits": {"sessions_per_client": 3}}

    def test_rfc9210_4_2_one_address_has_its_share_and_no_more(self):
        flows = [self.enter(self.gateway.connect(kind)) for kind in ("tcp", "tls", "tcp")]
        for flow in flows:
            self.assertEqual(read(flow.ask(query("share.zone.example"))).rcode, NOERROR)
        fourth = self.enter(self.gateway.connect("tcp"))
        self.assertEqual(fourth.wait_closed(), [])
        for flow in flows:
            self.assertEqual(read(flow.ask(query("share.zone.example"))).rcode, NOERROR)
        flows[0].close()

        def admitted():
            with self.gateway.connect("tcp") as flow:
                return self.answer_or_end(flow, query("share.zone.example"))

        until(admitted, "the place that was given back")
        self.assertEqual(self.ask("udp", query("share.zone.example")).rcode, NOERROR)


if __name__ == "__main__":
    unittest.main()
