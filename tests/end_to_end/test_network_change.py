"""The machine comes to another network while queries wait: links are dialled afresh, hosts looked up
again, and no query is lost. rtnetlink(7). In a namespace of its own, with a second one behind two cables,
where the upstreams are.
"""

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
import unittest

from certificates import NAME, Authority
from fake_upstream import HOLD, FakeUpstream, Reply, address, answer, nodata
from gateway import Sallyport
from harness import PATIENCE, SLOWNESS, EndToEndTest, until
from messages import A, NOERROR, query, read

INSIDE = "SALLYPORT_INSIDE_NAMESPACE"
UNSHARE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--net"]
UPSTREAM = "192.0.2.53"
DAY = 24 * 3600
SCRIPTED = ("udp", "tcp", "tls")  # what the fake one speaks, which sees from where it is asked
SERVED = ("https", "quic", "h3")  # and a gateway that asks it
TRANSPORTS = (*SCRIPTED, *SERVED)
# Those that have connections, and what metrics call them.
PROTOCOLS = {"tcp": "tcp", "tls": "dot", "https": "doh", "quic": "doq", "h3": "doh3"}


def may_unshare():
    try:
        return subprocess.run([*UNSHARE, "ip", "link"], capture_output=True).returncode == 0
    except OSError:
        return False


class Outside(unittest.TestCase):
    @unittest.skipUnless(may_unshare(), "no network namespace to be had, or no ip(8)")
    def test_in_a_namespace_of_its_own(self):
        here = os.path.dirname(os.path.abspath(__file__))
        python = [os.path.join(os.environ["PEERS"], "bin/python3"), "-m", "unittest", "-v"]
        done = subprocess.run(
            [*UNSHARE, *python, "test_network_change.Inside"],
            cwd=here,
            env={**os.environ, INSIDE: "1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE * 8,
        )
        print(done.stderr, file=sys.stderr)
        self.assertEqual(done.returncode, 0, done.stdout)


class Behind(FakeUpstream):
    """Its thread lives in a network namespace of its own."""

    def __enter__(self):
        self._thread.start()
        self._call(self._move())
        return self

    async def _move(self):
        os.unshare(os.CLONE_NEWNET)
        self.task = threading.get_native_id()

    def inside(self, *arguments):
        return ["nsenter", f"--net=/proc/{os.getpid()}/task/{self.task}/ns/net", *arguments]

    def ip(self, *arguments):
        subprocess.run(self.inside("ip", *arguments), check=True)


class Far(Sallyport):
    """A gateway beside `behind`, which it asks."""

    def __init__(self, folder, behind):
        folder.mkdir()
        super().__init__(folder, [behind.url()], listen=("udp", *SERVED))
        self.behind, self.hosts = behind, (UPSTREAM,)

    def arguments(self):
        return self.behind.inside(*super().arguments())

    def is_ready(self):
        """Its admin listener is on another loopback than ours."""
        try:
            with socket.create_connection(self.address("https", UPSTREAM), 1):
                return True
        except OSError:
            return False


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


class Inside(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        identity = self.authority.issue(addresses=(UPSTREAM,))
        # Whoever asks has to wait: there are always some who do.
        self.upstream = self.enter(
            Behind(lambda asked: Reply(address(asked), after=0.1), identity=identity, host=UPSTREAM)
        )
        ip("link", "set", "lo", "up")
        self.upstream.ip("link", "set", "lo", "up")
        self.upstream.ip("address", "add", f"{UPSTREAM}/32", "dev", "lo")
        for n in (1, 2):
            self.addCleanup(ip, "link", "del", f"near{n}")
            ip("link", "add", f"near{n}", "type", "veth", "peer", "name", f"far{n}")
            ip("link", "set", f"far{n}", "netns", str(self.upstream.task))
            ip("address", "add", f"10.{n}.0.1/24", "dev", f"near{n}")
            self.upstream.ip("address", "add", f"10.{n}.0.2/24", "dev", f"far{n}")
            ip("link", "set", f"near{n}", "up")
            self.upstream.ip("link", "set", f"far{n}", "up")
        ip("route", "add", UPSTREAM, "via", "10.1.0.2")
        self.upstream.listen()

    def table(self, transport):
        """An upstream's, in the set that has its transport's name."""
        of_set = {"set": transport} if transport != TRANSPORTS[0] else {}
        if transport in SERVED:
            url = f"{transport}://{UPSTREAM}:{self.far.address(transport)[1]}"
            return {"url": url, "ca_file": self.far.authority, **of_set}
        trust = {"ca_file": self.authority.file} if transport == "tls" else {}
        return {"url": self.upstream.url(transport, NAME), **trust, **of_set}

    def start(self, *tables, **server):
        if not tables:
            self.far = self.enter(Far(self.folder / "far", self.upstream))
        (self.folder / "near").mkdir()
        return self.enter(
            Sallyport(
                self.folder / "near",
                tables or [self.table(each) for each in TRANSPORTS],
                server=server,
                listen=("udp",),
                limits={"query_timeout": f"{4 * SLOWNESS}s"},
                route=[] if tables else [
                    {"names": [f"{each}.example."], "set": each} for each in TRANSPORTS[1:]
                ],
            )
        )

    def ask(self, gateway, seconds, change):
        """Twenty queries a second over each transport; halfway everything changes. All are answered."""
        waiting, numbers = {}, itertools.count(1)
        end, changed = time.monotonic() + seconds, False
        with gateway.connect("udp") as flow:
            while time.monotonic() < end or waiting:
                if time.monotonic() < end:
                    for transport in TRANSPORTS:
                        number = next(numbers)
                        waiting[number] = f"n{number}.{transport}.example"
                        flow.send(query(waiting[number], A, number=number))
                if not changed and time.monotonic() > end - seconds / 2:
                    changed = True
                    change()
                pause = time.monotonic() + 0.05
                while (left := pause - time.monotonic()) > 0 and waiting:
                    try:
                        reply = read(flow.receive(left if time.monotonic() < end else None))
                    except TimeoutError:
                        break
                    name = waiting.pop(reply.number)
                    self.assertEqual(reply.rcode, NOERROR, f"{name}: {reply}")

    def ended(self, gateway):
        """The transports whose connections ended for that reason."""
        metrics = gateway.metrics()
        return {
            scheme
            for scheme, protocol in PROTOCOLS.items()
            if metrics.total(
                "sallyport_upstream_disconnections_total", reason="network", protocol=protocol
            )
        }

    def clients(self, name):
        """From where the fake upstream was asked for the names that end so."""
        return [one.client[0] for one in self.upstream.asked if one.name.endswith(name)]

    @staticmethod
    def other_route():
        ip("route", "replace", UPSTREAM, "via", "10.2.0.2")

    @staticmethod
    def other_address():
        ip("route", "replace", UPSTREAM, "via", "10.2.0.2")
        ip("address", "del", "10.1.0.1/24", "dev", "near1")

    def check_another_way(self, change):
        gateway = self.start()
        self.ask(gateway, 3, change)
        until(lambda: self.ended(gateway) == PROTOCOLS.keys(), "links of all transports to end")
        metrics = gateway.metrics()
        self.assertGreaterEqual(metrics.total("sallyport_network_changes_total"), 1)
        self.assertEqual(metrics.total("sallyport_upstream_errors_total"), 0)
        for transport in SCRIPTED:
            clients = self.clients(f".{transport}.example")
            self.assertEqual((clients[0], clients[-1]), ("10.1.0.1", "10.2.0.1"), transport)

    def test_another_way_is_taken_at_once(self):
        self.check_another_way(self.other_route)

    def test_an_address_that_is_gone_is_not_spoken_from(self):
        self.check_another_way(self.other_address)

    def check_asked_again(self, change, **server):
        """A query over UDP that waits for its answer."""
        self.upstream.script = lambda asked: HOLD
        table = {"url": self.upstream.url(), "timeout": f"{3 * SLOWNESS}s"}
        gateway = self.start(table, **server)
        with gateway.connect("udp") as flow:
            flow.send(query("waits.example", A, number=1))
            self.upstream.wait_for(1)
            change()
            self.upstream.script = address
            self.assertEqual(read(flow.receive()).rcode, NOERROR)
        self.assertEqual(self.clients("waits.example"), ["10.1.0.1", "10.2.0.1"])

    def test_a_query_over_udp_is_asked_again_the_other_way(self):
        self.check_asked_again(self.other_route)

    def test_a_query_over_udp_is_asked_again_from_the_other_address(self):
        self.check_asked_again(self.other_address)

    def test_who_does_not_watch_sees_it_when_he_may_not_speak(self):
        self.check_asked_again(self.other_address, watch_network=False)

    def test_hosts_are_looked_up_again(self):
        def tell(asked):
            if asked.name != NAME:
                return address(asked)
            return answer(asked, f"{NAME}. {DAY} IN A {UPSTREAM}") if asked.rdtype == A else nodata(asked)

        self.upstream.script = tell
        gateway = self.start(
            {
                "url": f"tls://{NAME}:{self.upstream.tls_port}",
                "ca_file": self.authority.file,
                "bootstrap_resolvers": [f"{UPSTREAM}:{self.upstream.port}"],
            }
        )
        self.assertEqual(read(gateway.ask("udp", "before.example")).rcode, NOERROR)
        self.assertEqual(set(self.clients(NAME)), {"10.1.0.1"})
        self.other_address()

        def lookups():
            return gateway.metrics().total("sallyport_bootstrap_lookups_total", host=NAME, result="ok")

        until(lambda: lookups() == 2, "another look-up, long before the day is over")
        self.assertEqual(set(self.clients(NAME)), {"10.1.0.1", "10.2.0.1"})
        self.assertEqual(read(gateway.ask("udp", "behind.example")).rcode, NOERROR)
        self.assertEqual(self.clients("behind.example"), ["10.2.0.1"])

    def test_what_does_not_concern_upstreams_ends_no_link(self):
        gateway = self.start()

        def change():
            ip("route", "add", "198.51.100.0/24", "via", "10.2.0.2")
            ip("address", "add", "10.2.0.7/24", "dev", "near2")

        self.ask(gateway, 2, change)
        self.assertEqual(self.ended(gateway), set())
        self.assertEqual(gateway.metrics().total("sallyport_network_changes_total"), 0)

    def test_who_does_not_want_it_keeps_his_links(self):
        gateway = self.start(watch_network=False)
        self.ask(gateway, 2, self.other_route)
        self.assertEqual(self.ended(gateway), set())


if INSIDE in os.environ:
    del Outside
else:
    del Inside

if __name__ == "__main__":
    unittest.main()
