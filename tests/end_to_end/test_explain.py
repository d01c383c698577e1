"""`sallyport explain` and `sallyport upstream`: what they tell is what happens."""

import json
import unittest

from fake_upstream import SILENCE, FakeUpstream, address, answer
from gateway import FAILED, OK, UNREACHABLE, USAGE, Sallyport
from harness import SLOWNESS, EndToEndTest, until
from messages import A, NOERROR, NXDOMAIN, query, read


class Explained(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.first = self.enter(FakeUpstream(lambda asked: address(asked, last=1)))
        self.second = self.enter(FakeUpstream(lambda asked: address(asked, last=2)))
        self.inner = self.enter(FakeUpstream(lambda asked: address(asked, last=3)))

    def start(self, scheme="udp", strategy="failover"):
        tables = [
            {"url": one.url(scheme), "timeout": f"{500 * SLOWNESS:.0f}ms"}
            for one in (self.first, self.second)
        ]
        tables.append({"url": self.inner.url("udp"), "set": "inner"})
        self.gateway = self.enter(
            Sallyport(
                self.folder,
                tables,
                route=[{"names": ["corp.example."], "set": "inner"}],
                set=[
                    {"name": "inner", "strategy": "fastest", "hedge": 0},
                    {"name": "default", "strategy": strategy},
                ],
            )
        )
        return self.gateway

    def told(self, *words):
        done = self.gateway.verb(*words, "--json")
        self.assertEqual(done.returncode, OK, done.stderr)
        return json.loads(done.stdout)

    def line_of(self, url):
        lines = self.gateway.config.read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if url in line)

    def test_a_name_by_its_route_to_its_answer(self):
        self.start()
        told = self.told("explain", "www.corp.example")
        self.assertEqual(told["route"]["name"], "corp.example.")
        self.assertEqual(
            (told["route"]["set"], told["route"]["strategy"], told["route"]["hedge_percent"]),
            ("inner", "fastest", 0),
        )
        self.assertEqual(told["find"]["state"], "absent")
        (attempt,) = told["exchange"]["attempts"]
        self.assertEqual(attempt["url"], self.inner.url("udp"))
        self.assertEqual((attempt["why"], attempt["outcome"]), ("first", "NOERROR"))
        self.assertLessEqual(abs(attempt["line"] - self.line_of(self.inner.url("udp"))), 1)
        self.assertEqual(told["answer"]["rcode"], "NOERROR")
        self.assertEqual(self.inner.count(), 1)
        self.assertEqual(self.told("explain", "www.corp.example")["find"]["state"], "absent")
        self.assertEqual(told["store"]["fresh_for"], 300)
        self.assertGreater(told["store"]["stale_for"], 0)
        for step in ("judge", "route", "find"):
            self.assertGreater(told[step]["took_ns"], 0)
        lines = self.gateway.verb("explain", "www.corp.example").stdout
        for word in ("judge", "route", "find", "exchange", "store", "answer", "corp.example."):
            self.assertIn(word, lines)
        for line in (told["route"]["line"], attempt["line"]):
            self.assertIn(f"{self.gateway.config}:{line}", lines)

    def test_the_order_is_that_of_the_tries(self):
        self.first.script = self.second.script = lambda asked: SILENCE
        self.start(strategy="random")
        for n in range(8):
            told = self.told("explain", f"n{n}.example")
            urls = [attempt["url"] for attempt in told["exchange"]["attempts"]]
            self.assertEqual(urls, [one["url"] for one in told["upstreams"]])

    def test_that_others_wait_already_and_what_is_stale(self):
        self.start()
        self.first.script = lambda asked: address(asked, ttl=1)
        self.assertEqual(read(self.gateway.ask("udp", "old.example")).rcode, NOERROR)
        until(lambda: self.told("explain", "old.example")["find"]["state"] == "stale", "its end")
        find = self.told("explain", "old.example")["find"]
        self.assertGreater(find["usable_for"], 3600)
        self.assertFalse(find["under_way"])
        self.first.script = self.second.script = lambda asked: SILENCE
        flow = self.enter(self.gateway.connect("udp"))
        flow.send(query("new.example", A))
        until(lambda: self.told("explain", "new.example")["find"]["under_way"], "a query's wait")

    def test_who_may_ask_is_told_with_the_line_that_says_so(self):
        self.start()
        judged = self.told("explain", "www.example")["judge"]
        self.assertEqual((judged["client"], judged["allowed"]), ("127.0.0.1", True))
        self.assertEqual((judged["allowed_by"], judged["line"]), ("127.0.0.0/8", 0))
        self.gateway.settings["server"] = {"allow": ["127.0.0.1", "198.51.100.0/24"]}
        self.gateway.write_config()
        self.assertEqual(self.gateway.reload().returncode, OK)
        judged = self.told("explain", "www.example", "--from", "198.51.100.7")["judge"]
        self.assertEqual(judged["allowed_by"], "198.51.100.0/24")
        self.assertEqual(judged["line"], self.line_of("198.51.100.0/24"))
        self.assertEqual(judged["file"], str(self.gateway.config))
        told = self.told("explain", "www.example", "--from", "2001:db8::1")
        self.assertFalse(told["judge"]["allowed"])
        self.assertEqual((told["answer"]["rcode"], told["exchange"]["asked"]), ("REFUSED", False))
        lines = self.gateway.verb("explain", "www.example", "--from", "2001:db8::1").stdout
        self.assertIn("may not ask", lines)
        self.assertEqual(self.gateway.verb("explain", "x.example", "--from", "me").returncode, USAGE)

    def test_what_the_cache_has_is_not_asked_unless_it_shall_be(self):
        self.start()
        self.assertEqual(read(self.gateway.ask("udp", "www.example")).rcode, NOERROR)
        told = self.told("explain", "www.example")
        self.assertEqual((told["find"]["state"], told["exchange"]["asked"]), ("fresh", False))
        self.assertEqual(self.first.count(), 1)
        self.assertTrue(self.told("explain", "www.example", "--ask")["exchange"]["asked"])
        self.assertEqual(self.first.count(), 2)

    def test_each_try_is_told_and_why(self):
        self.first.script = lambda asked: SILENCE
        self.start("tcp")
        told = self.told("explain", "www.example")
        attempts = told["exchange"]["attempts"]
        self.assertEqual(
            [attempt["url"] for attempt in attempts],
            [self.first.url("tcp"), self.second.url("tcp")],
        )
        self.assertIn(attempts[1]["why"], ("hedge", "silence", "failure"))
        self.assertGreater(attempts[1]["began_us"], 0)
        self.assertEqual(told["answer"]["rcode"], "NOERROR")

    def test_special_names_are_answered_here(self):
        self.start()
        told = self.told("explain", "localhost")
        self.assertIn("6761", told["judge"]["answered_here"])
        self.assertFalse(told["exchange"]["asked"])

    def test_types_that_are_not_forwarded(self):
        self.start()
        told = self.told("explain", "www.example", "AXFR")
        self.assertIn("not forwarded", told["judge"]["answered_here"])
        self.assertEqual((told["answer"]["rcode"], told["exchange"]["asked"]), ("REFUSED", False))

    def test_names_below_one_that_does_not_exist(self):
        soa = "example. 300 IN SOA ns.example. host.example. 1 3600 600 86400 300"
        self.first.script = lambda asked: answer(asked, rcode=NXDOMAIN, authority=[soa])
        self.start()
        self.assertEqual(read(self.gateway.ask("udp", "gone.example")).rcode, NXDOMAIN)
        told = self.told("explain", "a.b.gone.example")
        self.assertEqual((told["find"]["state"], told["find"]["rcode"]), ("cut", "NXDOMAIN"))
        self.assertFalse(told["exchange"]["asked"])
        self.assertIn("does not exist", self.gateway.verb("explain", "a.gone.example").stdout)

    def test_wrong_words_and_nobody_there(self):
        gateway = self.start()
        self.assertEqual(gateway.verb("explain", "a..b").returncode, USAGE)
        self.assertEqual(gateway.verb("explain", "@udp://192.0.2.1", "a").returncode, USAGE)
        gateway.process.stop()
        self.assertEqual(gateway.verb("explain", "a.example").returncode, UNREACHABLE)
        self.assertEqual(gateway.verb("upstream", "list").returncode, UNREACHABLE)
        gateway.process = None

    # upstream

    def test_list_shows_each_worker_that_asks(self):
        self.start()
        for n in range(20):
            self.gateway.ask("udp", f"n{n}.example")
        upstreams = self.told("upstream", "list")["upstreams"]
        self.assertEqual(
            [(one["set"], one["url"]) for one in upstreams],
            [
                ("default", self.first.url("udp")),
                ("default", self.second.url("udp")),
                ("inner", self.inner.url("udp")),
            ],
        )
        self.assertEqual([view["worker"] for view in upstreams[0]["workers"]], [0, 1])
        self.assertEqual(upstreams[0]["queries"], 20)
        self.assertTrue(all(view["standing"] == "well" for view in upstreams[0]["workers"]))
        lines = self.gateway.verb("upstream", "list").stdout
        self.assertIn("set inner (fastest)", lines)

    def test_test_asks_all_or_one_and_fails_when_one_does(self):
        self.start()
        tested = self.told("upstream", "test")["tested"]
        self.assertEqual([one["answered"] for one in tested], [True] * 3)
        self.assertEqual([one.count() for one in (self.first, self.second, self.inner)], [1] * 3)
        self.second.script = lambda asked: SILENCE
        done = self.gateway.verb("upstream", "test")
        self.assertEqual(done.returncode, FAILED)
        self.assertRegex(done.stdout, rf"{self.second.url('udp')} .*no reply")
        only = self.gateway.verb("upstream", "test", self.first.url("udp"))
        self.assertEqual(only.returncode, OK)
        self.assertEqual(len(only.stdout.splitlines()), 1)
        self.assertEqual(self.gateway.verb("upstream", "test", "udp://192.0.2.9").returncode, FAILED)

    def who_answers(self, name):
        return read(self.gateway.ask("udp", name)).rdata(A)[0][3]

    def test_a_drained_one_is_asked_no_more_until_that_is_undone(self):
        self.start()
        url = self.first.url("udp")
        self.assertEqual(self.who_answers("one.example"), 1)
        self.assertEqual(self.gateway.verb("upstream", "drain", url).returncode, OK)
        self.assertEqual({self.who_answers(f"n{n}.example") for n in range(8)}, {2})
        self.assertTrue(self.told("upstream", "list")["upstreams"][0]["drained"])
        self.gateway.write_config()
        self.assertEqual(self.gateway.reload().returncode, OK)
        self.assertEqual(self.who_answers("after.a.reload.example"), 2)
        self.assertEqual(self.gateway.verb("upstream", "drain", url, "--undo").returncode, OK)
        self.assertEqual({self.who_answers(f"m{n}.example") for n in range(8)}, {1})
        none = self.gateway.verb("upstream", "drain", "udp://192.0.2.9")
        self.assertEqual(none.returncode, FAILED)
        self.assertIn("192.0.2.9", none.stderr)


if __name__ == "__main__":
    unittest.main()
