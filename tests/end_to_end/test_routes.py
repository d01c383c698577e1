"""Names that lead to upstreams of their own: who is asked, and what is forgotten when a route leads
elsewhere, while the gateway runs or while it does not."""

import unittest

from certificates import Authority
from fake_upstream import FakeUpstream, address
from gateway import OK, Sallyport
from harness import EndToEndTest, until
from messages import A, NOERROR, NXDOMAIN, PTR, read
from peers import Knot, Unbound

USUAL, INNER, LAB = 1, 2, 3  # the last octet of what each upstream answers


class Routes(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.upstreams = {
            last: self.enter(FakeUpstream(lambda asked, last=last: address(asked, 3000, last)))
            for last in (USUAL, INNER, LAB)
        }

    def start(self, *routes, **settings):
        self.gateway = Sallyport(self.folder, [], **settings)
        self.lead(*routes)
        return self.enter(self.gateway)

    def lead(self, *routes):
        """Names to sets, in the file; a set that no route leads to may not be there."""
        self.gateway.settings["route"] = [{"names": [name], "set": to} for name, to in routes]
        used = {"default", *(to for _, to in routes)}
        self.gateway.upstreams = [
            {"url": self.upstreams[last].url("udp"), "set": name}
            for name, last in (("default", USUAL), ("inner", INNER), ("lab", LAB))
            if name in used
        ]
        self.gateway.write_config()

    def who_answers(self, name):
        found = read(self.gateway.ask("udp", name))
        self.assertEqual(found.rcode, NOERROR, found)
        return found.rdata(A)[0][3]

    def test_the_longest_name_decides_who_is_asked(self):
        self.start(("corp.example.", "inner"), ("lab.corp.example.", "lab"))
        for name, last in (
            ("www.example", USUAL),
            ("corp.example", INNER),
            ("a.b.CORP.example", INNER),
            ("acorp.example", USUAL),
            ("www.lab.corp.example", LAB),
        ):
            with self.subTest(name=name):
                self.assertEqual(self.who_answers(name), last)
        self.assertEqual(self.upstreams[LAB].count(), 1)

    def test_a_reload_forgets_what_it_leads_elsewhere_and_nothing_else(self):
        self.start(("corp.example.", "inner"))
        for name, last in (("www.example", USUAL), ("www.corp.example", INNER)):
            self.assertEqual(self.who_answers(name), last)
        self.lead(("corp.example.", "lab"))
        self.assertEqual(self.gateway.reload().returncode, OK)
        self.assertEqual(self.who_answers("www.corp.example"), LAB)
        self.lead()
        self.assertEqual(self.gateway.reload().returncode, OK)
        self.assertEqual(self.who_answers("www.corp.example"), USUAL)
        self.upstreams[USUAL].forget()
        self.assertEqual(self.who_answers("www.example"), USUAL)
        self.assertEqual(self.upstreams[USUAL].count(), 0, "it was flushed for nothing")

    def start_again(self):
        self.assertTrue(self.gateway.launch())
        until(lambda: "saved cache" in self.gateway.process.log(), "the cache to be looked at")

    def test_routes_that_changed_while_it_did_not_run_bring_nothing_back(self):
        self.start(("corp.example.", "inner"), cache={"save": True})
        self.assertEqual(self.who_answers("www.corp.example"), INNER)
        self.gateway.process.stop()
        self.lead(("corp.example.", "lab"))
        self.start_again()
        self.assertIn("saved cache not used", self.gateway.process.log())
        self.assertEqual(self.who_answers("www.corp.example"), LAB)
        self.gateway.process.stop()
        self.upstreams[LAB].forget()
        self.start_again()
        self.assertEqual(self.who_answers("www.corp.example"), LAB)
        self.assertEqual(self.upstreams[LAB].count(), 0, "the same routes find it warm")

    def test_what_a_reload_led_elsewhere_holds_over_a_kill(self):
        self.start(("corp.example.", "inner"), cache={"save": True})
        self.assertEqual(self.who_answers("www.corp.example"), INNER)
        self.gateway.process.stop()
        self.start_again()
        self.lead(("corp.example.", "lab"))
        self.assertEqual(self.gateway.reload().returncode, OK)
        until(
            lambda: self.gateway.metrics().total("sallyport_cache_saves_total", result="ok"),
            "the cache to be saved",
        )
        self.gateway.process.kill()
        self.start_again()
        self.assertNotIn("not used", self.gateway.process.log())
        self.assertEqual(self.who_answers("www.corp.example"), LAB)


def zone(folder, origin, *lines):
    """(origin, file) as Knot takes it."""
    file = folder / f"{origin.strip('.')}.zone"
    head = f"$ORIGIN {origin}\n$TTL 300\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n"
    file.write_text(head + "".join(f"{line}\n" for line in lines))
    return origin, file


class SplitHorizon(EndToEndTest):
    """One resolver for everybody, and an inner server that knows its own zones and nothing else."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        identity = self.authority.issue()
        outside, inside = self.folder / "outside", self.folder / "inside"
        outside.mkdir()
        inside.mkdir()
        public = self.enter(
            Knot(
                outside,
                identity,
                [
                    zone(outside, "example.", "www A 192.0.2.1", "corp A 192.0.2.2"),
                    zone(outside, "in-addr.arpa.", "1.2.0.192 PTR www.example."),
                ],
            )
        )
        self.resolver = self.enter(Unbound(outside, identity, public, "example."))
        self.inner = self.enter(
            Knot(
                inside,
                identity,
                [
                    zone(inside, "corp.example.", "www A 10.0.0.1"),
                    zone(inside, "10.in-addr.arpa.", "1.0.0 PTR www.corp.example."),
                ],
            )
        )

    def start(self, scheme):
        trust = {"ca_file": self.authority.file} if scheme == "tls" else {}
        return self.enter(
            Sallyport(
                self.folder,
                [
                    {"url": self.resolver.url(scheme), **trust},
                    {"url": self.inner.url(scheme), "set": "inner", **trust},
                ],
                route=[{"names": ["corp.example.", "10.in-addr.arpa."], "set": "inner"}],
            )
        )

    def check(self, scheme):
        gateway = self.start(scheme)

        def ask(name, rdtype=A):
            return read(gateway.ask("udp", name, rdtype))

        self.assertEqual(ask("www.example").rdata(A), [bytes([192, 0, 2, 1])])
        self.assertEqual(ask("www.corp.example").rdata(A), [bytes([10, 0, 0, 1])])
        inner = ask("1.0.0.10.in-addr.arpa", PTR)
        self.assertEqual((inner.rcode, len(inner.sections[0])), (NOERROR, 1))
        self.assertEqual(ask("none.corp.example").rcode, NXDOMAIN)
        # What is above the inner zone does not say that there is nothing below, nor the reverse.
        self.assertEqual(ask("none.example").rcode, NXDOMAIN)
        self.assertEqual(ask("www.corp.example").rdata(A), [bytes([10, 0, 0, 1])])
        self.assertEqual(ask("deep.below.none.example").rcode, NXDOMAIN)

    def test_over_udp(self):
        self.check("udp")

    def test_over_tcp(self):
        self.check("tcp")

    def test_over_tls(self):
        self.check("tls")

    def test_the_inner_server_is_not_asked_for_what_is_not_its_own(self):
        gateway = self.start("udp")
        read(gateway.ask("udp", "www.example"))
        metrics = gateway.metrics()
        asked = "sallyport_upstream_queries_total"
        self.assertEqual(metrics.total(asked, upstream=self.inner.url("udp")), 0)
        self.assertEqual(metrics.total(asked, upstream=self.resolver.url("udp")), 1)


if __name__ == "__main__":
    unittest.main()
