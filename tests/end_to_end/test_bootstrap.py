"""Upstreams by host name, whose addresses their bootstrap resolvers tell: at the first start, from disk at
the next, late, wrong and changing. The start waits for none of it. RFC 7858 §4.2, RFC 8310 §6, RFC 8914.
"""

import socket
import time
import unittest

import dns.rdatatype

from certificates import Authority
from fake_upstream import SILENCE, FakeUpstream, answer, nodata, nxdomain
from gateway import OK, UNREACHABLE, USAGE, Sallyport, run
from harness import SLOWNESS, EndToEndTest, has_ipv6, until
from messages import A, EDE_OPTION, NOERROR, SERVFAIL, query, read
from peers import Knot
from rfc import ADDRESS
from ways import swallowing

HOST = "gateway.example"  # that the far gateway has a certificate for
NO_REACHABLE_AUTHORITY = 22
NETWORK_ERROR = 23
DAY = 24 * 3600

ZONE = f"""\
example. 300 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 60
example. 300 IN NS ns.example.
ns.example. 300 IN A 127.0.0.1
{HOST}. 300 IN CNAME far.example.
far.example. 300 IN A 127.0.0.2
"""


class Far(Sallyport):
    """The upstream: a gateway at an address of its own."""

    def __init__(self, folder, upstreams, *hosts):
        folder.mkdir()
        super().__init__(folder, upstreams, listen=("udp", "tls", "https", "quic", "h3"))
        self.hosts = hosts

    def move(self, host):
        """To another address, with the same ports."""
        self.process.stop()
        self.hosts = (host,)
        self.write_config()
        assert self.launch(), self.process.report()


class Bootstrap(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.where = "127.0.0.2"  # or several of them
        self.origin = self.enter(FakeUpstream())
        self.resolver = self.enter(FakeUpstream(self.tell))
        self.far = self.enter(Far(self.folder / "far", [self.origin.url()], self.where))
        self.port = self.far.address("tls")[1]
        self.number = 0

    def tell(self, asked):
        if asked.name != HOST:
            return nxdomain(asked)
        places = [self.where] if isinstance(self.where, str) else self.where
        records = [
            f"{HOST}. {DAY} IN {kind} {place}"
            for place in places
            if (kind := "AAAA" if ":" in place else "A") == dns.rdatatype.to_text(asked.rdtype)
        ]
        return answer(asked, *records) if records else nodata(asked)

    def upstream(self, scheme="tls", resolvers=None, **more):
        path = "/dns-query" if scheme in ("https", "h3") else ""
        return {
            "url": f"{scheme}://{HOST}:{self.far.address(scheme)[1]}{path}",
            "ca_file": self.far.authority,
            "bootstrap_resolvers": [f"127.0.0.1:{port}" for port in resolvers or [self.resolver.port]],
            **more,
        }

    def gateway(self, *upstreams, kind=Sallyport, name="near"):
        folder = self.folder / name
        folder.mkdir()
        return kind(
            folder,
            upstreams or [self.upstream()],
            listen=("udp", "tcp", "tls"),
            limits={"query_timeout": "5s"},
            cache={"failure_ttl": "1s"},
        )

    def ask(self, gateway):
        """A name that nobody has asked for before."""
        self.number += 1
        return read(gateway.ask("udp", f"n{self.number}.zone.example"))

    def check_answered(self, gateway):
        found = self.ask(gateway)
        self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]), found)

    def check_failed(self, gateway, *words, ede=NETWORK_ERROR):
        """Clients are told which upstream, and why."""
        found = self.ask(gateway)
        self.assertEqual((found.rcode, found.ede), (SERVFAIL, [ede]), found)
        text = found.option(EDE_OPTION)[2:].decode()
        for word in words:
            self.assertIn(word, text)

    def until_answered(self, gateway):
        until(lambda: self.ask(gateway).rcode == NOERROR, "an answer")

    def lookups(self, gateway, result):
        return gateway.metrics().total(
            "sallyport_bootstrap_lookups_total", host=HOST, result=result
        )

    # A first start.

    def test_every_encrypted_transport_finds_its_host(self):
        (self.folder / "example.zone").write_text(ZONE)
        knot = self.enter(
            Knot(self.folder, Authority(self.folder).issue(), [("example", self.folder / "example.zone")])
        )
        for scheme in ("tls", "https", "quic", "h3"):
            upstream = self.upstream(scheme, [knot.port])
            with self.gateway(upstream, name=scheme) as gateway:
                self.check_answered(gateway)
                saved = gateway.state / "addresses.saved"
                until(saved.exists, "the address to be saved")
                self.assertEqual(saved.stat().st_mode & 0o777, 0o600)
                self.assertEqual(self.lookups(gateway, "ok"), 1)
                self.assertIn("found at 127.0.0.2\n", gateway.verb("upstream", "list").stdout)

    def test_a_resolver_that_fails_is_passed_over(self):
        for fault in (lambda asked: SILENCE, nxdomain, lambda asked: answer(asked, rcode=5)):
            with FakeUpstream(fault) as broken, self.subTest(fault):
                resolvers = [broken.port, self.resolver.port]
                upstream = self.upstream(resolvers=resolvers, timeout="4s")
                with self.gateway(upstream, name=f"beside-{broken.port}") as gateway:
                    self.check_answered(gateway)
                    self.assertEqual({one.name for one in broken.asked}, {HOST})

    def test_an_answer_too_long_for_udp_is_asked_for_over_tcp(self):
        def tell(asked):
            if asked.transport == "udp":
                return answer(asked, flags=0x0200)  # TC
            return self.tell(asked)

        self.resolver.script = tell
        with self.gateway() as gateway:
            self.check_answered(gateway)

    @unittest.skipUnless(has_ipv6(), "no IPv6 here")
    def test_a_host_is_found_over_either_family_though_its_other_address_is_dead(self):
        self.far = self.enter(Far(self.folder / "both", [self.origin.url()], "127.0.0.2", "::1"))
        for self.where in (["::1"], ["::1", "127.0.0.3"], ["::2", "127.0.0.2"]):
            for scheme in ("tls", "https", "quic", "h3"):
                with self.subTest(where=self.where, scheme=scheme):
                    name = f"{scheme}-{len(self.where)}-{self.where[0][2:]}"
                    with self.gateway(self.upstream(scheme), name=name) as gateway:
                        self.check_answered(gateway)
                        self.check_answered(gateway)

    def test_an_address_where_all_is_lost_takes_half_the_time_at_most(self):
        self.where = ["127.0.0.3", "127.0.0.2"]
        for scheme, kind in (("tls", socket.SOCK_STREAM), ("quic", socket.SOCK_DGRAM)):
            port = self.far.address(scheme)[1]
            with swallowing(kind, "127.0.0.3", port), self.subTest(scheme):
                with self.gateway(self.upstream(scheme, timeout="4s"), name=scheme) as gateway:
                    self.check_answered(gateway)

    def test_a_resolver_that_is_silent_of_one_family_holds_up_nobody(self):
        self.resolver.script = lambda asked: (
            self.tell(asked) if asked.rdtype == dns.rdatatype.A else SILENCE
        )
        # Whose silence takes one and a half seconds.
        with self.gateway(self.upstream(timeout="1400ms")) as gateway:
            self.check_answered(gateway)

    # The next start.

    def test_what_was_found_serves_the_next_start_without_anybody_to_ask(self):
        gateway = self.enter(self.gateway())
        self.check_answered(gateway)
        until((gateway.state / "addresses.saved").exists, "the address to be saved")
        gateway.process.stop()
        self.resolver.refuse()
        self.assertTrue(gateway.launch())
        self.check_answered(gateway)
        self.assertIn("host is where it was the last time", gateway.process.log())
        self.assertEqual(self.lookups(gateway, "ok"), 0)

    def test_a_damaged_file_is_told_and_not_believed(self):
        gateway = self.enter(self.gateway())
        self.check_answered(gateway)
        saved = gateway.state / "addresses.saved"
        until(saved.exists, "the address to be saved")
        gateway.process.stop()
        saved.write_bytes(saved.read_bytes().replace(b"127.0.0.2", b"127.0.0.3"))
        self.assertTrue(gateway.launch())
        self.until_answered(gateway)
        self.assertIn("saved addresses of upstreams not used", gateway.process.log())

    # Nobody knows.

    def check_late(self, gateway, fault):
        self.assertIn(b"\x7f\x00\x00\x01", read(gateway.ask("udp", "localhost")).rdata(A))
        self.check_failed(
            gateway,
            f"tls://{HOST}",
            f"the address of {HOST} is not known yet",
            ede=NO_REACHABLE_AUTHORITY,
        )
        tested = gateway.verb("upstream", "test")
        self.assertIn("not known yet", tested.stdout, tested)
        fault()
        self.until_answered(gateway)
        self.assertEqual(gateway.verb("upstream", "test").returncode, OK)

    def test_a_start_waits_for_no_resolver_that_is_silent(self):
        self.resolver.script = lambda asked: SILENCE
        gateway = self.enter(self.gateway())
        self.check_late(gateway, lambda: setattr(self.resolver, "script", self.tell))

    def test_a_start_waits_for_no_resolver_that_is_not_there(self):
        self.resolver.refuse()
        gateway = self.enter(self.gateway())
        self.check_late(gateway, self.resolver.listen)
        self.assertGreaterEqual(self.lookups(gateway, "failed"), 1)

    def test_other_upstreams_are_asked_meanwhile(self):
        self.resolver.refuse()
        with self.gateway(self.upstream(), {"url": self.origin.url()}) as gateway:
            for _ in range(3):
                self.check_answered(gateway)

    def test_who_rested_for_want_of_an_address_is_back_as_soon_as_it_is_known(self):
        """By then it would rest for eight seconds more, and more than five of them would be left."""
        self.resolver.script = lambda asked: SILENCE
        gateway = self.gateway(self.upstream(timeout="500ms"), {"url": self.origin.url()})
        gateway.settings["server"] = {"workers": 1}
        self.enter(gateway)

        def resting():
            self.check_answered(gateway)
            return gateway.metrics().total("sallyport_upstream_rests_total") >= 4

        until(resting, "the fourth rest")
        self.resolver.script = self.tell
        until(lambda: self.lookups(gateway, "ok"), "the address")

        def back():
            self.check_answered(gateway)
            return gateway.metrics().total("sallyport_upstream_replies_total", protocol="dot")

        until(back, "an answer by who was looked up", 4 * SLOWNESS)

    def test_what_waits_does_not_hold_up_the_end(self):
        self.resolver.script = lambda asked: SILENCE
        gateway = self.enter(self.gateway(self.upstream(timeout="10s")))
        with gateway.connect("tcp") as flow:
            flow.send(query("late.zone.example", A, number=1))
            self.resolver.wait_for(1)
            gateway.process.stop(seconds=15)

    # Other addresses.

    def test_a_host_that_moved_is_found_where_it_is_now(self):
        gateway = self.enter(self.gateway())
        self.check_answered(gateway)
        self.where = "127.0.0.4"
        self.far.move(self.where)
        self.until_answered(gateway)  # long before the day is over
        self.assertGreaterEqual(self.lookups(gateway, "ok"), 2)

    def test_where_nobody_is_the_resolver_is_asked_again_but_not_all_the_time(self):
        self.where = "127.0.0.3"
        began = time.monotonic()
        gateway = self.enter(self.gateway())
        self.check_failed(gateway, f"tls://{HOST}", "refused")
        until(lambda: self.ask(gateway) and self.lookups(gateway, "ok") >= 3, "more look-ups")
        found = self.lookups(gateway, "ok")
        self.assertLess(found, 2 + time.monotonic() - began, "once a second at most")
        self.where = "127.0.0.2"
        self.until_answered(gateway)

    def test_a_forged_address_gets_no_query(self):
        forged = Authority(self.folder, "Forger").issue(names=(HOST,))
        forger = FakeUpstream(identity=forged, host="127.0.0.5")
        forger.tls_port = self.port
        self.enter(forger)
        self.where = "127.0.0.5"
        gateway = self.enter(self.gateway())
        self.check_failed(gateway, f"tls://{HOST}", "certificate")
        self.assertEqual(forger.asked, [])
        self.where = "127.0.0.2"
        self.until_answered(gateway)
        self.assertEqual(forger.asked, [])

    def test_no_host_is_where_we_are_or_where_nobody_can_be(self):
        test = self

        class ToItself(Sallyport):
            def tables(self):
                url = f"tls://{HOST}:{self.address('tls')[1]}"
                return {**super().tables(), "upstream": [{**test.upstream(), "url": url}]}

        for self.where in ("127.0.0.1", "0.0.0.0", "224.0.0.1"):
            with self.gateway(kind=ToItself, name=self.where) as gateway:
                self.check_failed(
                    gateway,
                    "not known yet",
                    "no address that can be used",
                    ede=NO_REACHABLE_AUTHORITY,
                )

    # `sallyport query`.

    def query(self, scheme, *options):
        url = self.upstream(scheme)["url"]
        ca = ("--ca", self.far.authority)
        return run("query", f"@{url}", f"{scheme}.zone.example", "--short", *ca, *options)

    def test_a_query_looks_its_server_up_where_it_is_told_to(self):
        resolver = ("--resolver", f"127.0.0.1:{self.resolver.port}")
        for scheme in ("tls", "https", "quic", "h3"):
            asked = self.query(scheme, *resolver)
            self.assertEqual((asked.returncode, asked.stdout), (OK, "192.0.2.1\n"), asked)
        told = self.query("tls")
        self.assertEqual(told.returncode, USAGE)
        self.assertIn("who knows it with `--resolver`", told.stderr)
        self.assertIn("is not an address", self.query("tls", "--resolver", "x").stderr)
        # Also where nothing would have to be looked up.
        wrong = run("query", f"@udp://127.0.0.1:{self.resolver.port}", "a.example", "--resolver", "x")
        self.assertEqual(wrong.returncode, USAGE)
        self.assertIn("--resolver: `x` is not an address", wrong.stderr)
        self.where = "0.0.0.0"
        nowhere = self.query("tls", *resolver)
        self.assertEqual(nowhere.returncode, UNREACHABLE)
        self.assertIn(f"no address of {HOST} that can be used", nowhere.stderr)
        self.resolver.refuse()
        self.assertEqual(self.query("tls", *resolver).returncode, UNREACHABLE)

    # Reload.

    def test_a_reload_brings_and_takes_such_upstreams(self):
        plain = {"url": self.origin.url()}
        gateway = self.enter(self.gateway(plain))
        self.check_answered(gateway)
        self.assertEqual(self.resolver.asked, [])
        for upstreams in ([self.upstream()], [plain], [self.upstream("quic")]):
            gateway.upstreams = upstreams
            gateway.write_config()
            self.assertEqual(gateway.reload().returncode, OK)
            self.check_answered(gateway)
        self.assertEqual({one.name for one in self.resolver.asked}, {HOST})
        gateway.upstreams = [self.upstream(bootstrap=["127.0.0.2"])]
        gateway.write_config()
        refused = gateway.reload()
        self.assertNotEqual(refused.returncode, OK)
        self.assertIn("has no effect beside", refused.stdout)
        self.check_answered(gateway)


if __name__ == "__main__":
    unittest.main()
