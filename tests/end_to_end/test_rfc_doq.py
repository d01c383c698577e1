"""DNS over QUIC as clients meet it. RFC 9250, and of RFC 9000 what an attacker would try first."""

import os
import random
import socket
import struct
import time
import unittest

from doq_client import (


    PROTOCOL_ERROR,
    REQUEST_CANCELLED,
    DoqClient,
    framed,
)
from fake_upstream import SILENCE
from harness import ready, run_peer, until
from messages import NOERROR, query, read
from quic_forger import CRYPTO, FrameClient
from rfc import RfcTest, anything, few

CRYPTO_ERROR = 0x100
WWW = b"\0\0" + query("www.zone.example", number=1)[2:]


def silent(_):
    return SILENCE


class DoqTest(RfcTest):
    settings = {
        "listen": ("udp", "quic"),
        "limits": {"message_timeout": "1s", "sessions_per_client": 5000},
    }

    def connect(self, **how):
        return self.enter(
            DoqClient(self.gateway.address("quic"), self.gateway.authority, **how)
        )

    def still_serves(self):
        with DoqClient(self.gateway.address("quic"), self.gateway.authority) as other:
            self.assertEqual(read(other.ask(WWW)).rcode, NOERROR)

    def waiting(self):
        return self.gateway.metrics().total("sallyport_queries_waiting")


class Rfc9250(DoqTest):
    def test_4_1_1_kdig_is_answered_and_padded(self):
        port = self.gateway.address("quic")[1]
        found = run_peer(
            "kdig", "@127.0.0.1", "-p", port, "+quic", f"+tls-ca={self.gateway.authority}",
            "+tls-hostname=localhost", "+padding", "www.zone.example", "A",
        )
        self.assertIn("status: NOERROR; id: 0", found.stdout, found.stderr)
        self.assertIn("192.0.2.1", found.stdout)
        self.assertRegex(found.stdout, r"Received 468 B")  # §5.4, RFC 8467 §4.1

    def test_4_1_1_other_protocols_are_refused(self):
        for alpn in (("h3",), ("dot",), ()):
            with self.subTest(alpn=alpn):
                client = self.connect(alpn=alpn, connect=False)
                self.assertEqual(client.end_code(), CRYPTO_ERROR + 120)

    def test_4_2_one_query_per_stream_with_fin_after_its_answer(self):
        client = self.connect()
        streams = [client.send(query(f"n{n}.example", number=0)) for n in range(50)]
        for stream in streams:
            self.assertEqual(read(client.answer(stream)).rcode, NOERROR)

    def test_4_2_a_query_may_come_in_pieces(self):
        client = self.connect()
        octets = framed(WWW)
        for cut in (1, 2, 3, len(octets) - 1):
            stream = client.write(octets[:cut])
            client.turn(0.02)
            client.write(octets[cut:], stream=stream)
            client.turn(0.02)
            client.write(b"", stream=stream, fin=True)
            self.assertEqual(read(client.answer(stream)).rcode, NOERROR)

    def test_4_2_a_large_answer_arrives_whole(self):
        client = self.connect()
        self.assertEqual(len(client.ask(query("s60000.zone.example", 16, number=0, edns=None))), 60000)

    def test_4_2_1_a_message_id_is_an_error(self):
        client = self.connect()
        client.write(framed(query("www.zone.example", number=1234)), fin=True)
        self.assertEqual(client.end_code(), PROTOCOL_ERROR)

    def test_4_2_1_upstreams_see_ids_of_their_own(self):
        client = self.connect()
        for n in range(4):
            client.ask(query(f"id{n}.example", number=0))
        ids = {asked.wire[:2] for asked in self.upstream.asked}
        self.assertEqual(len(ids), 4)

    def test_4_3_1_a_reset_abandons_the_query_and_frees_its_stream(self):
        self.upstream.script = silent
        client = self.connect()
        for n in range(20):
            stream = client.write(framed(query(f"reset{n}.example", number=0)))
            client.quic.reset_stream(stream, REQUEST_CANCELLED)
            client.flush()
        client.turn(0.1)
        until(lambda: self.waiting() == 0, "nothing to be waited for any more")
        client.until(lambda: len(client.reset) == 20, "the server's side to be reset")

    def test_4_3_1_stop_sending_is_answered_with_a_reset(self):
        self.upstream.script = silent
        client = self.connect()
        stream = client.send(query("stop.example", number=0))
        client.turn(0.1)
        client.quic.stop_stream(stream, REQUEST_CANCELLED)
        client.flush()
        client.until(lambda: stream in client.reset, "RESET_STREAM")
        self.upstream.script = anything
        self.assertEqual(read(client.ask(WWW)).rcode, NOERROR)

    def test_4_3_2_a_failure_is_an_answer(self):
        self.upstream.script = silent
        with self.connect() as client:
            self.assertEqual(read(client.ask(query("dead.example", number=0))).rcode, 2)

    def test_4_3_3_fin_before_the_promised_octets(self):
        for octets in (b"", b"\0", b"\0\xff" + WWW, framed(WWW)[:-1]):
            with self.subTest(size=len(octets)):
                client = self.connect()
                client.write(octets, fin=True)
                self.assertEqual(client.end_code(), PROTOCOL_ERROR)

    def test_4_3_3_two_queries_on_a_stream(self):
        for pause in (False, True):
            with self.subTest(pause=pause):
                client = self.connect()
                stream = client.write(framed(WWW))
                if pause:
                    client.turn(0.05)
                client.write(framed(WWW), stream=stream, fin=True)
                self.assertEqual(client.end_code(), PROTOCOL_ERROR)

    def test_4_3_3_what_is_no_query(self):
        response = b"\0\0\x81\x80" + WWW[4:]
        for octets in (b"\0\0", framed(b"\0" * 11), framed(response)):
            with self.subTest(size=len(octets)):
                client = self.connect()
                client.write(octets, fin=True)
                self.assertEqual(client.end_code(), PROTOCOL_ERROR)

    def test_4_3_3_unidirectional_streams_are_not_allowed(self):
        client = self.connect()
        self.assertEqual(client.quic._remote_max_streams_uni, 0)

    def test_5_5_2_the_keepalive_option_is_an_error(self):
        client = self.connect()
        opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 4) + struct.pack("!HH", 11, 0)
        plain = query("www.zone.example", number=0, edns=None)
        client.write(framed(plain[:10] + b"\0\1" + plain[12:] + opt), fin=True)
        self.assertEqual(client.end_code(), PROTOCOL_ERROR)

    def test_5_5_3_sessions_are_resumed(self):
        first = self.connect()
        first.ask(WWW)
        client = self.connect(session_ticket=first.tickets[-1])
        self.assertTrue(client.quic.tls.session_resumed)
        self.assertEqual(read(client.ask(WWW)).rcode, NOERROR)


class Rfc9000(DoqTest):
    def test_4_1_answers_wait_for_the_clients_credit(self):
        """CVE-2026-55991: a window of few octets, widened later, and the answer arrives whole."""
        for window in (1, 10, 100):
            with self.subTest(window=window):
                client = self.connect(max_stream_data=window)
                self.assertEqual(len(client.ask(query("s3000.zone.example", 16, number=0, edns=None))), 3000)

    def test_5_2_2_nobody_answers_scraps(self):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.settimeout(0.2)
        shy = struct.pack("!BIB", 0xC0, 0x1A2A3A4A, 8) + bytes(8) + b"\0"
        for octets in (b"\0", b"\xc0", os.urandom(1200)[:20], shy, b"\xc0" + bytes(1300)):
            client.sendto(octets, self.gateway.address("quic"))
            with self.assertRaises(TimeoutError):
                client.recv(2000)
        self.still_serves()

    def test_6_1_another_version_is_negotiated(self):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.settimeout(5)
        header = struct.pack("!BIB", 0xC0, 0x1A2A3A4A, 8) + b"destinat" + b"\6source"
        client.sendto(header + bytes(1200 - len(header)), self.gateway.address("quic"))
        reply = client.recv(2000)
        self.assertEqual(reply[1:5], bytes(4))
        self.assertEqual(reply[5:21], b"\6source\x08destinat"[:16])
        self.assertIn(struct.pack("!I", 1), [reply[n : n + 4] for n in range(21, len(reply), 4)])
        self.assertLess(len(reply), 100)

    def test_8_1_no_more_than_threefold_before_the_address_is_proved(self):
        client = self.connect(connect=False)
        client.dropping = True  # nothing more leaves
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            ready([client.socket], seconds=0.05)
            try:
                client.received += len(client.socket.recv(65535))
            except BlockingIOError:
                pass
        self.assertGreater(client.received, 0)
        self.assertLessEqual(client.received, 3 * 1200)

    def test_9_3_a_client_that_moves_is_answered(self):
        client = self.connect()
        client.ask(WWW)
        for n in range(few(40)):
            client.move()
            self.assertEqual(read(client.ask(query(f"moved{n}.example", number=0))).rcode, NOERROR)
        until(
            lambda: self.gateway.metrics().total("sallyport_quic_migrations_total") > 0,
            "a validated path",
        )

    def test_10_3_a_forgotten_connection_is_reset(self):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.settimeout(5)
        octets = b"\x41" + os.urandom(99)
        client.sendto(octets, self.gateway.address("quic"))
        self.assertLess(len(client.recv(2000)), len(octets))
        client.settimeout(0.3)
        client.sendto(b"\x41" + os.urandom(20), self.gateway.address("quic"))
        with self.assertRaises(TimeoutError):
            client.recv(2000)

    def test_10_2_a_connection_that_was_closed_is_gone(self):
        with self.connect() as client:
            client.ask(WWW)
        until(
            lambda: self.gateway.metrics().total("sallyport_sessions", transport="doq") == 0,
            "no session to be left",
        )

    def test_14_1_a_small_initial_is_ignored(self):
        client = self.connect(connect=False)
        small = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(small.close)
        small.settimeout(0.3)
        header = b"\xc3" + struct.pack("!IB", 1, 8) + os.urandom(8) + b"\0\0"
        small.sendto(header + struct.pack("!H", 0x4000 | 400) + os.urandom(400), client.address)
        with self.assertRaises(TimeoutError):
            small.recv(2000)


class Rfc9001(DoqTest):
    """The server has let go of all of TLS by the time of these."""

    def test_6_keys_are_updated_by_either_side(self):
        client = self.connect()
        for _ in range(4):
            self.assertEqual(read(client.ask(WWW)).rcode, NOERROR)
            client.quic.request_key_update()
            self.assertEqual(read(client.ask(WWW)).rcode, NOERROR)
            client.until(
                lambda: not client.quic._loss.bytes_in_flight, "the update to be confirmed"
            )

    def test_6_no_message_of_tls_updates_keys(self):
        for message in (b"\x18\0\0\1\1", b"\x18\0\0\1\0", b"\1\0\0\0", b"\0"):
            with self.subTest(message=message):
                client = self.enter(
                    FrameClient(self.gateway.address("quic"), self.gateway.authority)
                )
                client.until(lambda: client.tickets, "the server's last message")
                self.assertEqual(read(client.ask(WWW)).rcode, NOERROR)
                client.say(CRYPTO + b"\0" + bytes([len(message)]) + message)
                self.assertEqual(client.end_code(), CRYPTO_ERROR + 10)


class Limits(DoqTest):
    def test_a_message_that_does_not_end_loses_its_stream(self):
        client = self.connect()
        stream = client.write(b"\xff\xff")
        client.until(lambda: stream in client.reset, "the stream to be given up")
        self.assertEqual(read(client.ask(WWW)).rcode, NOERROR)

    def test_streams_of_one_octet_cost_nothing_for_long(self):
        before = None
        for _ in range(3):
            clients = [self.connect() for _ in range(few(16))]
            for client in clients:
                for _ in range(100):
                    client.write(b"\0")
            for client in clients:
                client.until(lambda c=client: len(c.reset) == 100, "all streams to be given up")
                client.__exit__()
            resident = self.resident()
            before = before or resident
        self.check_growth(resident - before, 8 << 20)

    def test_a_promise_of_65535_octets_reserves_nothing(self):
        client = self.connect()
        client.ask(WWW)
        before = self.resident()
        for _ in range(90):
            client.write(b"\xff\xff")
        client.turn(0.2)
        self.check_growth(self.resident() - before, 2 << 20)

    def test_more_streams_than_at_a_time(self):
        client = self.connect()
        streams = [client.send(query(f"many{n % 7}.example", number=0)) for n in range(350)]
        for stream in streams:
            client.answer(stream)


class Retry(DoqTest):
    settings = {**DoqTest.settings, "quic": {"retry_above": 0}}

    def test_8_1_2_every_new_client_proves_its_address(self):
        retries = self.gateway.metrics().total(
            "sallyport_quic_stateless_answers_total", kind="retry"
        )
        client = self.connect()
        self.assertEqual(read(client.ask(WWW)).rcode, NOERROR)
        after = self.gateway.metrics().total("sallyport_quic_stateless_answers_total", kind="retry")
        self.assertEqual(after, retries + 1)

    def test_8_1_3_a_token_spares_the_next_connection_that(self):
        first = self.connect()
        first.until(lambda: first.tokens, "NEW_TOKEN")
        before = self.gateway.metrics().total("sallyport_quic_stateless_answers_total", kind="retry")
        self.connect(token=first.tokens[0])
        after = self.gateway.metrics().total("sallyport_quic_stateless_answers_total", kind="retry")
        self.assertEqual(after, before)

    def test_8_1_4_forged_tokens_and_forged_initials_cost_no_memory(self):
        attacker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(attacker.close)
        attacker.setblocking(False)
        before = self.resident()
        sent = received = 0
        for n in range(few(20000)):
            token = b"" if n % 2 else bytes([random.choice((0x36, 0xB7, 0x11))]) + os.urandom(60)
            octets = b"\xc3" + struct.pack("!IB", 1, 8) + os.urandom(8) + b"\0"
            octets += bytes([len(token)]) + token + struct.pack("!H", 0x4000 | 1000)
            octets += os.urandom(1200 - len(octets))
            attacker.sendto(octets, self.gateway.address("quic"))
            sent += len(octets)
            try:
                while True:
                    received += len(attacker.recv(2000))
            except BlockingIOError:
                pass
        self.assertLess(received, 3 * sent)
        self.check_growth(self.resident() - before, 8 << 20)
        self.still_serves()


if __name__ == "__main__":
    unittest.main()
