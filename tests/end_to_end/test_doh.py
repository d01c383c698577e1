"""DNS over HTTPS as curl and kdig ask for it: GET, POST, JSON, the page, and every status. RFC 8484."""

import base64
import dataclasses
import json
import subprocess
import unittest

from fake_upstream import Reply
from harness import PATIENCE, peer, run_peer
from messages import A, NOERROR, NXDOMAIN, SERVFAIL, TXT, query, read, to_wire
from rfc import RfcTest, reply_to, rr

MESSAGE = "application/dns-message"
VERSIONS = ("2",)


@dataclasses.dataclass
class Response:
    status: int
    fields: dict  # names in lower case
    body: bytes
    version: str


def encoded(wire):
    return base64.urlsafe_b64encode(wire).rstrip(b"=").decode()


class Doh(RfcTest):
    settings = {
        "listen": ("udp", "https"),
        "doh": {"paths": ["/dns-query", "/other"], "cors_origins": ["https://page.example"]},
        "limits": {"query_timeout": "2s"},
    }

    def fetch(self, version, path, *arguments, content=None):
        """What curl is told by the gateway."""
        fields_file, body_file = self.folder / "fields", self.folder / "body"
        body_file.write_bytes(b"")
        command = [peer("curl"), "-sS", "--cacert", self.gateway.authority, "--max-time", PATIENCE]
        command += ["--http1.1" if version == "1.1" else "--http2", "-D", fields_file]
        command += ["-o", body_file, "-w", "%{http_code} %{http_version}", "--path-as-is"]
        if content is not None:
            command += ["--data-binary", "@-"]
        command += [*arguments, self.url(path)]
        run = subprocess.run(
            [str(part) for part in command], input=content, capture_output=True, timeout=PATIENCE * 2
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        status, spoken = run.stdout.decode().split()
        lines = fields_file.read_text().replace("\r\n", "\n").strip().split("\n\n")[-1].split("\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        self.assertEqual(spoken, version)
        return Response(
            int(status), {k.lower(): v for k, v in fields.items()}, body_file.read_bytes(), spoken
        )

    def url(self, path):
        host, port = self.gateway.address("https")
        return f"https://{host}:{port}{path}"

    def get(self, version, wire, *arguments):
        return self.fetch(version, f"/dns-query?dns={encoded(wire)}", *arguments)

    def post(self, version, wire, *arguments, path="/dns-query", kind=MESSAGE):
        return self.fetch(version, path, "-H", f"content-type: {kind}", *arguments, content=wire)

    def each(self):
        for version in VERSIONS:
            with self.subTest(version=version):
                yield version

    def test_rfc8484_4_1_get_and_post(self):
        wire = query("www.example", A, number=0)
        for version in self.each():
            for response in (
                self.get(version, wire),
                self.post(version, wire),
                self.post(version, wire, path="/other"),
            ):
                self.assertEqual(response.status, 200)
                self.assertEqual(response.fields["content-type"], MESSAGE)
                answer = read(response.body)
                self.assertEqual((answer.rcode, answer.number), (NOERROR, 0))
                self.assertEqual(answer.rdata(A), [bytes([192, 0, 2, 1])])
                self.assertEqual(int(response.fields["content-length"]), len(response.body))
                age = int(response.fields["cache-control"].removeprefix("max-age="))
                self.assertEqual(age, answer.least_ttl)
                self.assertNotIn("set-cookie", response.fields)

    def test_rfc8484_4_2_1_every_rcode_is_200(self):
        self.upstream.script = lambda asked: reply_to(asked, flags=0x8183)
        for version in self.each():
            self.assertEqual(read(self.get(version, query("nx.example", A)).body).rcode, NXDOMAIN)
        self.upstream.script = lambda asked: reply_to(asked, flags=0x8182)
        for version in self.each():
            response = self.get(version, query("fail.example", A))
            self.assertEqual((response.status, read(response.body).rcode), (200, SERVFAIL))

    def test_rfc8484_6_the_size_in_edns_does_not_count(self):
        for version in self.each():
            answer = read(self.get(version, query("s60000.example", TXT, edns=512)).body)
            self.assertEqual((answer.rcode, answer.flags & 0x0200), (NOERROR, 0))
            self.assertTrue(answer.rdata(TXT))

    def test_rfc9110_9_3_2_head_has_no_body(self):
        for version in self.each():
            response = self.get(version, query("www.example", A), "--head")
            self.assertEqual(response.status, 200)
            self.assertTrue(response.body.endswith(b"\r\n\r\n"), "curl shows the fields alone")
            self.assertGreater(int(response.fields["content-length"]), 12)

    def test_statuses(self):
        wire = query("www.example", A)
        text = encoded(wire)
        for version in self.each():
            for path, status in (
                ("/", 200),
                ("/nothing", 404),
                ("/dns-query", 400),
                ("/dns-query?dns=", 400),
                (f"/dns-query?dns={text}=", 400),
                (f"/dns-query?dns={text}&dns={text}", 400),
                (f"/dns-query?dns={text[:-4]}+A", 400),
                (f"/dns-query?dns={encoded(wire[:11])}", 400),
                (f"/dns-query?dns={encoded(reply_wire(wire))}", 400),
                (f"/dns-query?x={'a' * 9000}", 414),
            ):
                with self.subTest(path=path[:60]):
                    self.assertEqual(self.fetch(version, path).status, status)
            self.assertEqual(self.post(version, wire, kind="text/plain").status, 415)
            self.assertEqual(self.post(version, bytes(65536)).status, 413)
            self.assertEqual(self.post(version, b"").status, 400)
            many = [part for i in range(120) for part in ("-H", f"x-{i}: y")]
            self.assertEqual(self.get(version, wire, *many).status, 431)
            refused = self.get(version, wire, "-X", "PUT")
            self.assertEqual((refused.status, refused.fields["allow"]), (405, "GET, HEAD, POST"))

    def test_json(self):
        for version in self.each():
            for path, how in (
                ("/resolve?name=json.example&type=TXT", ()),
                ("/dns-query?name=json.example&type=16", ("-H", "accept: application/dns-json")),
            ):
                response = self.fetch(version, path, *how)
                self.assertEqual(response.fields["content-type"], "application/dns-json")
                answer = json.loads(response.body)
                self.assertEqual((answer["Status"], answer["Answer"][0]["type"]), (0, TXT))
            self.assertEqual(self.fetch(version, "/resolve?name=a..b").status, 400)

    def test_cors_is_as_configured(self):
        wire = query("www.example", A)
        for version in self.each():
            allowed = self.get(version, wire, "-H", "origin: https://page.example")
            self.assertEqual(allowed.fields["access-control-allow-origin"], "https://page.example")
            other = self.get(version, wire, "-H", "origin: https://other.example")
            self.assertNotIn("access-control-allow-origin", other.fields)
            preflight = self.fetch(
                version, "/dns-query", "-X", "OPTIONS", "-H", "origin: https://page.example"
            )
            self.assertEqual(preflight.status, 204)
            self.assertIn("POST", preflight.fields["access-control-allow-methods"])

    def test_kdig(self):
        host, port = self.gateway.address("https")
        for how in ("+https", "+https-get"):
            run = run_peer(
                "kdig", f"@{host}", "-p", port, "+https", how, f"+tls-ca={self.gateway.authority}",
                "+tls-hostname=127.0.0.1", "kdig.example", "A",
            )  # fmt: skip
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn("192.0.2.1", run.stdout)

    def test_many_at_once_over_one_connection(self):
        self.upstream.script = slow_sometimes
        answers = self.folder / "answers"
        answers.mkdir()
        for version in self.each():
            lines = []
            for i in range(60):
                url = f"{self.url('/dns-query')}?dns={encoded(query(f'm{i}.example'))}"
                lines.append(f"url = {url}")
                lines.append(f"output = {answers}/{i}")
            lines += ["parallel", "parallel-max = 60", f"cacert = {self.gateway.authority}"]
            (self.folder / "curlrc").write_text("\n".join(lines))
            before = self.sessions()
            run = run_peer("curl", "-K", self.folder / "curlrc", f"--http{version}")
            self.assertEqual(run.returncode, 0, run.stderr)
            for i in range(60):
                answer = read((answers / str(i)).read_bytes())
                self.assertEqual(answer.rcode, NOERROR)
                self.assertEqual(answer.question[0], to_wire(f"m{i}.example"))
            if version == "2":
                self.assertLessEqual(self.sessions() - before, 2)

    def sessions(self):
        return self.gateway.metrics().total("sallyport_sessions_total", transport="doh")


def reply_wire(wire):
    return wire[:2] + b"\x80" + wire[3:]


def slow_sometimes(asked):
    late = int(asked.name.split(".")[0][1:]) % 3 == 0
    answer = reply_to(asked, rr(A, bytes([192, 0, 2, 1])))
    return Reply(answer, after=0.1) if late else answer


if __name__ == "__main__":
    unittest.main()
