"""Programs that others wrote ask over DoH: kdig, curl, dnsperf, and dnsdist, which forwards to us. RFC
8484."""

import re
import unittest

from certificates import NAME, Authority
from clients import ask_many, connect
from doh import VERSIONS, DohTest
from gateway import Sallyport
from harness import run_peer, temporary_folder
from http_clients import base64url
from messages import A, NOERROR, query, read
from peers import Dnsdist
from rfc import ADDRESS, few, reply_to, rr


class Programs(DohTest):
    """With a certificate of an authority that they all are told of."""

    settings = {**DohTest.settings, "limits": {"sessions_per_client": 2000}}

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(temporary_folder())
        cls.trusted = Authority(folder, "Clients' authority")
        identity = cls.trusted.issue((NAME, "localhost"))
        own = {"chain_file": identity.chain_file, "key_file": identity.key_file}
        cls.settings = {**cls.settings, "certificate": [own]}
        super().setUpClass()
        cls.host, cls.port = cls.gateway.address("https")
        cls.url = f"https://{NAME}:{cls.port}/dns-query"

    def test_kdig(self):
        for how in ("+https", "+https-get"):
            found = run_peer(
                "kdig", f"@{self.host}", "-p", self.port, "+https", how, f"+tls-ca={self.trusted.file}",
                f"+tls-hostname={NAME}", "+padding", "+dnssec", "kdig.example", "AAAA",
            )  # fmt: skip
            self.assertIn("status: NOERROR", found.stdout, found.stderr)
            self.assertIn("(HTTP/2-" + ("GET" if "get" in how else "POST"), found.stdout)
            self.assertRegex(found.stdout, r"Received 468 B")  # RFC 8467 §4.1

    def curl(self, *arguments):
        return run_peer(
            "curl", "-sS", "--cacert", self.trusted.file, "--resolve", f"{NAME}:{self.port}:{self.host}",
            "-w", "%{http_version} %{num_connects} %{http_code}\\n", *arguments,
        )  # fmt: skip

    def test_curl_reuses_its_connection(self):
        paths = [
            part
            for n in range(5)
            for part in (
                "-o", self.folder / f"answer{n}", f"{self.url}?dns={base64url(query(f'curl{n}.example'))}",
            )
        ]  # fmt: skip
        for version in VERSIONS:
            with self.subTest(version=version):
                option = {"h2": "--http2", "http/1.1": "--http1.1"}[version]
                found = self.curl(option, *paths)
                number = {"h2": "2", "http/1.1": "1.1"}[version]
                lines = [f"{number} {int(n == 0)} 200" for n in range(5)]
                self.assertEqual(found.stdout.splitlines(), lines, found.stderr)
                answer = read((self.folder / "answer4").read_bytes())
                self.assertEqual((answer.rcode, answer.rdata(A)), (NOERROR, [ADDRESS]))

    def test_curl_resolves_names_through_us(self):
        """Its own DoH client: it finds our page's address by asking us for it."""
        self.upstream.script = lambda asked: reply_to(
            asked, *([rr(A, bytes([127, 0, 0, 1]))] if asked.rdtype == A else [])
        )
        found = self.curl("--doh-url", self.url, f"https://{NAME}:{self.port}/")
        self.assertIn("2 1 200", found.stdout, found.stderr)

    def test_dnsperf(self):
        queries = self.folder / "queries"
        queries.write_text("".join(f"n{n}.perf.example A\n" for n in range(50)))
        count = few(4000)
        for method in ("GET", "POST"):
            with self.subTest(method=method):
                found = run_peer(
                    "dnsperf", "-m", "doh", "-s", self.host, "-p", self.port, "-d", queries, "-c", "4",
                    "-q", "80", "-n", count // 50, "-O", f"doh-uri={self.url}",
                    "-O", f"doh-method={method}",
                )  # fmt: skip
                counts = dict(re.findall(r"Queries (sent|completed|lost): +(\d+)", found.stdout))
                wanted = {"sent": str(count), "completed": str(count), "lost": "0"}
                self.assertEqual(counts, wanted, found.stdout + found.stderr)
                self.assertIn(f"NOERROR {count} (100.00%)", found.stdout)

    def test_dnsdist_forwards_to_us(self):
        """Its clients ask over UDP and TCP, it asks us over DoH and trusts our certificate alone."""
        behind = (
            f'address="{self.host}:{self.port}", tls="openssl", subjectName="{NAME}",'
            f' dohPath="/dns-query", caStore="{self.trusted.file}", validateCertificates=true'
        )
        with Dnsdist(self.folder, behind) as balancer:
            for scheme in ("udp", "tcp"):
                answers = {}
                with connect(scheme, balancer.address(scheme)) as flow:
                    work = ((n, query(f"n{n}.{scheme}.example")) for n in range(few(1000)))
                    lost = ask_many(
                        [(flow, work)],
                        lambda _, n, __, reply: answers.__setitem__(n, read(reply).rdata(A)),
                        window=30,
                    )
                self.assertEqual(lost, [])
                self.assertEqual({tuple(found) for found in answers.values()}, {(ADDRESS,)})
        self.assertGreaterEqual(
            self.metric("sallyport_queries_total", transport="doh"), 2 * few(1000)
        )


class OfOurOwn(DohTest):
    def test_a_gateway_behind_a_gateway(self):
        """We ask over HTTP/2 what we answer over HTTP/2."""
        host, port = self.gateway.address("https")
        for method in ("get", "post"):
            table = {
                "url": f"https://{host}:{port}/dns-query#gateway.example",
                "ca_file": self.gateway.authority,
                "method": method,
            }
            with temporary_folder() as folder, Sallyport(folder, [table]) as inner:
                answers = {}
                with inner.connect("tcp") as flow:
                    work = ((n, query(f"n{n}.{method}.example")) for n in range(few(1000)))
                    lost = ask_many(
                        [(flow, work)],
                        lambda _, n, __, reply: answers.__setitem__(n, read(reply).rdata(A)),
                        window=90,
                    )
                self.assertEqual(lost, [])
                self.assertEqual({tuple(found) for found in answers.values()}, {(ADDRESS,)})


if __name__ == "__main__":
    unittest.main()
