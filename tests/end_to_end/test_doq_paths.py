"""DoQ over ways that lose, delay, repeat and reorder, and from addresses that change, with two
workers. RFC 9000 §8.2, §9.3, §13.3; RFC 9250 §5.5.1."""

import socket
import time
import unittest

from doq_client import DoqClient
from fake_upstream import HOLD
from harness import QUICK, ready, until
from messages import NOERROR, TXT, query, read
from quic_forger import PADDING, PING, Forger
from relay import Relay
from rfc import RfcTest, anything

QUERIES = 400 if QUICK else 2000
AT_A_TIME = 20


class Paths(RfcTest):
    # Clients here take turns, and what is lost is repeated late: neither is what is tested.
    settings = {"listen": ("udp", "quic"), "limits": {"message_timeout": "1m"}}

    def ask_all(self, relay, count, rebound=0):
        """Every answer, and none of them another's; at least so often over another port."""
        with DoqClient(relay.address, self.gateway.authority) as client:
            client.keep_alive = 0.1
            first = 0
            while first < count or relay.rebound < rebound:
                asked = {}
                first += AT_A_TIME
                for n in range(first - AT_A_TIME, first):
                    wire = query(f"p{n % 50}.example", number=0)
                    asked[client.send(wire)] = wire
                for stream, wire in asked.items():
                    reply = client.answer(stream)
                    self.assertEqual(read(reply).rcode, NOERROR)
                    self.assertEqual(reply[12:24], wire[12:24])
                    client.streams.pop(stream)

    def test_loss_delay_repetition_and_order(self):
        address = self.gateway.address("quic")
        with Relay(address, loss=0.05, repeat=0.02, delay=0.005) as relay:
            self.ask_all(relay, QUERIES // 2)
        self.assertGreater(relay.lost, 0)

    def test_a_port_that_changes_all_the_time_with_loss(self):
        address = self.gateway.address("quic")
        with Relay(address, loss=0.05, rebind=0.2) as relay:
            self.ask_all(relay, QUERIES, rebound=5)

    def test_many_clients_that_move_find_their_worker(self):
        address = self.gateway.address("quic")
        clients = [self.enter(DoqClient(address, self.gateway.authority)) for _ in range(8)]
        for n in range(10 if QUICK else 40):
            asked = [(client, client.send(query(f"m{n}.example", number=0))) for client in clients]
            for client, stream in asked:
                self.assertEqual(read(client.answer(stream)).rcode, NOERROR)
                client.move()
        until(
            lambda: self.gateway.metrics().total("sallyport_quic_migrations_total") > 0,
            "validated paths",
        )

    def elsewhere(self, host):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(made.close)
        made.setblocking(False)
        made.bind((host, 0))
        return made

    @staticmethod
    def came_to(where):
        found = []
        while ready([where]):
            found.append(where.recv(65535))
        return found

    def test_rfc9000_9_3_2_an_address_that_never_proves_itself(self):
        """The packet of a client that somebody else sends on: what he is sent is no more than three
        times what he sent, and without a word from the client the server comes back to it."""
        moved = self.gateway.metrics().total("sallyport_quic_migrations_total")
        for host in ("127.0.0.1", "127.0.0.2"):
            for frames in (PING, PING + PADDING * 1150):
                with self.subTest(host=host, octets=len(frames)):
                    self.upstream.forget()
                    self.upstream.script = lambda _: HOLD
                    client = self.enter(
                        Forger(self.gateway.address("quic"), self.gateway.authority)
                    )
                    name = f"s4000.{host}.{len(frames)}.example"
                    stream = client.send(query(name, TXT, number=0, edns=None))
                    self.upstream.wait_for(1)
                    client.turn(0.0)
                    attacker = self.elsewhere(host)
                    sent = client.say(frames, attacker)
                    heard = [until(lambda: self.came_to(attacker), "a word to the new address")]
                    self.came_to(client.socket)
                    self.upstream.script = anything
                    self.upstream.release(anything)
                    late = []
                    until(
                        lambda: late.extend(self.came_to(client.socket)) or sum(map(len, late)) > 4000,
                        "the answer at the old address",
                    )
                    heard.append(self.came_to(attacker))
                    self.assertLessEqual(sum(len(data) for some in heard for data in some), 3 * sent)
                    for data in late:
                        client.quic.receive_datagram(data, client.address, now=time.monotonic())
                    self.assertEqual(len(client.answer(stream)), 4000)
                    self.assertEqual(read(client.ask(query("www.example", number=0))).rcode, NOERROR)
        self.assertEqual(self.gateway.metrics().total("sallyport_quic_migrations_total"), moved)


if __name__ == "__main__":
    unittest.main()
