"""Several upstreams in order: whatever the first one does, clients are answered by the second.

RFC 5452 §9.1 (which reply is one), RFC 8310 §5.1 and §8.1 (strict privacy never falls back), RFC
8914 (extended errors), RFC 9520 §3.1 (tries).
"""

import socket
import time
import unittest

from certificates import Authority
from fake_upstream import CLOSE, SILENCE, FakeUpstream, Lie, Reply, address, answer
from gateway import Sallyport
from harness import PATIENCE, SLOWNESS, EndToEndTest, has_ipv6, until
from messages import A, NOERROR, REFUSED, SERVFAIL, query, read

NO_REACHABLE_AUTHORITY = 22
NETWORK_ERROR = 23
LIMIT = 3.0 * SLOWNESS  # seconds, [limits] query_timeout
SECOND = [bytes([192, 0, 2, 2])]


def second_answer(asked):
    return address(asked, last=2)


class Failover(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.identity = self.authority.issue()
        self.second = self.enter(FakeUpstream(second_answer, identity=self.identity))

    def table(self, upstream, scheme, *, patience=0.5):
        """[[upstream]]; what is expected to fail does so soon, `patience` in seconds."""
        trust = {"ca_file": self.authority.file} if scheme == "tls" else {}
        timeout = f"{patience * SLOWNESS * 1000:.0f}ms"
        return {"url": upstream.url(scheme), "timeout": timeout, **trust}

    def second_table(self, scheme):
        return self.table(self.second, scheme, patience=2.0)

    def start(self, *tables, limits=(), **settings):
        """Failures are forgotten at once, so that each query shows what the upstreams do."""
        settings.setdefault("cache", {"failure_ttl": "1s"})
        return self.enter(
            Sallyport(
                self.folder,
                list(tables),
                limits={"query_timeout": f"{LIMIT:g}s", **dict(limits)},
                **settings,
            )
        )

    def check_second_answers(self, gateway, tag, transports=("udp", "tcp", "tls"), count=6):
        """New names over all listeners at once; every answer is the second upstream's."""
        flows = [(transport, gateway.connect(transport)) for transport in transports]
        for transport, flow in flows:
            for n in range(count):
                flow.send(query(f"{tag}-{transport}-{n}.zone.example", number=n))
        for transport, flow in flows:
            for _ in range(count):
                found = read(flow.receive())
                self.assertEqual(
                    (found.rcode, found.rdata(A)),
                    (NOERROR, SECOND),
                    f"{tag} over {transport}: {found}",
                )
            flow.close()

    def check_script(self, script, scheme, tag):
        with FakeUpstream(script, identity=self.identity) as first:
            gateway = self.start(self.table(first, scheme), self.second_table(scheme))
            self.check_second_answers(gateway, tag)
            self.assertGreater(first.count(), 0, "the first was not even tried")
            gateway.__exit__()

    # The first upstream does not answer, or not so that one could believe it.

    def test_first_refuses_connections(self):
        for scheme in ("udp", "tcp", "tls"):
            with self.subTest(scheme=scheme), FakeUpstream(identity=self.identity) as first:
                first.refuse()
                gateway = self.start(self.table(first, scheme), self.second_table(scheme))
                self.check_second_answers(gateway, f"refused-{scheme}")
                gateway.__exit__()

    def test_first_is_silent(self):
        for scheme in ("udp", "tcp", "tls"):
            with self.subTest(scheme=scheme):
                self.check_script(lambda asked: SILENCE, scheme, f"silent-{scheme}")

    def test_first_accepts_no_connection(self):
        """A listener whose queue is full: not even a refusal."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            crowd = []
            for _ in range(4):
                crowd.append(socket.socket())
                crowd[-1].setblocking(False)
                crowd[-1].connect_ex(("127.0.0.1", port))
            gateway = self.start(
                {"url": f"tcp://127.0.0.1:{port}", "timeout": f"{500 * SLOWNESS}ms"},
                self.second_table("tcp"),
            )
            self.check_second_answers(gateway, "crowded")
            for one in crowd:
                one.close()

    def test_first_fails(self):
        for rcode in (SERVFAIL, REFUSED):
            for scheme in ("udp", "tls"):
                with self.subTest(rcode=rcode, scheme=scheme):
                    self.check_script(
                        lambda asked: answer(asked, rcode=rcode), scheme, f"rcode{rcode}-{scheme}"
                    )

    def test_first_closes(self):
        for scheme in ("tcp", "tls"):
            with self.subTest(scheme=scheme):
                self.check_script(lambda asked: CLOSE, scheme, f"closes-{scheme}")

    def test_rfc5452_9_1_what_is_no_reply_to_our_question_never_happened(self):
        lies = {
            name: getattr(Lie, name)
            for name in (
                "wrong_id",
                "other_name",
                "other_type",
                "query_not_reply",
                "cut_short",
                "counts_too_high",
                "trailing_octets",
            )
        }
        for name, lie in lies.items():
            for scheme in ("udp", "tcp"):
                with self.subTest(lie=name, scheme=scheme):
                    self.check_script(
                        lambda asked: lie(address(asked)),
                        scheme,
                        f"{name.replace('_', '-')}-{scheme}",
                    )

    def test_rfc5452_9_1_a_wrong_reply_does_not_end_the_wait(self):
        """TuDoor: what a forger sends first does not keep the true reply behind it from being taken."""
        lies = (
            Lie.wrong_id,
            Lie.other_name,
            Lie.other_type,
            Lie.query_not_reply,
            Lie.cut_short,
            Lie.other_case,
        )

        def script(asked):
            true = address(asked)
            if asked.transport == "tcp":
                return true  # where a forger does not get in, should we go there for being in doubt
            number = int(asked.name[1]) % (len(lies) + 1)
            lie = lies[number](address(asked, last=66)) if number < len(lies) else None
            return [
                Reply(lie) if lie else Reply(address(asked, last=66), from_other_port=True),
                Reply(true, after=0.02),
            ]

        with FakeUpstream(script) as first:
            gateway = self.start(self.table(first, "udp"))
            for n in range(len(lies) + 1):
                with self.subTest(lie=n):
                    found = read(gateway.ask("tcp", f"n{n}.zone.example"))
                    self.assertEqual(
                        (found.rcode, found.rdata(A)), (NOERROR, [bytes([192, 0, 2, 1])])
                    )

    # TLS: whoever is not who it should be gets no query at all.

    def test_rfc8310_8_1_no_query_to_an_upstream_that_is_not_proved(self):
        stranger = Authority(self.folder, "Another authority")
        bad = {
            "expired": self.authority.issue(expired=True),
            "another name": self.authority.issue(names=("other.example",), addresses=()),
            "name in CN alone": self.authority.issue(names=(), addresses=()),
            "unknown authority": stranger.issue(),
            "wildcard for names below": self.authority.issue(
                names=("*.upstream.example",), addresses=()
            ),
        }
        for why, identity in bad.items():
            with self.subTest(why=why), FakeUpstream(identity=identity) as first:
                gateway = self.start(self.table(first, "tls"), self.second_table("tls"))
                self.check_second_answers(gateway, f"bad-{why.replace(' ', '-')}")
                self.assertEqual(first.count(), 0, "a query left, and to a stranger")
                gateway.__exit__()

    def test_rfc8310_5_1_there_is_no_way_back_to_cleartext(self):
        """Nobody else to ask, and still no query leaves, over plain DNS neither."""
        with FakeUpstream(
            identity=self.authority.issue(names=("other.example",), addresses=())
        ) as first:
            gateway = self.start(self.table(first, "tls"))
            found = read(gateway.ask("udp", "secret.zone.example"))
            self.assertEqual((found.rcode, found.ede), (SERVFAIL, [NETWORK_ERROR]))
            self.assertEqual(first.count(), 0)

    def test_tls_handshake_hangs(self):
        with FakeUpstream(identity=self.identity) as first:
            first.handshakes_hang = True
            gateway = self.start(self.table(first, "tls"), self.second_table("tls"))
            self.check_second_answers(gateway, "hang")
            self.assertEqual(first.count(), 0)

    def test_tls_upstream_by_address_alone(self):
        """Without #name the address itself must stand in the certificate."""
        for addresses, expected in ((("127.0.0.1",), NOERROR), (("127.0.0.2",), SERVFAIL)):
            with self.subTest(addresses=addresses):
                with FakeUpstream(
                    identity=self.authority.issue(names=(), addresses=addresses)
                ) as upstream:
                    url = upstream.url("tls").partition("#")[0]
                    gateway = self.start({"url": url, "ca_file": self.authority.file})
                    self.assertEqual(read(gateway.ask("udp", "www.zone.example")).rcode, expected)
                    gateway.__exit__()

    # All of them gone, and back.

    def test_rfc8914_4_23_all_dead_is_servfail_with_a_reason_in_time_on_all_listeners(self):
        for scheme, kind in (
            ("udp", "refused"),
            ("udp", "silent"),
            ("tcp", "silent"),
            ("tls", "silent"),
            ("tls", "refused"),
        ):
            with self.subTest(scheme=scheme, kind=kind):
                with FakeUpstream(
                    lambda asked: SILENCE, identity=self.identity
                ) as one, FakeUpstream(lambda asked: SILENCE, identity=self.identity) as two:
                    if kind == "refused":
                        one.refuse()
                        two.refuse()
                    gateway = self.start(self.table(one, scheme), self.table(two, scheme))
                    ede = NETWORK_ERROR if kind == "refused" else NO_REACHABLE_AUTHORITY
                    self.check_all_fail(gateway, f"{kind}-{scheme}", ede)
                    gateway.__exit__()

    def check_all_fail(self, gateway, tag, ede):
        """Each listener on its own and new names, so that no answer is a remembered one."""
        for transport in ("udp", "tcp", "tls"):
            with gateway.connect(transport) as flow:
                began = time.monotonic()
                for n in range(10):
                    flow.send(query(f"{tag}-{transport}-{n}.zone.example", number=n))
                for _ in range(10):
                    found = read(flow.receive())
                    self.assertEqual(
                        (found.rcode, found.ede),
                        (SERVFAIL, [ede]),
                        f"{transport}: {found}",
                    )
                # The limit, and what a busy machine may add to it.
                self.assertLess(time.monotonic() - began, LIMIT + PATIENCE / 4)

    def test_recovery(self):
        """An upstream that was passed over is tried again, and then used again."""
        with FakeUpstream(identity=self.identity) as first:
            gateway = self.start(self.table(first, "udp"), self.second_table("udp"))
            first.refuse()
            self.check_second_answers(gateway, "down", count=20)
            first.listen()
            number = iter(range(100_000))

            def first_answers():
                return read(gateway.ask("udp", f"up{next(number)}.zone.example")).rdata(A) == [
                    bytes([192, 0, 2, 1])
                ]

            # In order and not in turns; each worker that keeps upstreams finds it out by itself.
            until(
                lambda: all(first_answers() for _ in range(10)),
                "the first upstream to be used again",
                60,
            )

    def test_a_link_that_died_unnoticed_costs_no_query(self):
        """An idle connection that the server closed; one that it resets when it is used again."""
        for scheme in ("tcp", "tls"):
            with self.subTest(scheme=scheme), FakeUpstream(identity=self.identity) as upstream:
                gateway = self.start(self.table(upstream, scheme, patience=2.0))
                self.assertEqual(read(gateway.ask("udp", "one.zone.example")).rcode, NOERROR)
                upstream.refuse()
                upstream.listen()
                self.assertEqual(read(gateway.ask("udp", "two.zone.example")).rcode, NOERROR)
                served = set()

                def once_and_close(asked):
                    # Each connection answers once and ends: the next query finds it dying or dead.
                    if asked.connection in served:
                        return CLOSE
                    served.add(asked.connection)
                    return Reply(address(asked), then_close=asked.number % 2 == 0)

                upstream.script = once_and_close
                for n in range(20):
                    self.assertEqual(read(gateway.ask("udp", f"n{n}.zone.example")).rcode, NOERROR)
                gateway.__exit__()

    @unittest.skipUnless(has_ipv6(), "no IPv6 on this machine's loopback")
    def test_upstreams_of_both_families(self):
        with FakeUpstream(host="::1", identity=self.authority.issue(addresses=("::1",))) as six:
            for scheme in ("udp", "tcp", "tls"):
                with self.subTest(scheme=scheme):
                    trust = {"ca_file": self.authority.file} if scheme == "tls" else {}
                    port = six.tls_port if scheme == "tls" else six.port
                    gateway = self.start(
                        {"url": f"{scheme}://[::1]:{port}", **trust},
                        self.second_table(scheme),
                    )
                    self.assertEqual(
                        read(gateway.ask("udp", "www.zone.example")).rdata(A),
                        [bytes([192, 0, 2, 1])],
                    )
                    gateway.__exit__()


if __name__ == "__main__":
    unittest.main()
