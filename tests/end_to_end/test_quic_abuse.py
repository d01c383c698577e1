"""QUIC listeners under clients that mean harm, or only many things at once, and on every kind of
address. RFC 9000 §8.1 and §21; RFC 9250 §4.3.1."""

import socket
import time
import unittest

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from doq_client import DoqClient
from fake_upstream import SILENCE, FakeUpstream
from gateway import Sallyport
from harness import SANITIZED, EndToEndTest, has_ipv6, until
from messages import NOERROR, query, read
from rfc import RfcTest, anything, few
from test_doh3 import Doh3Client

RETRY_ABOVE = 20  # handshakes under way on one worker
WORKERS = 2
SLACK = 4 if SANITIZED else 1  # what the thread sanitizer keeps beside each octet


def octets_waiting(receiver):
    """What has come; `receiver` does not block."""
    octets = 0
    try:
        while True:
            octets += len(receiver.recv(2000))
    except BlockingIOError:
        return octets


class Crowds(RfcTest):
    settings = {
        "listen": ("udp", "quic", "h3"),
        "quic": {"retry_above": RETRY_ABOVE},
        "limits": {"sessions_per_client": 5000, "query_timeout": "12s", "handshake_timeout": "30s"},
    }

    def total(self, family, **labels):
        return self.gateway.metrics().total(f"sallyport_{family}", **labels)

    def first_datagrams(self, count, alpn):
        """Whole ClientHellos of as many clients, which never say anything else."""
        configuration = QuicConfiguration(
            is_client=True, alpn_protocols=[alpn], server_name="localhost", verify_mode=False
        )
        for _ in range(count):
            client = QuicConnection(configuration=configuration)
            client.connect(("127.0.0.1", 1), now=time.monotonic())
            yield [data for data, _ in client.datagrams_to_send(now=time.monotonic())]

    def test_rfc9000_8_1_handshakes_that_are_begun_alone(self):
        """Beyond a number of them, addresses are proved first, and nothing is kept for anybody."""
        for scheme, alpn in (("quic", "doq"), ("h3", "h3")):
            with self.subTest(scheme=scheme):
                address = self.gateway.address(scheme)
                retries = self.total("quic_stateless_answers_total", kind="retry")
                before = self.resident()
                sent = received = 0
                count = few(800)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
                    attacker.setblocking(False)
                    for datagrams in self.first_datagrams(count, alpn):
                        for data in datagrams:
                            attacker.sendto(data, address)
                            sent += len(data)
                        received += octets_waiting(attacker)
                    until(
                        lambda: self.total("quic_stateless_answers_total", kind="retry") - retries
                        >= count - WORKERS * (RETRY_ABOVE + 1),
                        "the others to have to prove their addresses",
                    )
                    received += octets_waiting(attacker)
                self.check_growth(self.resident() - before, SLACK * WORKERS * RETRY_ABOVE * (160 << 10))
                self.assertLess(received, 3 * sent)
                with DoqClient(
                    self.gateway.address("quic"), self.gateway.authority
                ) as client:  # which proves its address, and is served
                    self.assertEqual(read(client.ask(query("www.example", number=0))).rcode, NOERROR)

    def test_a_thousand_answers_that_nobody_waits_for(self):
        self.upstream.script = lambda _: SILENCE
        count = few(1000)
        for number, connect in enumerate((self.connect_doq, self.connect_doh3)):
            with self.subTest(client=number):
                clients, left = [], count
                while left > 0:
                    client, send = connect()
                    for n in range(min(90, left)):
                        send(query(f"c{number}-{left}-{n}.example", number=0))
                    client.turn(0.0)
                    clients.append(client)
                    left -= 90
                until(
                    lambda: self.total("queries_waiting") >= count,
                    "all of them to be waited for",
                )
                for client in clients:
                    client.__exit__()
                until(lambda: self.total("queries_waiting") == 0, "nothing to be waited for")
        self.upstream.script = anything
        client, _ = self.connect_doq()
        self.assertEqual(read(client.ask(query("after.example", number=0))).rcode, NOERROR)

    def connect_doq(self):
        client = self.enter(DoqClient(self.gateway.address("quic"), self.gateway.authority))
        return client, client.send

    def connect_doh3(self):
        client = self.enter(Doh3Client(self.gateway.address("h3"), self.gateway.authority))
        return client, lambda wire: client.request(client.get(wire))

    def test_what_an_idle_connection_costs(self):
        count = few(400)
        for scheme, connect, most in (
            ("doq", self.connect_doq, 60),
            ("doh3", self.connect_doh3, 80),
        ):
            with self.subTest(scheme=scheme):
                connect()
                before = self.resident()
                for _ in range(count):
                    client, send = connect()
                    send(query("www.example", number=0))
                    client.turn(0.01)
                grown = (self.resident() - before) / count / 1024
                print(f"an idle {scheme} connection: {grown:.1f} KiB", flush=True)
                self.check_growth(grown, most * SLACK)


class Threshold(RfcTest):
    """`retry_above` to the handshake: so many may be under way without a proof of their address."""

    MOST = 5
    settings = {
        "listen": ("udp", "quic"),
        "server": {"workers": 1},
        "quic": {"retry_above": MOST},
        "limits": {"handshake_timeout": "60s"},
    }

    def retries(self):
        return self.gateway.metrics().total(
            "sallyport_quic_stateless_answers_total", kind="retry"
        )

    def connect(self, **how):
        return self.enter(DoqClient(self.gateway.address("quic"), self.gateway.authority, **how))

    def begin(self):
        """A handshake that the server has answered, and whose client says nothing any more."""
        client = self.connect(connect=False)
        client.dropping = True
        client.until(lambda: client.received, "the server's part of the handshake")
        return client

    def test_rfc9000_8_1_2_the_first_handshake_with_retry(self):
        begun = [self.begin() for _ in range(self.MOST)]
        self.assertEqual(self.retries(), 0)
        for n in (1, 2, 3):  # and those that prove their address take no place
            self.assertEqual(read(self.connect().ask(query("www.example", number=0))).rcode, NOERROR)
            self.assertEqual(self.retries(), n)
        begun[0].dropping = False
        self.assertEqual(read(begun[0].ask(query("www.example", number=0))).rcode, NOERROR)
        begun.append(self.begin())
        self.assertEqual(self.retries(), 3)
        self.connect()
        self.assertEqual(self.retries(), 4)


class Connected(DoqClient):
    """Hears nobody but the address that it asked."""

    def _open(self):
        made = super()._open()
        made.connect(self.address)
        return made


class Addresses(EndToEndTest):
    def test_answers_come_from_where_they_were_asked(self):
        """On wildcard sockets, too, that know of no address of their own."""
        families = ("0.0.0.0", "::") if has_ipv6() else ("0.0.0.0",)
        hosts = ("127.0.0.1", "127.0.0.2", "127.8.9.10") + (("::1",) if has_ipv6() else ())
        upstream = self.enter(FakeUpstream(anything))
        gateway = Sallyport(
            self.folder, [upstream.url()], listen=("udp", "quic", "h3"),
            server={"allow": ["127.0.0.0/8", "::1/128"]},
        )  # fmt: skip
        gateway.hosts = families
        self.enter(gateway)
        for host in hosts:
            for round_ in range(3):
                with self.subTest(host=host, round=round_):
                    client = Connected((host, gateway.address("quic")[1]), gateway.authority)
                    with client:
                        reply = read(client.ask(query("www.example", number=0)))
                        self.assertEqual(reply.rcode, NOERROR)

    @unittest.skipUnless(has_ipv6(), "no IPv6 here")
    def test_ipv6(self):
        upstream = self.enter(FakeUpstream(anything))
        gateway = self.enter(
            Sallyport(self.folder, [upstream.url()], listen=("udp", "quic"), ipv6=True)
        )
        port = gateway.address("quic")[1]
        outer = self.folder / "outer"
        outer.mkdir()
        asking = self.enter(
            Sallyport(
                outer, [{"url": f"quic://[::1]:{port}", "ca_file": gateway.authority}]
            )
        )
        for n in range(5):
            self.assertEqual(read(asking.ask("udp", f"n{n}.example")).rcode, NOERROR)


if __name__ == "__main__":
    unittest.main()
