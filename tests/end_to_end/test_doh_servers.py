"""Real DoH servers as upstreams: Unbound and dnsdist give over HTTP/2, by GET and POST, what they give
over plain DNS. RFC 8484."""

import unittest

from certificates import Authority
from clients import ask_many
from gateway import Sallyport
from harness import EndToEndTest, temporary_folder
from messages import A, NOERROR, NXDOMAIN, TXT, query, read
from peers import Dnsdist, Knot, Unbound
from rfc import few

ZONE = "zone.example."
LARGE = " ".join('"' + "t" * 250 + '"' for _ in range(40))  # more than a datagram has
RECORDS = f"""\
$ORIGIN {ZONE}
@ 300 SOA ns hostmaster 1 3600 900 604800 60
@ 300 NS ns
ns 300 A 192.0.2.53
large 300 TXT {LARGE}
alias 300 CNAME n7
$TTL 300
"""


class RealServers(EndToEndTest):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(temporary_folder())
        cls.authority = Authority(folder)
        identity = cls.authority.issue()
        cls.count = few(2000)
        names = "".join(f"n{n} A 192.0.2.{n % 250 + 1}\n" for n in range(cls.count))
        (folder / "zone").write_text(RECORDS + names)
        knot = cls.enterClassContext(Knot(folder, identity, [(ZONE, folder / "zone")]))
        unbound = cls.enterClassContext(Unbound(folder, identity, knot, ZONE))
        behind = f'address="127.0.0.1:{knot.port}"'
        dnsdist = cls.enterClassContext(Dnsdist(folder, behind, identity))
        cls.servers = (unbound, dnsdist)

    def through_each(self, check):
        """Calls `check` with a gateway in front of each server, for each method."""
        for server in self.servers:
            for method in ("get", "post"):
                upstream = {
                    "url": server.url("https"),
                    "method": method,
                    "ca_file": self.authority.file,
                    "timeout": "10s",
                }
                limits = {"query_timeout": "20s"}
                with self.subTest(server=server.name, method=method):
                    with temporary_folder() as folder:
                        with Sallyport(folder, [upstream], limits=limits) as gateway:
                            check(gateway)

    def test_answers_of_all_kinds(self):
        def check(gateway):
            found = read(gateway.ask("udp", f"alias.{ZONE}", A))
            self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [bytes([192, 0, 2, 8])]))
            found = read(gateway.ask("tcp", f"large.{ZONE}", TXT))
            self.assertEqual((found.rcode, len(found.rdata(TXT)[0])), (NOERROR, 40 * 251))
            found = read(gateway.ask("udp", f"none.{ZONE}", A))
            self.assertEqual((found.rcode, len(found.sections[1])), (NXDOMAIN, 1))

        self.through_each(check)

    def test_many_questions_over_few_connections(self):
        def check(gateway):
            answers = {}
            with gateway.connect("tcp") as flow:
                work = ((n, query(f"n{n}.{ZONE}")) for n in range(self.count))
                lost = ask_many(
                    [(flow, work)],
                    lambda _, n, __, reply: answers.__setitem__(n, read(reply)),
                    window=90,
                )
            self.assertEqual(lost, [])
            wrong = [
                n for n, found in answers.items() if found.rdata(A) != [bytes([192, 0, 2, n % 250 + 1])]
            ]
            self.assertEqual(wrong, [])
            metrics = gateway.metrics()
            self.assertEqual(metrics.total("sallyport_upstream_errors_total"), 0)
            self.assertEqual(metrics.total("sallyport_upstream_http_failures_total"), 0)
            made = metrics.total("sallyport_upstream_connections_total")
            self.assertLessEqual(made, 10)

        self.through_each(check)


if __name__ == "__main__":
    unittest.main()
