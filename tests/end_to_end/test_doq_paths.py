"""DoQ over ways that lose, delay, repeat and reorder, and from addresses that change, with two
workers. RFC 9000 §8.2, §9.3, §13.3; RFC 9250 §5.5.1."""

import unittest

from doq_client import DoqClient
from harness import QUICK, until
from messages import NOERROR, query, read
from relay import Relay
from rfc import RfcTest

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


if __name__ == "__main__":
    unittest.main()
