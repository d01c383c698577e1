"""An upstream over QUIC with a second way over TCP, behind networks that let no UDP through, from the
beginning, suddenly, and no longer. RFC 9250 §4.3 (fallback), RFC 8305 §5."""

import json
import socket
import threading
import unittest

from fake_upstream import FakeUpstream, Reply, answer, nodata
from gateway import Sallyport
from harness import EndToEndTest, ready, until
from messages import A, NOERROR, query, read
from relay import Relay
from rfc import anything

HOST = "gateway.example"  # that the far gateway has a certificate for
OTHER_WAY, WANTED_WAY = "upstream is asked another way", "upstream is asked the wanted way again"


def whereabouts(asked):
    """Of HOST, a second late: as long as three handshakes may take."""
    if asked.rdtype != A:
        return nodata(asked)
    return Reply(answer(asked, f"{HOST}. 300 IN A 127.0.0.1"), after=1.0)


class Firewall(Relay):
    """Lets TCP through, and UDP as long as it is not `closed`. Both on the same port."""

    def __init__(self, server):
        super().__init__(server)
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while not self._bind():  # over TCP that port may be somebody else's
            self._near.close()
            self._near = self._open()
            self.address = self._near.getsockname()
        self._listener.listen()
        self._tcp = threading.Thread(target=self._carry, daemon=True)

    def _bind(self):
        try:
            self._listener.bind(self.address)
        except OSError:
            return False
        return True

    @property
    def closed(self):
        return self.loss == 1.0

    @closed.setter
    def closed(self, value):
        self.loss = 1.0 if value else 0.0

    def __enter__(self):
        self._tcp.start()
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self._tcp.join(10)

    def _carry(self):
        peers = {}
        while not self._ending.is_set():
            for each in ready([self._listener, *peers], seconds=0.02):
                if each is self._listener:
                    near, far = each.accept()[0], socket.create_connection(self.server)
                    peers |= {near: far, far: near}
                    continue
                if each not in peers:
                    continue
                try:
                    data = each.recv(65536)
                    if data:
                        peers[each].sendall(data)
                        continue
                except OSError:
                    pass
                other = peers.pop(each)
                del peers[other]
                each.close()
                other.close()
        for each in [self._listener, *peers]:
            each.close()


class Fallback(EndToEndTest):
    def start(self, scheme, other, *, closed=False):
        self.start_far(scheme, other, closed)
        self.start_near(f"{scheme}://127.0.0.1:{self.firewall.address[1]}", other)

    def start_far(self, scheme, other, closed=False):
        (self.folder / "inner").mkdir()
        fake = self.enter(FakeUpstream(anything))
        inner = self.enter(
            Sallyport(self.folder / "inner", [fake.url()], listen=("udp", scheme, other))
        )
        self.authority = inner.authority
        self.firewall = Firewall(inner.address(scheme))
        self.firewall.closed = closed
        self.enter(self.firewall)

    def start_near(self, url, other, name="outer", **table):
        (self.folder / name).mkdir()
        upstream = {"url": url, "ca_file": self.authority, "fallback": other, "links": 1, **table}
        self.outer = self.enter(
            Sallyport(
                self.folder / name, [upstream], listen=("udp", "tcp"), server={"workers": 1}
            )
        )
        self.asked = 0

    def fallbacks(self):
        return self.outer.metrics().total("sallyport_upstream_fallbacks_total")

    def ask(self, count=1):
        with self.outer.connect("tcp") as flow:
            for n in range(count):
                self.asked += 1
                flow.send(query(f"n{self.asked}.example", number=n))
            for _ in range(count):
                reply = read(flow.receive())
                self.assertEqual(reply.rcode, NOERROR, reply)

    def explained(self):
        """How a question was answered that nobody has asked before."""
        self.asked += 1
        told = self.outer.verb("explain", f"n{self.asked}.example", "--json").stdout
        (attempt,) = json.loads(told)["exchange"]["attempts"]
        return attempt["outcome"]

    def none_falls_back(self):
        """Of twenty queries. On a busy machine the firewall keeps some for longer than we wait."""
        before = self.fallbacks()
        self.ask(20)
        return self.fallbacks() == before

    def check(self, scheme, other, protocol):
        """Closed from the beginning; then opened."""
        self.start(scheme, other, closed=True)
        self.ask(20)
        self.assertGreaterEqual(self.fallbacks(), 20)
        until(lambda: OTHER_WAY in self.outer.process.log(), "the change of ways to be logged")
        # From here on nobody waits for what does not come.
        before = self.fallbacks()
        self.ask(20)
        self.assertEqual(self.fallbacks(), before + 20)
        self.assertEqual(self.explained(), "NOERROR over its fallback")
        tested = self.outer.verb("upstream", "test").stdout
        self.assertIn("NOERROR over its fallback", tested)
        self.firewall.closed = False

        def back():
            self.ask()
            return WANTED_WAY in self.outer.process.log()

        until(back, "the wanted way to be tried again")
        until(self.none_falls_back, "twenty queries in a row over the wanted way")
        until(lambda: self.explained() == "NOERROR", "an answer over the wanted way")
        replies = self.outer.metrics().total(
            "sallyport_upstream_replies_total", protocol=protocol
        )
        self.assertGreaterEqual(replies, 20)

    def test_http3_falls_back_to_https_and_comes_back(self):
        self.check("h3", "https", "doh3")

    def test_doq_falls_back_to_dot_and_comes_back(self):
        self.check("quic", "tls", "doq")

    def test_a_way_that_closes_under_queries_loses_none(self):
        self.start("h3", "https")
        until(self.none_falls_back, "twenty queries in a row over the wanted way")
        before = self.fallbacks()
        self.firewall.closed = True
        self.ask(20)
        self.assertGreater(self.fallbacks(), before)
        self.ask(20)

    def test_an_address_that_comes_late_is_no_reason_to_go_the_other_way(self):
        self.start_far("quic", "tls")
        url = f"quic://{HOST}:{self.firewall.address[1]}"
        with FakeUpstream(whereabouts) as resolver:
            resolvers = [f"127.0.0.1:{resolver.port}"]

            def waits(attempt):
                self.start_near(url, "tls", f"near{attempt}", bootstrap_resolvers=resolvers)
                self.ask(20)
                return self.fallbacks() == 0 and OTHER_WAY not in self.outer.process.log()

            # On a busy machine a handshake may take longer than we wait.
            self.assertTrue(any(waits(attempt) for attempt in range(3)))


if __name__ == "__main__":
    unittest.main()
