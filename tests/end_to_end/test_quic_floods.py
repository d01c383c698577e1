"""Floods against QUIC listeners in the size that attackers send: forged Initials, scraps, unknown
versions, used tokens, streams of one octet, queries that are taken back. Memory is the same behind
each, nothing is waited for, honest clients are served. RFC 9000 §21, RFC 9250 §4.3.1."""

import os
import random
import unittest

from aioquic.buffer import encode_uint_var as number

import quic_forger as forger
from doq_client import REQUEST_CANCELLED, DoqClient, framed
from fake_upstream import SILENCE
from harness import SANITIZED, until
from messages import NOERROR, query, read
from quic_forger import CRYPTO, Flood, FrameClient, initial, noise, reset_frame, stop_frame, stream_frame
from rfc import RfcTest, anything
from test_doh3 import REQUEST_CANCELLED as H3_REQUEST_CANCELLED
from test_doh3 import Doh3Client

MIB = 1 << 20
FORGED = 50_000
OTHERS = 20_000
CONNECTIONS, STREAMS = 50, 5_000
PENDING = 1_000
AT_A_TIME = 100  # streams of a connection
FLAT = 6 * MIB  # what a second wave may leave: noise of the heap


class FloodTest(RfcTest):
    settings = {
        "listen": ("udp", "quic", "h3"),
        "quic": {"retry_above": 50},
        "limits": {
            "sessions_per_client": 5000,
            "query_timeout": "8s",  # a thousand queries are under way within that
            # A client here has many connections and little time for each on a busy machine.
            "handshake_timeout": "5s",
            "message_timeout": "60s",
            "idle_timeout": "60s",
        },
    }

    def total(self, family, **labels):
        return self.gateway.metrics().total(f"sallyport_{family}", **labels)

    def answers(self, kind):
        return self.total("quic_stateless_answers_total", kind=kind)

    def received(self):
        return self.total("quic_datagrams_total", what="received")

    def assert_serves(self):
        for client in (self.doq(), self.doh3()):
            with client:
                wire = query("www.example", number=0)
                self.assertEqual(read(client.ask(wire)).rcode, NOERROR)
        until(lambda: self.total("queries_waiting") == 0, "nothing to be waited for")

    def doq(self, kind=DoqClient, **how):
        return kind(self.gateway.address("quic"), self.gateway.authority, **how)

    def doh3(self):
        return AskingDoh3(self.gateway.address("h3"), self.gateway.authority)

    def assert_flat(self, wave):
        """The first wave fills what the server keeps for the next; the second one finds it there."""
        wave()
        self.assert_serves()
        before = self.resident()
        used = self.processor_seconds()
        wave()
        self.assert_serves()
        grown = self.resident() - before
        print(
            f"{self.id().rpartition('.')[2]}: {grown / 1024:.0f} KiB more,"
            f" {self.processor_seconds() - used:.2f} s of the processor",
            flush=True,
        )
        self.check_growth(grown, FLAT)


class AskingDoh3(Doh3Client):
    def ask(self, wire):
        return self.response(self.request(self.get(wire))).body


class Datagrams(FloodTest):
    """Whatever is sent by whom has not proved its address: never more comes back than three times
    that (RFC 9000 §8.1)."""

    def flood(self, datagrams, scheme="quic", most=3.0):
        before = self.received()
        with Flood(self.gateway.address(scheme)) as flood:
            flood.send(datagrams)
            until(
                lambda: self.received() - before >= 0.99 * flood.sent, "the datagrams to be read"
            )
            flood.collect()
            self.assertLessEqual(flood.received_octets, most * flood.sent_octets)

    def forged_initials(self, count):
        """One in ten can be decrypted, with all that frames can do wrong in it."""
        hello = CRYPTO + number(0) + number(300) + os.urandom(300)
        wrong = (
            hello,  # no ClientHello
            CRYPTO + number(700) + number(100) + os.urandom(100),  # a part from its middle
            CRYPTO + number(0) + number(4) + b"\1\0\xff\xff",  # the promise of a long one
            CRYPTO + number((1 << 62) - 1000) + number(100) + os.urandom(100),
            stream_frame(0, b"\0"),  # not of this packet type (§12.4)
            b"\x02" + number(5) + number(0) + number(0) + number(5),  # acknowledges what was not sent
            b"\x1c" + number(0) + number(0) + number(0),  # goodbye
            b"\x21" + os.urandom(100),  # unknown (§12.4)
            b"",  # nothing but padding
            b"\1",
        )
        for n in range(count // 10):
            yield initial(wrong[n % len(wrong)])
            for _ in range(9):
                yield noise()

    def test_rfc9000_17_2_2_forged_initials(self):
        def wave():
            self.flood(self.forged_initials(FORGED // 4))
            self.flood(self.forged_initials(FORGED // 4), scheme="h3")

        self.assert_flat(wave)

    def test_rfc9000_14_1_short_datagrams(self):
        """Initials that are too small, and what is nothing at all; resets are rarer than what they
        answer, and smaller."""
        starts = (b"\x40", b"\x43", b"\xc0", b"\xd0", b"\xe0", b"\xf0", b"\x00")
        chance = random.Random(14)

        def scraps():
            for n in range(OTHERS // 2):
                if n % 4 == 0:
                    yield noise(size=chance.randrange(40, 1199))
                else:
                    yield starts[n % len(starts)] + chance.randbytes(chance.randrange(0, 80))

        resets = self.answers("reset")
        self.assert_flat(lambda: self.flood(scraps(), most=1.0))
        self.assertGreater(self.answers("reset"), resets)

    def test_rfc9000_6_1_unknown_versions(self):
        """Each may be answered with the versions that we speak, some are; none of the answers is as
        large as what it answers."""

        def others():
            for n in range(OTHERS // 2):
                yield noise(version=0x0A0A0A0A if n % 2 else 0xFF000000 | n)

        before = self.answers("version_negotiation")
        self.assert_flat(lambda: self.flood(others(), most=0.1))
        self.assertGreater(self.answers("version_negotiation"), before)

    def test_rfc9000_8_1_3_replayed_tokens(self):
        """A Retry's token holds for the address and port that got it, and not with another id; made-up
        ones hold for nobody. Both are refused at once. One of NEW_TOKEN saves its address the proof,
        but nothing is kept for who then says nothing of use."""
        with self.doq() as client:
            client.until(lambda: client.tokens, "a token")
            address_token = client.tokens[0]
        tokens = (self.retry_token(), self.retry_token()[:-1] + b"\0", address_token)

        def replayed():
            for n in range(OTHERS // 2):
                token = tokens[n % len(tokens)]
                yield initial(b"\1", token=token) if n % 10 < 3 else noise(token=token)

        refused = self.answers("refusal")
        self.assert_flat(lambda: self.flood(replayed()))
        self.assertGreater(self.answers("refusal"), refused)

    def retry_token(self):
        """The token of a Retry, which comes as soon as enough handshakes are under way."""
        with Flood(self.gateway.address("quic"), senders=1) as flood:
            for _ in range(1000):
                flood.sockets[0].sendto(
                    initial(CRYPTO + number(700) + number(100) + os.urandom(100)), flood.address
                )
                until(lambda: forger.queued(flood.address[1]) == 0, "it to be read")
                for octets in flood.collect():
                    if octets[0] & 0xF0 == 0xF0:  # long header, type 3
                        at = 5 + 1 + octets[5]
                        return octets[at + 1 + octets[at] : -16]
        raise AssertionError("no Retry came")


class Streams(FloodTest):
    def one_octet_each(self, count):
        """A connection's worth of streams, each with one octet and then taken back: as many at a
        time as the server lets be open."""
        client = self.enter(self.doq(FrameClient))
        opened = 0
        while opened < count:
            client.until(lambda: client.streams_allowed() > opened, "credit for streams")
            last = min(count, client.streams_allowed())
            while opened < last:
                some = range(opened, min(last, opened + 60))
                opened = some.stop
                client.say(b"".join(stream_frame(4 * n, b"\0") for n in some))
                client.say(b"".join(reset_frame(4 * n, 1) for n in some))
            client.turn(0.0)
        return client

    def test_streams_of_one_octet(self):
        def wave():
            clients = [self.one_octet_each(STREAMS) for _ in range(CONNECTIONS // 2)]
            with clients[0] as client:
                client.until(
                    lambda: client.streams_allowed() >= STREAMS + AT_A_TIME, "all credit to be back"
                )
            for client in clients:
                client.__exit__()

        self.assert_flat(wave)

    def test_streams_of_one_octet_that_stay_open(self):
        """The client is gone before the server loses its patience with any of them."""
        slow = self.total("drops_total", reason="slow_client")

        def wave():
            clients = [self.enter(self.doq(FrameClient)) for _ in range(CONNECTIONS)]
            for client in clients:
                for first in range(0, AT_A_TIME, 50):
                    client.say(
                        b"".join(
                            stream_frame(4 * n, b"\0") for n in range(first, first + 50)
                        )
                    )
            for client in clients:
                client.turn(0.0)
                client.__exit__()

        self.assert_flat(wave)
        self.assertEqual(self.total("drops_total", reason="slow_client"), slow)


class FrameDoh3Client(Doh3Client, FrameClient):
    """HTTP/3 with frames of ours."""


class PendingTest(FloodTest):
    """A thousand queries whose answers are still to come, and clients that want none of them."""

    cancelled = None  # the code that says so

    def connect(self):
        raise NotImplementedError

    def octets_of(self, client, wire):
        """A whole query, as a stream carries it."""
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        self.upstream.script = lambda _: SILENCE

    def asking(self, tag):
        clients = []
        for c in range(PENDING // AT_A_TIME):
            client = self.enter(self.connect())
            asked = [
                self.octets_of(client, query(f"n{n:03}.c{c}.{tag}.example", number=0))
                for n in range(AT_A_TIME)
            ]
            client.size = len(asked[0])
            for first in range(0, AT_A_TIME, 10):
                client.say(
                    b"".join(
                        stream_frame(4 * n, asked[n], fin=True) for n in range(first, first + 10)
                    )
                )
            client.turn(0.0)
            clients.append(client)
        until(lambda: self.total("queries_waiting") >= PENDING, "all of them to be waited for")
        return clients

    def pended(self, name, take_back, stays=False):
        waves = iter(range(10))

        def wave():
            self.upstream.script = lambda _: SILENCE
            clients = self.asking(f"{name}{next(waves)}")
            for client in clients:
                take_back(client)
            until(lambda: self.total("queries_waiting") == 0, "nothing to be waited for")
            self.upstream.script = anything
            for client in clients if stays else ():
                client.until(
                    lambda: client.streams_allowed() == 2 * AT_A_TIME, "all credit to be back"
                )
                client.__exit__()

        self.assert_flat(wave)

    def everywhere(self, client, frame):
        for first in range(0, AT_A_TIME, 50):
            client.say(b"".join(frame(4 * n) for n in range(first, first + 50)))

    def test_stop_sending(self):
        """Each is reset for it, and the credit for its stream comes back with its answer."""

        def take_back(client):
            self.everywhere(client, stop_frame)
            client.until(
                lambda: client.reset_by_server == AT_A_TIME, "the streams to be reset"
            )

        self.pended("stop", take_back, stays=True)

    def test_reset(self):
        """Behind its FIN a stream cannot be taken back (RFC 9000 §3.2): nothing has happened."""

        def take_back(client):
            self.everywhere(
                client, lambda stream: reset_frame(stream, client.size, self.cancelled)
            )

        self.pended("reset", take_back, stays=True)

    def test_close(self):
        self.pended("close", lambda client: client.__exit__())

    def test_silence(self):
        """Who is simply gone is found out by nobody before the answers are there."""
        self.pended("gone", FrameClient.vanish)


class PendingDoq(PendingTest):
    """RFC 9250 §4.3.1."""

    cancelled = REQUEST_CANCELLED

    def connect(self):
        return self.doq(FrameClient)

    def octets_of(self, client, wire):
        return framed(wire)


class PendingDoh3(PendingTest):
    """RFC 9114 §4.1.1."""

    cancelled = H3_REQUEST_CANCELLED

    def connect(self):
        return FrameDoh3Client(self.gateway.address("h3"), self.gateway.authority)

    def octets_of(self, client, wire):
        return client.post(wire)


del FloodTest, PendingTest

if __name__ == "__main__":
    unittest.main()
