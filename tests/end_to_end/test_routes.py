"""Names that lead to upstreams of their own: who is asked, and what is forgotten when a route leads
elsewhere, while the gateway runs or while it does not."""

import unittest

from fake_upstream import FakeUpstream, address
from gateway import OK, Sallyport
from harness import EndToEndTest, until
from messages import A, NOERROR, read

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


if __name__ == "__main__":
    unittest.main()
