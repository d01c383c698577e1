"""Upstreams over QUIC: our own listener behind another gateway, and Knot DNS. RFC 9250."""

import json
import struct
import unittest

from certificates import NAME, Authority
from fake_upstream import SILENCE, FakeUpstream
from gateway import Sallyport, run
from harness import EndToEndTest, until
from messages import A, NOERROR, SERVFAIL, query, read
from peers import Knot
from rfc import anything

ZONE = """\
$ORIGIN zone.example.
$TTL 300
@ SOA ns h 1 2 3 4 60
@ NS ns
ns A 192.0.2.53
www A 192.0.2.80
"""


class DoqKnot(Knot):
    """Knot DNS with a DoQ listener beside the others."""

    def configure(self):
        super().configure()
        self.quic_port = self.ports.take()
        file = self.folder / "knot.conf"
        file.write_text(
            file.read_text().replace(
                "  cert-file:", f"  listen-quic: 127.0.0.1@{self.quic_port}\n  cert-file:"
            )
        )


class BehindAnother(EndToEndTest):
    def setUp(self):
        super().setUp()
        (self.folder / "inner").mkdir()
        (self.folder / "outer").mkdir()
        self.fake = self.enter(FakeUpstream(anything))
        self.inner = self.enter(
            Sallyport(self.folder / "inner", [self.fake.url()], listen=("udp", "quic"))
        )
        port = self.inner.address("quic")[1]
        self.outer = self.enter(
            Sallyport(
                self.folder / "outer",
                [{"url": f"quic://127.0.0.1:{port}", "ca_file": self.inner.authority}],
                listen=("udp", "tcp"),
            )
        )

    def upstream_total(self, family, **labels):
        return self.outer.metrics().total(f"sallyport_upstream_{family}_total", **labels)

    def test_many_questions_over_one_connection(self):
        with self.outer.connect("tcp") as flow:
            for n in range(1, 201):
                flow.send(query(f"n{n}.example", A, number=n))
            replies = [flow.receive() for _ in range(200)]
        self.assertEqual({read(reply).rcode for reply in replies}, {NOERROR})
        self.assertEqual({struct.unpack("!H", r[:2])[0] for r in replies}, set(range(1, 201)))
        self.assertLessEqual(self.upstream_total("connections", result="ok"), 2)

    def test_the_server_comes_back_and_the_session_resumes(self):
        self.assertEqual(read(self.outer.ask("udp", "one.example")).rcode, NOERROR)
        self.inner.process.stop()
        self.inner.launch()
        until(
            lambda: read(self.outer.ask("udp", "two.example")).rcode == NOERROR,
            "an answer by the new server",
        )

    def test_rfc9250_5_5_3_sessions_are_resumed(self):
        config = self.outer.config
        self.outer.process.stop()
        config.write_text(
            config.read_text().replace("[[upstream]]", '[[upstream]]\nidle_timeout = "100ms"')
        )
        self.outer.launch()
        for n in range(3):
            self.assertEqual(read(self.outer.ask("udp", f"n{n}.example")).rcode, NOERROR)
            until(
                lambda: self.upstream_total("disconnections") == n + 1, "the idle link to end"
            )
        self.assertEqual(self.upstream_total("connections", resumed="true"), 2)
        handshakes = self.inner.metrics()
        self.assertEqual(
            handshakes.total("sallyport_tls_handshakes_total", transport="doq", resumed="true"), 2
        )

    def test_a_silent_server_is_given_up(self):
        self.assertEqual(read(self.outer.ask("udp", "one.example")).rcode, NOERROR)
        self.fake.script = lambda _: SILENCE
        self.assertEqual(read(self.outer.ask("udp", "silent.example")).rcode, SERVFAIL)


class BehindKnot(EndToEndTest):
    def test_knot_answers_over_quic(self):
        authority = Authority(self.folder)
        identity = authority.issue()
        (self.folder / "zone").write_text(ZONE)
        knot = self.enter(
            DoqKnot(self.folder, identity, [("zone.example", self.folder / "zone")])
        )
        gateway = self.enter(
            Sallyport(
                self.folder,
                [
                    {
                        "url": f"quic://127.0.0.1:{knot.quic_port}#{NAME}",
                        "ca_file": authority.file,
                    }
                ],
            )
        )
        for n in range(3):
            reply = read(gateway.ask("udp", "www.zone.example", number=n))
            self.assertEqual(reply.rcode, NOERROR, reply)
        server = f"@quic://127.0.0.1:{knot.quic_port}#{NAME}"
        asked = json.loads(
            run("query", server, "--ca", authority.file, "ns.zone.example", "--json").stdout
        )
        self.assertEqual(asked["message"]["answer"][0]["data"], "192.0.2.53", asked)
        self.assertEqual((asked["tls"]["alpn"], asked["quic"]["version"]), ("doq", 1))
        reply = read(gateway.ask("tls", "ns.zone.example"))
        self.assertEqual(reply.rcode, NOERROR, reply)


if __name__ == "__main__":
    unittest.main()
