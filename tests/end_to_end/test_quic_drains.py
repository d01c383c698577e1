"""QUIC listeners that stop while clients wait: what was asked is answered, what comes later is told to go
elsewhere, and no connection can hold the end up. RFC 9250 §5.5.1, RFC 9114 §5.2, RFC 9000 §10.2."""

import signal
import unittest

from doq_client import NO_ERROR, DoqClient
from fake_upstream import HOLD, SILENCE
from gateway import OK
from harness import until
from messages import NOERROR, query, read
from operation import OperationTest
from test_doh3 import NO_ERROR as H3_NO_ERROR
from test_doh3 import REQUEST_REJECTED, Doh3Client

PENDING = 30
AT_A_TIME = 100  # streams of a connection
CONNECTION_REFUSED = 0x2  # RFC 9000 §20.1
LOCAL = query("localhost", number=0)  # is answered at once, without an upstream


class Draining(OperationTest):
    def serve(self, script):
        self.gateway = self.start(listen=("udp", "quic", "h3"), limits={"query_timeout": "30s"})
        self.upstream.script = script

    def doq(self, **how):
        return self.enter(DoqClient(self.gateway.address("quic"), self.gateway.authority, **how))

    def doh3(self, **how):
        return self.enter(Doh3Client(self.gateway.address("h3"), self.gateway.authority, **how))

    def ask_doq(self, client, name):
        return client.send(query(name, number=0))

    def ask_doh3(self, client, name):
        return client.request(client.get(query(name, number=0)))

    def all_asked(self, count):
        names = lambda: {asked.name for asked in self.upstream.asked}
        until(lambda: len(names()) >= count, "the queries to be at the upstream")

    def stop(self, *listeners):
        """SIGTERM, and these, which have something to wait for, refuse new connections from then on."""
        self.gateway.process.signal(signal.SIGTERM)
        for connect in listeners:
            until(lambda: self.is_refused(connect), "new connections to be refused")

    def is_refused(self, connect):
        control = {"control": b""} if connect == self.doh3 else {}
        client = connect(connect=False, **control)
        client.until(lambda: client.open or client.quic._close_event, "an answer")
        ended = client.quic._close_event
        return ended is not None and ended.error_code == CONNECTION_REFUSED

    def ended(self):
        self.assertEqual(self.gateway.process.wait(), OK)
        self.gateway.stop()

    def test_rfc9250_5_5_1_doq(self):
        """Queries that are pending are answered, later ones as long as there is credit for them, of
        which no more is given; then the connection closes without an error. Who has nothing to wait
        for is let go at once."""
        self.serve(lambda _: HOLD)
        client, idle = self.doq(), self.doq()
        idle.ask(LOCAL)
        streams = [self.ask_doq(client, f"n{n}.example") for n in range(PENDING)]
        self.all_asked(PENDING)
        self.stop(self.doq)
        self.assertEqual(idle.end_code(), NO_ERROR)
        for _ in range(AT_A_TIME - PENDING):
            self.assertEqual(read(client.ask(LOCAL)).rcode, NOERROR)
        beyond = client.send(LOCAL)
        self.upstream.release()
        for stream in streams:
            self.assertEqual(read(client.answer(stream)).rcode, NOERROR)
        self.assertEqual(client.end_code(), NO_ERROR)
        self.assertEqual(client.quic._remote_max_streams_bidi, AT_A_TIME)
        self.assertNotIn(beyond, client.finished)
        self.ended()

    def test_rfc9114_5_2_doh3(self):
        """GOAWAY, and requests behind it are rejected: they may be tried elsewhere."""
        self.serve(lambda _: HOLD)
        client, idle = self.doh3(), self.doh3()
        self.assertEqual(idle.ask(idle.get(LOCAL)).status, 200)
        streams = [self.ask_doh3(client, f"n{n}.example") for n in range(PENDING)]
        self.all_asked(PENDING)
        self.stop(self.doh3)
        client.until(client.goaway, "the server to say that it goes")
        self.assertEqual(idle.end_code(), H3_NO_ERROR)
        for n in range(PENDING):
            late = self.ask_doh3(client, f"late{n}.example")
            self.assertEqual(client.response(late), REQUEST_REJECTED)
        self.upstream.release()
        for stream in streams:
            response = client.response(stream)
            self.assertEqual((response.status, read(response.body).rcode), (200, NOERROR))
        self.assertEqual(client.end_code(), H3_NO_ERROR)
        self.assertEqual(self.upstream.count("late0.example"), 0)
        self.ended()

    def test_an_end_that_is_held_up(self):
        """By an upstream that never answers, by a client that has asked and says nothing any more, and
        by one that goes on asking."""
        self.serve(lambda _: SILENCE)
        clients = [
            (connect(), ask, code)
            for connect, ask, code in (
                (self.doq, self.ask_doq, NO_ERROR),
                (self.doh3, self.ask_doh3, H3_NO_ERROR),
            )
            for _ in range(2)
        ]
        for n, (client, ask, _) in enumerate(clients):
            ask(client, f"n{n}.example")
        self.all_asked(len(clients))
        clients[0][0].dropping = clients[2][0].dropping = True
        self.stop(self.doq, self.doh3)
        for n, (client, ask, code) in enumerate(clients):
            if not client.dropping:
                ask(client, "still.example")
                self.assertEqual(client.end_code(), code)
        self.ended()

    def test_a_handshake_that_is_under_way(self):
        """It becomes no connection any more, and is no reason to wait."""
        self.serve(lambda _: HOLD)
        client = self.doq()
        stream = self.ask_doq(client, "pending.example")
        late = self.doq(connect=False)
        late.dropping = True
        late.until(lambda: late.received, "the server's part of the handshake")
        self.all_asked(1)
        self.stop(self.doq)
        late.dropping = False
        self.assertEqual(late.end_code(), CONNECTION_REFUSED)
        self.upstream.release()
        self.assertEqual(read(client.answer(stream)).rcode, NOERROR)
        self.assertEqual(client.end_code(), NO_ERROR)
        self.ended()


if __name__ == "__main__":
    unittest.main()
