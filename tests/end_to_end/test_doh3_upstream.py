"""Upstreams over HTTP/3, that behave and that do not: no query fails over a connection that ends in
order, nothing is believed that is not an answer to what was asked. RFC 8484, RFC 9114 §4.1 and §5.2."""

import json
import time
import unittest

from certificates import NAME, Authority
from doh3_server import Doh3Server
from doh_server import CLOSE, DNS, Octets, Reply, Reset
from fake_upstream import address
from gateway import Sallyport, run
from goaways import Goaways
from harness import EndToEndTest, temporary_folder
from messages import A, NOERROR, SERVFAIL, query, read
from rfc import ADDRESS, few

REQUEST_REJECTED, INTERNAL_ERROR = 0x10B, 0x102


def good(asked, **how):
    return Reply(address(asked), **how)


class Doh3Upstream(Goaways, EndToEndTest):
    good = staticmethod(good)

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(temporary_folder())
        cls.authority = Authority(folder)
        cls.identity = cls.authority.issue()

    def server(self, script, **how):
        return Doh3Server(script, self.identity, **how)

    def gateway(self, folder, upstream, **table):
        url = upstream if isinstance(upstream, str) else upstream.url()
        table = {"url": url, "ca_file": self.authority.file, **table}
        return Sallyport(
            folder,
            [table],
            listen=("udp", "tcp"),
            limits={"query_timeout": "5s"},
            cache={"failure_ttl": "1s"},
        )

    def test_rfc8484_4_1_nothing_but_the_question_leaves(self):
        for method in ("POST", "GET"):
            with self.server(good) as upstream, temporary_folder() as folder:
                with self.gateway(folder, upstream, method=method.lower()) as gateway:
                    for n in range(3):
                        found = read(gateway.ask("udp", f"n{n}.example", number=777))
                        self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
                self.assertEqual(upstream.connections, 1)
                for asked in upstream.queries:
                    self.assertEqual(asked.wire[:2], b"\0\0")  # id 0
                    self.assertEqual(len(asked.wire) % 128, 0)  # RFC 8467 §4.1
                    self.assertEqual(asked.path.partition("?")[0], "/dns-query")
                    wanted = {
                        ":method": method,
                        ":scheme": "https",
                        ":authority": f"{NAME}:{upstream.port}",
                        ":path": asked.path,
                        "accept": DNS,
                    }
                    if method == "POST":
                        wanted |= {"content-type": DNS, "content-length": str(len(asked.wire))}
                    self.assertEqual(asked.fields, wanted)

    def test_many_at_once_over_one_connection(self):
        with self.server(good) as upstream:
            with self.gateway(self.folder, upstream, links=1) as gateway:
                answers = self.ask_all(gateway, few(400))
        self.assertEqual({answer.rcode for answer in answers.values()}, {NOERROR})
        self.assertEqual(upstream.connections, 1)

    def test_rfc9114_5_2_goaway_loses_nothing(self):
        metrics = self.assert_goaways_lose_nothing(few(400), each=25)
        goaways = metrics.total("sallyport_upstream_goaways_total")
        self.assertGreaterEqual(goaways, max(1, few(400) // 25 - 1))
        self.assertEqual(metrics.total("sallyport_upstream_errors_total"), 0)

    def test_rfc9114_5_2_few_questions_over_each_connection(self):
        """Ten times as many are under way, and none has to come too late for ever."""
        metrics = self.assert_goaways_lose_nothing(few(200), each=5)
        self.assertEqual(metrics.total("sallyport_upstream_errors_total"), 0)

    def test_rfc9114_4_1_1_rejected_requests_are_asked_again(self):
        def script(asked):
            return Reset(REQUEST_REJECTED) if asked.number % 3 == 0 else good(asked)

        with self.server(script) as upstream:
            with self.gateway(self.folder, upstream) as gateway:
                answers = self.ask_all(gateway, few(200))
        self.assertEqual({answer.rcode for answer in answers.values()}, {NOERROR})

    def test_closed_connections_are_replaced(self):
        def script(asked):
            return good(asked, close=asked.number == 10)

        with self.server(script) as upstream:
            with self.gateway(self.folder, upstream) as gateway:
                for n in range(35):
                    self.assertEqual(read(gateway.ask("udp", f"n{n}.example")).rcode, NOERROR)
        self.assertGreaterEqual(upstream.connections, 3)

    def test_rfc9000_8_1_2_an_address_is_proved_when_wanted(self):
        with self.server(good, retry=True) as upstream:
            with self.gateway(self.folder, upstream) as gateway:
                self.assertEqual(read(gateway.ask("udp", "www.example")).rcode, NOERROR)
            told = run(
                "query", f"@{upstream.url()}", "--ca", self.authority.file, "www.example", "--json"
            )
            self.assertTrue(json.loads(told.stdout)["quic"]["retried"], told.stdout)

    def test_rfc8446_2_2_sessions_are_resumed(self):
        with self.server(good) as upstream:
            with self.gateway(self.folder, upstream, idle_timeout="100ms") as gateway:
                for n in range(4):
                    self.assertEqual(read(gateway.ask("udp", f"n{n}.example")).rcode, NOERROR)
                    time.sleep(0.3)
                resumed = gateway.metrics().total(
                    "sallyport_upstream_connections_total", resumed="true"
                )
        self.assertGreater(resumed, 0)

    def test_a_host_by_its_bootstrap_addresses(self):
        with self.server(good) as upstream:
            url = f"h3://{NAME}:{upstream.port}/dns-query{{?dns}}"
            # Nobody listens at the first.
            with self.gateway(self.folder, url, bootstrap=["127.0.0.77", "127.0.0.1"]) as gateway:
                for n in range(3):
                    self.assertEqual(read(gateway.ask("udp", f"n{n}.example")).rcode, NOERROR)

    # What is not believed.

    def check_not_believed(self, script, words):
        with self.server(script) as upstream, temporary_folder() as folder:
            with self.gateway(folder, upstream) as gateway:
                found = read(gateway.ask("udp", "www.example"))
                self.assertEqual(found.rcode, SERVFAIL, found)
                text = (found.option(15) or b"\0\0")[2:].decode()
                self.assertRegex(text, words)
                return gateway.metrics()

    def test_statuses_and_types_that_are_no_answers(self):
        for reply, words in (
            (Reply(b"busy", 503, "text/plain"), "HTTP status 503"),
            (Reply(b"", 404, DNS), "HTTP status 404"),
            (Reply(b"<html>", 200, "text/html"), "type text/html"),
            (Reply(b"x" * 80, 200, None), "without a type"),
        ):
            with self.subTest(reply=reply):
                metrics = self.check_not_believed(lambda _: reply, words)
                self.assertEqual(
                    metrics.total("sallyport_upstream_http_failures_total") > 0,
                    reply.status != 200,
                )

    def test_bodies_that_are_no_answers(self):
        def other_question(asked):
            return asked.wire[:2] + b"\x81\x80" + asked.wire[4:12] + b"\1x" + asked.wire[12:]

        for body, words in (
            (lambda asked: b"", "another question"),
            (other_question, "another question"),
            (lambda asked: address(asked) + b"x", "malformed"),
            (lambda asked: address(asked) + b"\0" * 65536, "more than a DNS message"),
        ):
            with self.subTest(words=words):
                self.check_not_believed(lambda asked: Reply(body(asked)), words)

    def test_interim_responses_are_passed_over(self):
        with self.server(lambda asked: good(asked, interim=True)) as upstream:
            with self.gateway(self.folder, upstream) as gateway:
                self.assertEqual(read(gateway.ask("udp", "www.example")).rcode, NOERROR)

    def test_what_is_no_http3(self):
        for octets, words in (
            (b"", "closed|none"),
            (b"\0\3abc", "none"),  # DATA before HEADERS
            (b"\4\0", "none"),  # SETTINGS where they have no place
            (b"\1\2\0", "none"),  # HEADERS that end too early
            (b"\x21\0" * 5000, "flood"),  # frames of an unknown kind
        ):
            with self.subTest(octets=octets[:8]):
                self.check_not_believed(lambda _: Octets(octets, close=False), words)

    def test_resets_and_closes(self):
        self.check_not_believed(lambda _: Reset(INTERNAL_ERROR), "stream reset, code 0x102")
        self.check_not_believed(lambda _: CLOSE, "closed")

    def test_slow_ones_are_given_up_in_time(self):
        began = time.monotonic()
        self.check_not_believed(lambda _: None, "no reply in time")
        self.assertLess(time.monotonic() - began, 15)

    # Whom it believes.

    def test_rfc8310_8_1_certificates_that_are_not_good(self):
        for identity in (
            self.authority.issue(("other.example",), ()),
            Authority(self.folder, "Another authority").issue(),
        ):
            upstream = Doh3Server(good, identity)
            with upstream, temporary_folder() as folder, self.gateway(folder, upstream) as gateway:
                found = read(gateway.ask("udp", "www.example"))
                self.assertEqual(found.rcode, SERVFAIL)
                self.assertIn(b"certificate", found.option(15))
                self.assertEqual(upstream.count(), 0)

    def test_rfc9114_3_1_no_other_protocol_is_spoken(self):
        with self.server(good, alpn=("doq",)) as upstream:
            with self.gateway(self.folder, upstream) as gateway:
                self.assertEqual(read(gateway.ask("udp", "www.example")).rcode, SERVFAIL)
            self.assertEqual(upstream.count(), 0)

    # Asking once.

    def test_our_own_query_tells_how_it_went(self):
        with self.server(good) as upstream:
            for options in ((), ("--get", "--padding")):
                told = run(
                    "query", f"@{upstream.url()}", "--ca", self.authority.file, "www.example",
                    "--json", *options,
                )
                found = json.loads(told.stdout)
                self.assertEqual(found["message"]["answer"][0]["data"], "192.0.2.1")
                self.assertEqual(found["http"], {"version": "3", "status": 200})
                self.assertEqual((found["tls"]["alpn"], found["quic"]["version"]), ("h3", 1))
                self.assertEqual(upstream.queries[-1].method, "GET" if options else "POST")
            stranger = run("query", f"@{upstream.url()}", "www.example")
            self.assertIn("certificate", stranger.stderr)


if __name__ == "__main__":
    unittest.main()
