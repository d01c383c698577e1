"""Every fault an upstream can have, over UDP, TCP and TLS, with one good upstream left: nobody notices.

All faults at once, each with a set and a route of its own, so that none hides behind another.
"""

import itertools
import random
import time
import unittest

from certificates import Authority
from fake_upstream import CLOSE, SILENCE, FakeUpstream, Lie, Reply, address, answer
from gateway import Sallyport
from harness import QUICK, SLOWNESS, EndToEndTest
from messages import A, NOERROR, REFUSED, SERVFAIL, query, read

ROUNDS = 8 if QUICK else 24
PAUSE = 0.2  # seconds between two rounds
LIMIT = 1.5 * SLOWNESS  # seconds, [limits] query_timeout: SERVFAIL by then
SCHEMES = ("udp", "tcp", "tls")

chance = random.Random(5)


def flapping(asked):
    """Two seconds there, two seconds gone."""
    return address(asked) if int(asked.at) // 2 % 2 else SILENCE


FAULTS = {
    "silent": lambda asked: SILENCE,
    "slow": lambda asked: Reply(address(asked), after=5.0),
    "closes": lambda asked: CLOSE,
    "servfail": lambda asked: answer(asked, rcode=SERVFAIL),
    "refuses": lambda asked: answer(asked, rcode=REFUSED),
    "wrong-id": lambda asked: Lie.wrong_id(address(asked)),
    "wrong-name": lambda asked: Lie.other_name(address(asked)),
    "cut-short": lambda asked: Lie.cut_short(address(asked)),
    "half-lost": lambda asked: SILENCE if chance.random() < 0.5 else address(asked),
    "flapping": flapping,
}
# These have no script: nobody listens; a TLS handshake never ends.
NOBODY, HANGS = "nobody", "hangs"


class FaultLaboratory(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.identity = self.authority.issue()

    def upstream(self, script=address):
        return self.enter(FakeUpstream(script, identity=self.identity))

    def table(self, upstream, scheme, to):
        trust = {"ca_file": self.authority.file} if scheme == "tls" else {}
        return {"url": upstream.url(scheme), "set": to, **trust}

    def broken_ones(self):
        """(fault, upstream, schemes)"""
        for fault, script in FAULTS.items():
            yield fault, self.upstream(script), SCHEMES
        gone = self.upstream()
        gone.refuse()
        yield NOBODY, gone, SCHEMES
        hanging = self.upstream()
        hanging.handshakes_hang = True
        yield HANGS, hanging, ("tls",)

    def test_with_one_good_upstream_left_nobody_notices(self):
        tables, routes = [self.table(self.upstream(), "udp", "default")], []
        for fault, broken, schemes in self.broken_ones():
            good = self.upstream()
            for scheme in schemes:
                name = f"{fault}-{scheme}"
                tables += [self.table(one, scheme, name) for one in (broken, good)]
                routes.append({"names": [f"{name}.example."], "set": name})
        gateway = self.enter(
            Sallyport(
                self.folder,
                tables,
                route=routes,
                limits={"query_timeout": f"{LIMIT * 1000:.0f}ms"},
                cache={"failure_ttl": "1s"},
            )
        )
        failed = []
        with gateway.connect("udp") as flow:
            waiting = {}
            numbers = itertools.count(1)
            end = time.monotonic() + ROUNDS * PAUSE + LIMIT + 30
            for number in range(ROUNDS):
                for route in routes:
                    key = next(numbers)
                    waiting[key] = f"q{number}.{route['names'][0]}"
                    flow.send(query(waiting[key].rstrip("."), A, number=key))
                self.take(flow, waiting, failed, time.monotonic() + PAUSE)
            while waiting and time.monotonic() < end:
                self.take(flow, waiting, failed, time.monotonic() + PAUSE)
        asked = ROUNDS * len(routes)
        self.assertEqual(list(waiting.values()), [], "no answer at all")
        # 99.9 % of them, and one for the machine that runs the test.
        self.assertLessEqual(len(failed), asked // 1000 + 1, failed[:10])

    @staticmethod
    def take(flow, waiting, failed, until):
        while (left := until - time.monotonic()) > 0:
            try:
                reply = read(flow.receive(left))
            except TimeoutError:
                return
            name = waiting.pop(reply.number, None)
            if name is not None and (reply.rcode != NOERROR or not reply.rdata(A)):
                failed.append(f"{name}: {reply}")


if __name__ == "__main__":
    unittest.main()
