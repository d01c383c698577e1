"""The machine comes to another network while queries wait: links are dialled afresh, and no query is
lost. rtnetlink(7). In a namespace of its own, with a second one behind two cables, where the upstream is.
"""

import itertools
import os
import subprocess
import sys
import threading
import time
import unittest

from certificates import NAME, Authority
from fake_upstream import FakeUpstream, Reply, address
from gateway import Sallyport
from harness import PATIENCE, SLOWNESS, EndToEndTest, until
from messages import A, NOERROR, query, read

INSIDE = "SALLYPORT_INSIDE_NAMESPACE"
UNSHARE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--net"]
UPSTREAM = "192.0.2.53"


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

    def ip(self, *arguments):
        namespace = f"--net=/proc/{os.getpid()}/task/{self.task}/ns/net"
        subprocess.run(["nsenter", namespace, "ip", *arguments], check=True)


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

    def start(self, **server):
        upstreams = [
            {"url": self.upstream.url("tcp")},
            {
                "url": self.upstream.url("tls", NAME),
                "ca_file": self.authority.file,
                "set": "tls",
            },
        ]
        return self.enter(
            Sallyport(
                self.folder,
                upstreams,
                server=server,
                listen=("udp",),
                limits={"query_timeout": f"{4 * SLOWNESS}s"},
                route=[{"names": ["tls.example."], "set": "tls"}],
            )
        )

    def ask(self, gateway, seconds, change):
        """Forty queries a second over each transport; halfway everything changes. All are answered."""
        waiting, numbers = {}, itertools.count(1)
        end, changed = time.monotonic() + seconds, False
        with gateway.connect("udp") as flow:
            while time.monotonic() < end or waiting:
                if time.monotonic() < end:
                    for name in ("tcp.example", "tls.example"):
                        number = next(numbers)
                        waiting[number] = f"n{number}.{name}"
                        flow.send(query(waiting[number], A, number=number))
                if not changed and time.monotonic() > end - seconds / 2:
                    changed = True
                    change()
                pause = time.monotonic() + 0.025
                while (left := pause - time.monotonic()) > 0 and waiting:
                    try:
                        reply = read(flow.receive(left if time.monotonic() < end else None))
                    except TimeoutError:
                        break
                    name = waiting.pop(reply.number)
                    self.assertEqual(reply.rcode, NOERROR, f"{name}: {reply}")

    def ended(self, gateway):
        return gateway.metrics().total(
            "sallyport_upstream_disconnections_total", reason="network"
        )

    def test_another_way_is_taken_at_once(self):
        gateway = self.start()

        def change():
            ip("route", "replace", UPSTREAM, "via", "10.2.0.2")
            ip("address", "del", "10.1.0.1/24", "dev", "near1")

        self.ask(gateway, 3, change)
        until(lambda: self.ended(gateway) >= 2, "links to end")
        metrics = gateway.metrics()
        self.assertGreaterEqual(metrics.total("sallyport_network_changes_total"), 1)
        self.assertEqual(metrics.total("sallyport_upstream_errors_total"), 0)
        for transport in ("tcp", "tls"):
            clients = [one.client[0] for one in self.upstream.asked if one.transport == transport]
            self.assertEqual(clients[0], "10.1.0.1")
            self.assertEqual(clients[-1], "10.2.0.1")

    def test_what_does_not_concern_upstreams_ends_no_link(self):
        gateway = self.start()

        def change():
            ip("route", "add", "198.51.100.0/24", "via", "10.2.0.2")
            ip("address", "add", "10.2.0.7/24", "dev", "near2")

        self.ask(gateway, 2, change)
        self.assertEqual(self.ended(gateway), 0)
        self.assertEqual(gateway.metrics().total("sallyport_network_changes_total"), 0)

    def test_who_does_not_want_it_keeps_his_links(self):
        gateway = self.start(watch_network=False)
        self.ask(gateway, 2, lambda: ip("route", "replace", UPSTREAM, "via", "10.2.0.2"))
        self.assertEqual(self.ended(gateway), 0)


if INSIDE in os.environ:
    del Outside
else:
    del Inside

if __name__ == "__main__":
    unittest.main()
