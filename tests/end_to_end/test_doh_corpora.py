"""HTTP that other projects collected to break servers, replayed against the DoH listener: every
connection ends, nothing else does. They are data beside the checkout (see test_corpora)."""

import collections
import re
import tarfile
import time
import unittest

from clients import Closed
from doh import DohTest
from harness import SANITIZED
from http_clients import PREFACE, frame, settings, tls
from test_corpora import CORPORA

HTTP2 = ("nghttp2-fuzz", "h2o-http2")
HTTP1 = ("h2o-http1",)
AT_A_TIME = 200
ARE_THERE = unittest.skipUnless((CORPORA / f"{HTTP2[0]}.tar.gz").exists(), f"no corpora at {CORPORA}")


def archived(names):
    """Everything in the archives; a part of it where a sanitizer makes it slow."""
    for name in names:
        with tarfile.open(CORPORA / f"{name}.tar.gz") as archive:
            files = [member for member in archive if member.isfile()]
            for member in files[:: 6 if SANITIZED else 1]:
                yield member.name, archive.extractfile(member).read()


def statuses(octets):
    """Of responses that stand one behind the other, and of nothing else."""
    while octets:
        head, end, octets = octets.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        if not end or not re.fullmatch(rb"HTTP/1\.1 \d{3} [A-Za-z ]+", lines[0]):
            raise AssertionError(f"not a response: {head[:200]!r}")
        status = int(lines[0].split()[1])
        fields = dict(line.split(b": ", 1) for line in lines[1:])
        size = int(fields.get(b"content-length", 0))
        # To HEAD there is none, and the next response begins at once.
        octets = octets[0 if octets.startswith(b"HTTP/1.1 ") else size :]
        yield status


@ARE_THERE
class Corpora(DohTest):
    settings = {
        **DohTest.settings,
        "limits": {
            "sessions_per_client": 2000,
            "message_timeout": "1s",
            "idle_timeout": "1s",
            "query_timeout": "1s",
        },
    }

    def replay(self, inputs, alpn):
        """Each over a connection of its own, which ends by the server's hand, or by ours when there is
        an answer or none is owed; what came back."""
        address, authority = self.gateway.address("https"), self.gateway.authority
        replies, open_now = {}, {}
        inputs = iter(inputs)
        more = True
        while more or open_now:
            while more and len(open_now) < AT_A_TIME:
                name, octets = next(inputs, (None, None))
                if name is None:
                    more = False
                    break
                flow = tls(address, authority, (alpn,))
                flow.send_octets(octets)
                open_now[name] = (flow, time.monotonic(), bytearray())
            time.sleep(0.01)
            for name, (flow, since, reply) in list(open_now.items()):
                try:
                    reply += flow.octets()
                    if reply:
                        flow.finish()
                except Closed:
                    flow.close()
                    replies[name] = bytes(reply)
                    del open_now[name]
                else:
                    self.assertLess(time.monotonic() - since, 20, f"{name} does not end")
        return replies

    def assert_all_is_well(self, alpn):
        self.assertIsNone(self.gateway.process.returncode)
        self.assert_serves(self.client(alpn))
        self.assertEqual(self.metric("sallyport_queries_waiting"), 0)

    def test_http2(self):
        greeting = PREFACE + settings()
        inputs = (
            (name, octets if octets.startswith(b"PRI *") else greeting + octets)
            for name, octets in archived(HTTP2)
        )
        before = self.resident()
        replies = self.replay(inputs, "h2")
        self.assertGreater(len(replies), 200)
        # Our SETTINGS come first, whatever was said.
        self.assertEqual({reply[3:4] for reply in replies.values()}, {frame(4)[3:4]})
        self.assert_all_is_well("h2")
        # Two hundred connections at a time, which have gone.
        self.check_growth(self.resident() - before, 64 << 20)

    def test_http1(self):
        replies = self.replay(archived(HTTP1), "http/1.1")
        self.assertGreater(len(replies), 300)
        seen = collections.Counter()
        for name, reply in replies.items():
            with self.subTest(name=name):
                seen.update(statuses(reply))
        # Hardly any of it is meant for a DNS server.
        self.assertLessEqual(set(seen), {100, 200, 400, 404, 405, 408, 413, 414, 415, 417, 431, 501})
        self.assertGreater(seen[400], 100)
        self.assertGreater(seen[404], 20)
        self.assert_all_is_well("http/1.1")


if __name__ == "__main__":
    unittest.main()
