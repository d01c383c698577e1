"""Identical questions under way are one exchange; nothing of a client but its question travels on.

RFC 5452 §5 (no parallel duplicates), RFC 7871 §7.1 (ECS), RFC 6891 §6.1.1 (EDNS is hop by hop).
"""

import random
import struct
import unittest

from certificates import Authority
from fake_upstream import HOLD, FakeUpstream, Reply, address
from gateway import Sallyport
from harness import QUICK, EndToEndTest, has_ipv6, until
from messages import (
    A,
    COOKIE_OPTION,
    KEEPALIVE_OPTION,
    NOERROR,
    NSID_OPTION,
    PADDING_OPTION,
    SUBNET_OPTION,
    option,
    query,
    read,
    to_wire,
)

CLIENTS = 200 if QUICK else 500
SUBNET = struct.pack("!HBB", 1, 24, 0) + bytes([203, 0, 113])


def mixed_case(name, rng):
    return "".join(rng.choice((c.lower(), c.upper())) for c in name)


class OneExchange(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.upstream = self.enter(FakeUpstream(identity=self.authority.issue()))

    def start(self, scheme, **settings):
        table = {"url": self.upstream.url(scheme), "timeout": "10s"}
        if scheme == "tls":
            table["ca_file"] = self.authority.file
        return self.enter(
            Sallyport(
                self.folder, [table], ipv6=has_ipv6(), limits={"query_timeout": "20s", **settings}
            )
        )

    def flows(self, gateway, count):
        """Clients of all listeners and families, each with its own socket."""
        transports = ("udp", "udp", "udp", "tcp", "tls")
        return [
            self.enter(
                gateway.connect(transports[n % 5], gateway.hosts[n // 5 % len(gateway.hosts)])
            )
            for n in range(count)
        ]

    def ask_all_at_once(self, gateway, name, script):
        """All clients ask for `name`, each in a letter case of its own, while the upstream holds what
        it was asked."""
        self.upstream.script = lambda asked: HOLD
        rng = random.Random(5452)
        flows = self.flows(gateway, CLIENTS)
        sent = [
            query(to_wire(mixed_case(name, rng)), A, number=n * 131 & 0xFFFF)
            for n in range(CLIENTS)
        ]
        for flow, wire in zip(flows, sent):
            flow.send(wire)
        until(
            lambda: gateway.metrics().total("sallyport_queries_total") >= CLIENTS,
            "all queries to have come in",
        )
        self.upstream.wait_for(1)
        self.upstream.release(script)
        for flow, wire in zip(flows, sent):
            answer = read(flow.receive())
            self.assertEqual((answer.number, answer.rcode), (wire[0] << 8 | wire[1], NOERROR))
            self.assertEqual(answer.rdata(A), [b"\xc0\0\2\1"])
            self.assertEqual(answer.question[0], wire[12 : 12 + len(answer.question[0])])

    def test_many_clients_of_all_listeners_make_one_query_over_each_upstream_transport(self):
        """TTL 0, so that the cache has no part in it: all clients must have joined one flight."""
        for scheme in ("tcp", "tls"):
            with self.subTest(scheme=scheme):
                gateway = self.start(scheme)
                self.ask_all_at_once(
                    gateway, f"joined.{scheme}.example", lambda asked: address(asked, ttl=0)
                )
                self.assertEqual(self.upstream.count(), 1)
                gateway.__exit__()
                self.upstream.forget()

    def test_a_slow_udp_upstream_is_asked_once(self):
        gateway = self.start("udp")
        self.upstream.script = lambda asked: Reply(address(asked), after=0.2)
        flows = self.flows(gateway, CLIENTS)
        for number, flow in enumerate(flows):
            flow.send(query("slow.zone.example", number=number))
        for flow in flows:
            self.assertEqual(read(flow.receive()).rdata(A), [b"\xc0\0\2\1"])
        self.assertEqual(self.upstream.count(), 1)

    def test_subnet_options_do_not_split_the_exchange(self):
        """RebirthDay (CVE-2025-5994): a hundred different ECS options are one question."""
        gateway = self.start("tcp")
        self.upstream.script = lambda asked: HOLD
        with gateway.connect("tcp") as flow:
            for number in range(100):
                subnet = struct.pack("!HBB", 1, 24, 0) + bytes([203, 0, number])
                flow.send(
                    query("ecs.zone.example", number=number, options=option(SUBNET_OPTION, subnet))
                )
            until(
                lambda: gateway.metrics().total("sallyport_queries_total") >= 100,
                "all queries to have come in",
            )
            self.upstream.release(lambda asked: address(asked, ttl=0))
            numbers = {read(flow.receive()).number for _ in range(100)}
        self.assertEqual(numbers, set(range(100)))
        self.assertEqual(self.upstream.count(), 1)

    def test_no_client_option_and_no_client_id_travels_on(self):
        marks = {
            SUBNET_OPTION: SUBNET,
            COOKIE_OPTION: b"ClientCk",
            NSID_OPTION: b"",
            65001: b"private-use",
            65002: b"",
            PADDING_OPTION: b"P" * 77,
            KEEPALIVE_OPTION: b"",
        }
        options = b"".join(option(code, value) for code, value in marks.items())
        for scheme in ("udp", "tcp", "tls"):
            with self.subTest(scheme=scheme):
                self.upstream.forget()
                gateway = self.start(scheme)
                for transport in ("udp", "tcp", "tls"):
                    with gateway.connect(transport) as flow:
                        for n in range(20):
                            reply = flow.ask(
                                query(
                                    f"n{n}.{transport}.example",
                                    number=0,
                                    options=options,
                                    dnssec_ok=n % 2 == 0,
                                )
                            )
                            self.assertEqual(read(reply).rcode, NOERROR)
                self.check_travelled(60, marks)
                gateway.__exit__()

    def check_travelled(self, count, marks):
        asked = self.upstream.asked
        self.assertEqual(len(asked), count)
        for one in asked:
            codes = {code for code, _ in one.read.options}
            self.assertLessEqual(codes, {COOKIE_OPTION, PADDING_OPTION, KEEPALIVE_OPTION})
            for mark in marks.values():
                if len(mark) > 4:
                    self.assertNotIn(mark, one.wire)
            self.assertEqual(one.wire[4:6] + one.wire[6:10], b"\0\1\0\0\0\0")
        # Every client said 0; what travels is an id of our own.
        self.assertGreater(len({one.number for one in asked}), count // 2)
        self.assertLess(sum(one.number == 0 for one in asked), 3)

    def test_rfc5452_9_2_ports_and_ids_are_not_to_be_guessed(self):
        gateway = self.start("udp")
        with gateway.connect("tcp") as flow:
            for n in range(200):
                flow.ask(query(f"n{n}.zone.example", number=n))
        asked = self.upstream.asked
        self.assertEqual(len(asked), 200)
        self.assertGreater(len({one.client[1] for one in asked}), 150)
        self.assertGreater(len({one.number for one in asked}), 190)
        steps = {(b.number - a.number) & 0xFFFF for a, b in zip(asked, asked[1:])}
        self.assertGreater(len(steps), 150)
        # 0x20: the letters' case is a secret, too.
        self.assertGreater(
            len({one.read.question[0].replace(one.read.question[0].lower(), b"") for one in asked}),
            150,
        )


if __name__ == "__main__":
    unittest.main()
