"""Queries with the first packets of a resumed connection (0-RTT): taken once, from whom we know, where
it is switched on; and none that we ask so is lost. RFC 9001 §4.6 and §9.2, RFC 9250 §4.5, RFC 8470."""

import socket
import unittest

from doq_client import DoqClient, framed
from gateway import Sallyport
from fake_upstream import FakeUpstream
from harness import EndToEndTest, until
from messages import NOERROR, query, read
from rfc import RfcTest, anything
from test_doh3 import Doh3Client

REFUSED, TOO_EARLY_STATUS, EDE_TOO_EARLY = 5, 425, 26
UPDATE = 5 << 11


class Remembers:
    """What a first connection leaves for a second one, which then begins with `early()`."""

    def know(self, client):
        self.assertEqual(read(client.ask(self.wire("first.example"))).rcode, NOERROR)
        client.until(lambda: client.tickets and client.tokens, "a ticket and a token")
        return {"session_ticket": client.tickets[-1], "token": client.tokens[-1], "connect": False}

    def early_data(self, result):
        return self.gateway.metrics().total("sallyport_quic_early_data_total", result=result)

    def seen(self, name):
        return sum(name.encode() in each.wire.lower() for each in self.upstream.asked)


class Recorder(DoqClient):
    """Keeps the datagrams that it sends."""

    def __init__(self, *arguments, **how):
        self.recorded = []
        super().__init__(*arguments, **how)

    def flush(self):
        send = self.socket.sendto

        class Tap:
            @staticmethod
            def sendto(data, address):
                self.recorded.append(data)
                send(data, address)

        real, self.socket = self.socket, Tap
        super().flush()
        self.socket = real


class OfClients(Remembers, RfcTest):
    settings = {
        "listen": ("udp", "quic", "h3"),
        "quic": {"early_data": True},
    }

    @staticmethod
    def wire(name, **how):
        return query(name, number=0, **how)

    def connect(self, kind=DoqClient, **how):
        scheme = "h3" if kind is Doh3Client else "quic"
        return self.enter(
            kind(self.gateway.address(scheme), self.gateway.authority, **how)
        )

    def test_rfc9250_4_5_a_query_with_the_first_packets_is_answered(self):
        how = self.know(self.connect())
        taken = self.early_data("accepted")
        client = self.connect(**how)
        stream = client.send(self.wire("early.example"))
        self.assertFalse(client.open)
        self.assertEqual(read(client.answer(stream)).rcode, NOERROR)
        self.assertTrue(client.quic.tls.early_data_accepted)
        self.assertEqual(self.early_data("accepted"), taken + 1)

    def test_rfc9250_4_5_an_update_is_too_early(self):
        client = self.connect(**self.know(self.connect()))
        update = bytearray(self.wire("update.example"))
        update[2] = UPDATE >> 8
        reply = read(client.answer(client.write(framed(bytes(update)), fin=True)))
        self.assertEqual((reply.rcode, reply.ede), (REFUSED, [EDE_TOO_EARLY]), reply)
        later = read(client.answer(client.write(framed(bytes(update)), fin=True)))
        self.assertEqual(later.rcode, 4)  # NOTIMP, as at any other time

    def test_rfc9001_9_2_a_first_flight_that_comes_again_brings_nothing(self):
        client = self.connect(Recorder, **self.know(self.connect()))
        stream = client.send(self.wire("replayed.example"))
        flight = list(client.recorded)
        self.assertEqual(read(client.answer(stream)).rcode, NOERROR)
        self.assertEqual(self.seen("replayed"), 1)
        asked = self.gateway.metrics().total("sallyport_queries_total", transport="doq")
        replayed = self.early_data("replayed")
        client.quic.close(error_code=0)
        client.flush()

        def again():
            # Another port may lead to the other worker, which knows nothing of the connection.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
                for data in flight:
                    attacker.sendto(data, client.address)
            return self.early_data("replayed") >= replayed + 2

        until(again, "replays on both workers")
        self.assertEqual(
            self.gateway.metrics().total("sallyport_queries_total", transport="doq"), asked
        )
        self.assertEqual(self.seen("replayed"), 1)

    def test_rfc8446_8_1_a_ticket_is_taken_once(self):
        how = self.know(self.connect())
        for expected in (True, False):
            client = self.connect(**how)
            stream = client.send(self.wire("twice.example"))
            # Rejected, it goes again when the handshake is done: aioquic does so by itself.
            client.until(lambda: client.open, "the handshake")
            self.assertEqual(client.quic.tls.early_data_accepted, expected)
            if expected:
                self.assertEqual(read(client.answer(stream)).rcode, NOERROR)

    def test_rfc9000_8_1_an_address_that_is_not_proved_has_no_early_data(self):
        how = self.know(self.connect())
        rejected = self.early_data("rejected")
        client = self.connect(**how | {"token": b""})
        client.send(self.wire("unproved.example"))
        client.until(lambda: client.open, "the handshake")
        self.assertFalse(client.quic.tls.early_data_accepted)
        self.assertEqual(self.early_data("rejected"), rejected + 1)

    def test_rfc8470_5_2_over_http3(self):
        first = self.connect(Doh3Client)
        self.assertEqual(first.ask(first.get(self.wire("first.example"))).status, 200)
        first.until(lambda: first.tickets and first.tokens, "a ticket and a token")
        client = self.connect(
            Doh3Client, session_ticket=first.tickets[-1], token=first.tokens[-1], connect=False
        )
        update = bytearray(self.wire("update.example"))
        update[2] = UPDATE >> 8
        streams = [
            client.request(client.get(self.wire("early3.example"))),
            client.request(client.post(self.wire("posted3.example"))),
            client.request(client.post(bytes(update))),
        ]
        self.assertFalse(client.open)
        found = [client.response(stream).status for stream in streams]
        self.assertTrue(client.quic.tls.early_data_accepted)
        self.assertEqual(found, [200, 200, TOO_EARLY_STATUS])


class OffByDefault(Remembers, RfcTest):
    settings = {"listen": ("udp", "quic")}
    wire = staticmethod(lambda name: query(name, number=0))

    def test_tickets_promise_nothing(self):
        with DoqClient(self.gateway.address("quic"), self.gateway.authority) as client:
            how = self.know(client)
        self.assertFalse(how["session_ticket"].max_early_data_size)


class OfUpstreams(EndToEndTest):
    """One gateway behind another. Each link of the outer one ends when it is idle, so that the next
    question needs a new one."""

    def start(self, scheme, early_data=True):
        for name in ("inner", "outer"):
            (self.folder / name).mkdir()
        self.fake = self.enter(FakeUpstream(anything))
        self.inner = self.enter(
            Sallyport(
                self.folder / "inner",
                [self.fake.url()],
                listen=("udp", scheme),
                quic={"early_data": early_data},
            )
        )
        port = self.inner.address(scheme)[1]
        upstream = {
            "url": f"{scheme}://127.0.0.1:{port}",
            "ca_file": self.inner.authority,
            "early_data": True,
            "idle_timeout": "100ms",
        }
        self.outer = self.enter(
            Sallyport(self.folder / "outer", [upstream], listen=("udp", "tcp"))
        )
        self.asked = 0

    def total(self, family, **labels):
        return self.outer.metrics().total(f"sallyport_upstream_{family}_total", **labels)

    def ask(self, count=1):
        """As many questions at once over a link of their own."""
        ended = self.total("disconnections")
        with self.outer.connect("tcp") as flow:
            for n in range(count):
                self.asked += 1
                flow.send(query(f"n{self.asked}.example", number=n))
            for _ in range(count):
                reply = read(flow.receive())
                self.assertEqual(reply.rcode, NOERROR, reply)
        until(lambda: self.total("disconnections") > ended, "the idle link to end")

    def check(self, scheme):
        self.start(scheme)
        self.ask()
        for count in (1, 5, 40):
            self.ask(count)
        self.assertGreaterEqual(self.total("early_data", result="accepted"), 3)
        self.assertEqual(self.total("early_data", result="rejected"), 0)
        taken = self.inner.metrics().total("sallyport_quic_early_data_total", result="accepted")
        self.assertGreaterEqual(taken, 3)
        self.assertEqual(self.total("errors"), 0)

    def test_rfc9250_4_5_over_doq(self):
        self.check("quic")

    def test_rfc9114_7_2_4_2_over_http3(self):
        self.check("h3")

    def check_rejected(self, scheme):
        """Behind the same name is a server that knows nothing of its predecessor's tickets."""
        self.start(scheme)
        self.ask()
        self.inner.process.stop()
        self.inner.launch()
        self.ask(40)
        self.assertEqual(self.total("early_data", result="rejected"), 1)
        self.assertEqual(self.total("errors"), 0)
        self.assertEqual(len(self.fake.asked), 41)

    def test_rfc9001_4_6_2_rejected_early_data_is_not_lost_over_doq(self):
        self.check_rejected("quic")

    def test_rfc9001_4_6_2_rejected_early_data_is_not_lost_over_http3(self):
        self.check_rejected("h3")

    def test_an_upstream_that_takes_none_is_asked_as_usual(self):
        self.start("quic", early_data=False)
        self.ask()
        self.ask(5)
        self.assertEqual(self.total("early_data"), 0)
        self.assertEqual(self.total("connections", resumed="true"), 1)


if __name__ == "__main__":
    unittest.main()
