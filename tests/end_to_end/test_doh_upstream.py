"""DoH upstreams that behave and that do not, over HTTP/2 and HTTP/1.1: no query fails over a
connection that ends in order, nothing is believed that is not an answer to what was asked. RFC 8484,
RFC 9113 §6.8 and §8.7, RFC 9112, RFC 8467 §4.1."""

import re
import socket
import threading
import time
import unittest

from certificates import NAME, Authority
from doh_server import CLOSE, DNS, DohServer, Octets, Reply, Reset
from fake_upstream import address
from gateway import Sallyport
from goaways import Goaways
from harness import EndToEndTest, temporary_folder
from messages import A, NOERROR, SERVFAIL, query, read
from rfc import ADDRESS, few, question_of

VERSIONS = ("h2", "http/1.1")


def good(asked, **how):
    return Reply(address(asked), **how)


class Proxy:
    """An HTTP proxy that connects, refuses or breaks off. Owned by the test that entered it."""

    def __init__(self, behave="connect", login=None):
        self.behave, self.login = behave, login
        self.requests = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.to = None  # where host names lead

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with sock:
            request = b""
            while b"\r\n\r\n" not in request:
                octets = sock.recv(4096)
                if not octets:
                    return
                request += octets
            request = request.decode()
            self.requests.append(request)
            target = request.split()[1]
            if self.behave == "drop":
                return
            if self.behave == "refuse":
                sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            if self.login and f"Proxy-Authorization: Basic {self.login}\r\n" not in request:
                sock.sendall(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                    b'Proxy-Authenticate: Basic realm="x"\r\nContent-Length: 2\r\n\r\nno'
                )
                return
            host, _, port = target.rpartition(":")
            with socket.create_connection(self.to or (host, int(port))) as far:
                sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n")
                there = threading.Thread(target=self._pump, args=(sock, far), daemon=True)
                there.start()
                self._pump(far, sock)
                there.join()

    @staticmethod
    def _pump(one, other):
        try:
            while octets := one.recv(65536):
                other.sendall(octets)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class DohUpstream(Goaways, EndToEndTest):
    good = staticmethod(good)

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(temporary_folder())
        cls.authority = Authority(folder)
        cls.identity = cls.authority.issue()

    def server(self, script, version="h2", **how):
        return DohServer(script, self.identity, alpn=(version,), **how)

    def gateway(self, folder, upstream, **table):
        url = upstream if isinstance(upstream, str) else upstream.url()
        table = {"url": url, "ca_file": self.authority.file, **table}
        # No answer is kept: each question goes to the upstream.
        return Sallyport(
            folder,
            [table],
            listen=("udp", "tcp"),
            limits={"query_timeout": "5s"},
            cache={"failure_ttl": "1s"},
        )

    # What is asked.

    def test_rfc8484_4_1_nothing_but_the_question_leaves(self):
        for version in VERSIONS:
            for method in ("POST", "GET"):
                with self.server(good, version) as upstream, temporary_folder() as folder:
                    with self.gateway(folder, upstream, method=method.lower()) as gateway:
                        for n in range(3):
                            found = read(gateway.ask("udp", f"n{n}.example", number=777))
                            self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
                    self.assertEqual(upstream.connections, 1)
                    for asked in upstream.queries:
                        self.assertEqual((asked.version, asked.method), (version, method))
                        self.assertEqual(asked.wire[:2], b"\0\0")  # id 0
                        self.assertEqual(len(asked.wire) % 128, 0)  # RFC 8467 §4.1
                        self.assertEqual(asked.path.partition("?")[0], "/dns-query")
                        host = f"{NAME}:{upstream.port}"
                        fields = {key: asked.fields[key] for key in sorted(asked.fields)}
                        wanted = {"accept": DNS}
                        if method == "POST":
                            wanted |= {
                                "content-type": DNS,
                                "content-length": str(len(asked.wire)),
                            }
                        wanted |= (
                            {
                                ":authority": host,
                                ":method": method,
                                ":path": asked.path,
                                ":scheme": "https",
                            }
                            if version == "h2"
                            else {"host": host}
                        )
                        self.assertEqual(fields, dict(sorted(wanted.items())))

    def test_rfc9113_5_1_2_many_at_once_over_one_connection(self):
        with self.server(good, streams=10) as upstream:
            with self.gateway(self.folder, upstream, links=1) as gateway:
                answers = self.ask_all(gateway, few(400))
        self.assertEqual({answer.rcode for answer in answers.values()}, {NOERROR})
        self.assertEqual(upstream.connections, 1)

    def test_http1_takes_one_question_at_a_time(self):
        most, busy, lock = [0], [0], threading.Lock()

        def script(asked):
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            time.sleep(0.002)
            with lock:
                busy[0] -= 1
            return good(asked, chunked=asked.number % 2 == 0)

        with self.server(script, "http/1.1") as upstream:
            with self.gateway(self.folder, upstream, links=4) as gateway:
                answers = self.ask_all(gateway, few(400))
        self.assertEqual({answer.rcode for answer in answers.values()}, {NOERROR})
        # On a busy machine each may be silent for so long that another one is dialled beside it.
        self.assertIn(upstream.connections, range(4, 9))
        self.assertLessEqual(most[0], upstream.connections)

    # Connections that end.

    def test_rfc9113_6_8_goaway_loses_nothing(self):
        metrics = self.assert_goaways_lose_nothing(few(800), each=25)
        self.assertGreaterEqual(metrics.total("sallyport_upstream_goaways_total"), 3)

    def test_rfc9113_6_8_few_questions_over_each_connection(self):
        """Ten times as many are under way, and none has to come too late for ever."""
        metrics = self.assert_goaways_lose_nothing(few(200), each=5)
        self.assertEqual(metrics.total("sallyport_upstream_errors_total"), 0)

    def test_rfc9113_8_7_refused_streams_are_asked_again(self):
        def script(asked):
            return Reset(7) if asked.number % 3 == 0 else good(asked)

        with self.server(script) as upstream:
            with self.gateway(self.folder, upstream) as gateway:
                answers = self.ask_all(gateway, few(200))
        self.assertEqual({answer.rcode for answer in answers.values()}, {NOERROR})

    def test_closed_connections_are_replaced(self):
        for version in VERSIONS:

            def script(asked):
                return good(asked, close=asked.number == 10)

            with self.server(script, version) as upstream, temporary_folder() as folder:
                with self.gateway(folder, upstream) as gateway:
                    for n in range(35):
                        self.assertEqual(read(gateway.ask("udp", f"n{n}.example")).rcode, NOERROR)
                self.assertGreaterEqual(upstream.connections, 3)

    def test_rfc9112_6_3_a_body_that_ends_with_the_connection(self):
        with self.server(lambda asked: good(asked, until_close=True), "http/1.1") as upstream:
            with self.gateway(self.folder, upstream) as gateway:
                for n in range(3):
                    self.assertEqual(read(gateway.ask("udp", f"n{n}.example")).rcode, NOERROR)

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

    # What is not believed.

    def check_not_believed(self, version, script, words):
        with self.server(script, version) as upstream, temporary_folder() as folder:
            with self.gateway(folder, upstream) as gateway:
                found = read(gateway.ask("udp", "www.example"))
                self.assertEqual(found.rcode, SERVFAIL, found)
                text = (found.option(15) or b"\0\0")[2:].decode()
                self.assertRegex(text, words)
                return gateway.metrics()

    def test_statuses_and_types_that_are_no_answers(self):
        for version in VERSIONS:
            for reply, words in (
                (Reply(b"busy", 503, "text/plain"), "HTTP status 503"),
                (Reply(b"", 429, None), "HTTP status 429"),
                (Reply(b"", 404, DNS), "HTTP status 404"),
                (Reply(b"", 301, None, (("location", "https://x.example/"),)), "HTTP status 301"),
                (Reply(b"<html>", 200, "text/html"), "type text/html"),
                (Reply(b"x" * 80, 200, None), "without a type"),
            ):
                with self.subTest(reply=reply):
                    metrics = self.check_not_believed(version, lambda _: reply, words)
                    self.assertEqual(
                        metrics.total("sallyport_upstream_http_failures_total") > 0,
                        reply.status != 200,
                    )

    def test_bodies_that_are_no_answers(self):
        def other_question(asked):
            return asked.wire[:2] + b"\x81\x80" + asked.wire[4:12] + b"\1x" + asked.wire[12:]

        for version in VERSIONS:
            for body, words in (
                (lambda asked: b"", "another question"),
                (lambda asked: b"\0" * 11, "another question"),
                (other_question, "another question"),
                (lambda asked: b"\0\1" + address(asked)[2:], "another question"),
                (lambda asked: address(asked) + b"x", "malformed"),
                (lambda asked: address(asked)[:-20], "malformed"),
                (lambda asked: address(asked) + b"\0" * 65536, "more than a DNS message"),
            ):
                with self.subTest(words=words):
                    self.check_not_believed(version, lambda asked: Reply(body(asked)), words)

    def test_interim_responses_are_passed_over(self):
        for version in VERSIONS:
            with self.server(lambda asked: good(asked, interim=True), version) as upstream:
                with temporary_folder() as folder, self.gateway(folder, upstream) as gateway:
                    self.assertEqual(read(gateway.ask("udp", "www.example")).rcode, NOERROR)

    def test_types_are_compared_as_http_wants_it(self):
        for version in VERSIONS:
            reply = {"type": "Application/DNS-Message; charset=x"}
            with self.server(lambda asked: good(asked, **reply), version) as upstream:
                with temporary_folder() as folder, self.gateway(folder, upstream) as gateway:
                    self.assertEqual(read(gateway.ask("udp", "www.example")).rcode, NOERROR)

    def test_what_is_no_http_ends_the_connection(self):
        for version in VERSIONS:
            for octets in (
                b"\0\3abc",
                b"HTTP/9 what\r\n\r\n",
                b"\xff" * 200,
                b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 4000,
            ):
                with self.subTest(octets=octets[:20]):
                    self.check_not_believed(
                        version, lambda _: Octets(octets, close=False), "none|flood|no reply|closed"
                    )

    def test_rfc9113_10_5_floods_end_the_connection(self):
        settings, ping = b"\0\0\0\4\0\0\0\0\0", b"\0\0\x08\6\0\0\0\0\0" + b"x" * 8
        for frame in (settings, ping):
            self.check_not_believed("h2", lambda _: Octets(frame * 5000, close=False), "flood|none")

    def test_closed_every_time(self):
        for version in VERSIONS:
            self.check_not_believed(version, lambda _: CLOSE, "closed before|reset by peer|pipe")

    def test_slow_ones_are_given_up_in_time(self):
        for version in VERSIONS:
            began = time.monotonic()
            self.check_not_believed(version, lambda _: None, "no reply in time")
            self.assertLess(time.monotonic() - began, 15)

    # Whom it believes.

    def test_rfc8310_8_1_certificates_that_are_not_good(self):
        for identity in (
            self.authority.issue(expired=True),
            self.authority.issue(("other.example",), ()),
            self.authority.issue(self_signed=True),
            Authority(self.folder, "Another authority").issue(),
        ):
            upstream = DohServer(good, identity)
            with upstream, temporary_folder() as folder, self.gateway(folder, upstream) as gateway:
                found = read(gateway.ask("udp", "www.example"))
                self.assertEqual(found.rcode, SERVFAIL)
                self.assertIn(b"certificate", found.option(15))
                self.assertEqual(upstream.count(), 0)

    # The way to it.

    def test_a_host_by_its_bootstrap_addresses(self):
        with self.server(good) as upstream:
            url = f"https://{NAME}:{upstream.port}/dns-query{{?dns}}"
            # Nobody listens at the first.
            with self.gateway(
                self.folder, url, bootstrap=["127.0.0.77", "127.0.0.1"]
            ) as gateway:
                for n in range(3):
                    self.assertEqual(read(gateway.ask("udp", f"n{n}.example")).rcode, NOERROR)

    def test_through_a_proxy(self):
        login = self.folder / "login"
        login.write_text("user:secret word\n")
        with self.server(good) as upstream, Proxy(login="dXNlcjpzZWNyZXQgd29yZA==") as proxy:
            proxy.to = ("127.0.0.1", upstream.port)
            url = f"https://{NAME}:{upstream.port}/dns-query"
            with self.gateway(
                self.folder, url, proxy=proxy.url, proxy_login_file=login
            ) as gateway:
                self.assertEqual(read(gateway.ask("udp", "www.example")).rcode, NOERROR)
            self.assertEqual(proxy.requests[0].split()[1], f"{NAME}:{upstream.port}")
            self.assertNotIn("www", "".join(proxy.requests))

    def test_proxies_that_do_not_connect(self):
        for behave, login, words in (
            ("refuse", None, "the proxy refuses with status 403"),
            ("connect", "eDp5", "the proxy refuses with status 407"),
            ("drop", None, "the proxy closed"),
        ):
            with self.server(good) as upstream, Proxy(behave, login) as proxy:
                with temporary_folder() as folder:
                    with self.gateway(folder, upstream, proxy=proxy.url) as gateway:
                        found = read(gateway.ask("udp", "www.example"))
                        self.assertEqual(found.rcode, SERVFAIL)
                        self.assertRegex(found.option(15)[2:].decode(), re.escape(words))
                self.assertEqual(upstream.count(), 0)


if __name__ == "__main__":
    unittest.main()
