"""DNS over HTTPS as curl and kdig ask for it: GET, POST, JSON, the page, and every status. RFC 8484."""

import base64
import dataclasses
import json
import socket
import ssl
import subprocess
import unittest

from fake_upstream import Reply
from gateway import BAD_CONFIGURATION, run
from harness import PATIENCE, peer, run_peer
from http_clients import PREFACE, Http2, settings
from messages import A, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, TXT, query, read, to_wire
from rfc import RfcTest, reply_to, rr

MESSAGE = "application/dns-message"
SPOKEN = {"1.1": "--http1.1", "2": "--http2", "3": "--http3-only"}
VERSIONS = ("1.1", "2", "3")


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
        "listen": ("udp", "https", "h3"),
        "doh": {"paths": ["/dns-query", "/other"], "cors_origins": ["https://page.example"]},
        "limits": {"query_timeout": "2s"},
    }

    def fetch(self, version, path, *arguments, content=None):
        """What curl is told by the gateway."""
        fields_file, body_file = self.folder / "fields", self.folder / "body"
        body_file.write_bytes(b"")
        command = [peer("curl"), "-sS", "--cacert", self.gateway.authority, "--max-time", PATIENCE]
        command += [SPOKEN[version], "-D", fields_file]
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

    def test_refusals_are_counted(self):
        before = self.gateway.metrics().total("sallyport_http_refusals_total", status="404")
        for version in self.each():
            self.fetch(version, "/nothing")
        after = self.gateway.metrics().total("sallyport_http_refusals_total", status="404")
        self.assertEqual(after - before, len(VERSIONS))

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

    def test_rfc7838_3_http3_is_announced_to_others(self):
        port = self.gateway.address("h3")[1]
        for version in self.each():
            for path, status in (("/", 200), ("/nothing", 404)):
                response = self.fetch(version, path)
                self.assertEqual(response.status, status)
                self.assertEqual(
                    response.fields.get("alt-svc"),
                    None if version == "3" else f'h3=":{port}"; ma=86400',
                )

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
            before = self.sessions(version)
            run = run_peer("curl", "-K", self.folder / "curlrc", SPOKEN[version])
            self.assertEqual(run.returncode, 0, run.stderr)
            for i in range(60):
                answer = read((answers / str(i)).read_bytes())
                self.assertEqual(answer.rcode, NOERROR)
                self.assertEqual(answer.question[0], to_wire(f"m{i}.example"))
            if version != "1.1":
                self.assertLessEqual(self.sessions(version) - before, 2)

    def sessions(self, version):
        transport = "doh3" if version == "3" else "doh"
        return self.gateway.metrics().total("sallyport_sessions_total", transport=transport)


class Raw:
    """An HTTP/1.1 connection that sends what it is told, and reads responses by their length."""

    def __init__(self, gateway):
        context = ssl.create_default_context(cafile=gateway.authority)
        context.set_alpn_protocols(["http/1.1"])
        sock = socket.create_connection(gateway.address("https"), PATIENCE)
        self.socket = context.wrap_socket(sock, server_hostname="127.0.0.1")
        self.reader = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def response(self):
        """(status, fields, body), or None at the end."""
        line = self.reader.readline()
        if not line:
            return None
        status, fields = int(line.split()[1]), {}
        while (line := self.reader.readline().decode().strip()) != "":
            name, value = line.split(": ", 1)
            fields[name] = value
        return status, fields, self.reader.read(int(fields.get("content-length", 0)))

    def ask(self, octets):
        self.send(octets)
        return self.response()


HOST = b"host: dns.example\r\n"


def get_request(name, *fields):
    target = b"/dns-query?dns=" + encoded(query(name, A)).encode()
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"".join(fields) + b"\r\n"


def post_head(*fields):
    kind = f"content-type: {MESSAGE}\r\n".encode()
    return b"POST /dns-query HTTP/1.1\r\n" + HOST + kind + b"".join(fields) + b"\r\n"


class BehindReverseProxy(RfcTest):
    """HTTP in the clear, and on whose behalf it is spoken. RFC 7239, RFC 9113 §3.3."""

    allowed, refused = "203.0.113.7", "198.51.100.7"
    settings = {
        "listen": ("udp", "http", "https"),
        "server": {"allow": [allowed]},
        "proxy": {"reverse_proxies": ["127.0.0.1"]},
    }

    def rcode(self, *how, scheme="http", client=None):
        host, port = self.gateway.address(scheme)
        command = ["-sS", "--cacert", self.gateway.authority, *how]
        command += [] if client is None else ["-H", f"x-forwarded-for: {client}"]
        url = f"{scheme}://{host}:{port}/resolve?name=proxied.example"
        run = run_peer("curl", *command, url)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)["Status"]

    def test_whom_the_proxy_names_is_the_client(self):
        for how in (("--http1.1",), ("--http2-prior-knowledge",)):
            with self.subTest(how=how):
                for client, rcode in ((self.allowed, NOERROR), (self.refused, REFUSED)):
                    self.assertEqual(self.rcode(*how, client=client), rcode)
                    spoofed = f"{self.allowed}, {client}"
                    self.assertEqual(self.rcode(*how, client=spoofed), rcode)
                self.assertEqual(self.rcode(*how), REFUSED, "the proxy itself may not ask")
        self.assertEqual(self.rcode(scheme="https", client=self.allowed), NOERROR)

    def test_others_are_not_believed(self):
        self.assertEqual(
            self.rcode("--interface", "127.0.0.2", client=self.allowed), REFUSED
        )

    def test_upgrades_are_not_offered(self):
        with socket.create_connection(self.gateway.address("http"), PATIENCE) as sock:
            sock.sendall(
                b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\n"
                b"upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n"
            )
            self.assertTrue(sock.makefile("rb").readline().startswith(b"HTTP/1.1 200 "))

    def test_rfc9113_3_4_the_preface_in_pieces(self):
        address = self.gateway.address("http")
        with Http2(address, secure=False, greets=False) as client:
            for octet in PREFACE + settings():
                client.send(bytes([octet]))
            fields = (("x-forwarded-for", self.allowed),)
            response = client.ask(query("pieces.example"), fields=fields)
            self.assertEqual(read(response.body).rcode, NOERROR)

    def test_no_dns_in_the_clear_for_everybody(self):
        file = self.folder / "clear.toml"
        file.write_text('[server]\nlisten = ["http://0.0.0.0:8080"]\n')
        told = run("check", file)
        self.assertEqual(told.returncode, BAD_CONFIGURATION)
        self.assertIn("is HTTP in the clear, at no private address", told.stdout + told.stderr)


class Http1(RfcTest):
    """What curl does not send. RFC 9112."""

    settings = {"listen": ("udp", "https"), "limits": {"message_timeout": "1s"}}

    def connect(self):
        return Raw(self.gateway)

    def dropped(self, reason):
        return self.gateway.metrics().total("sallyport_drops_total", reason=reason)

    def test_9_3_requests_are_pipelined_and_answered_in_order(self):
        self.upstream.script = slow_sometimes
        with self.connect() as client:
            client.send(b"".join(get_request(f"m{i}.example") for i in range(12)))
            for i in range(12):
                status, fields, body = client.response()
                self.assertEqual((status, read(body).question[0]), (200, to_wire(f"m{i}.example")))
                self.assertNotIn("connection", fields)

    def test_each_octet_by_itself(self):
        with self.connect() as client:
            for octet in b"\r\n" + get_request("octets.example"):
                client.send(bytes([octet]))
            self.assertEqual(client.response()[0], 200)

    def test_7_1_content_in_chunks(self):
        wire = query("chunks.example", A)
        with self.connect() as client:
            chunks = b"".join(b"%x;a=b\r\n" % 1 + bytes([octet]) + b"\r\n" for octet in wire)
            whole = post_head(b"transfer-encoding: chunked\r\n") + chunks + b"0\r\nx: y\r\n\r\n"
            for _ in range(2):
                self.assertEqual(client.ask(whole)[0], 200)
            endless = b"8000\r\n" + bytes(0x8000) + b"\r\n"
            found = client.ask(post_head(b"transfer-encoding: chunked\r\n") + endless * 3)
            self.assertEqual((found[0], found[1]["connection"]), (413, "close"))
            self.assertIsNone(client.response())

    def test_6_1_framing_that_can_be_read_in_two_ways_ends_the_connection(self):
        wire = query("smuggled.example", A)
        length = b"content-length: %d\r\n" % len(wire)
        chunked = b"transfer-encoding: chunked\r\n"
        before = self.dropped("http_protocol")
        wrong = [
            (400, post_head(length, chunked)),
            (400, post_head(chunked, length)),
            (400, post_head(length, b"content-length: 5\r\n")),
            (400, post_head(b"content-length: +5\r\n")),
            (400, post_head(b"content-length: 5, 6\r\n")),
            (400, post_head(chunked, chunked)),
            (501, post_head(b"transfer-encoding: chunked, identity\r\n")),
            (501, post_head(b"transfer-encoding: gzip, chunked\r\n")),
            (501, post_head(b"transfer-encoding: xchunked\r\n")),
            (400, post_head(b"transfer-encoding : chunked\r\n")),
            (400, post_head(chunked).replace(b"HTTP/1.1", b"HTTP/1.0")),
            (400, get_request("a.example", HOST)),
            (400, get_request("a.example").replace(HOST, b"")),
            (400, get_request("a.example").replace(b"dns.example", b"dns.example/x")),
            (400, get_request("a.example", b"x: a\0b\r\n")),
            (400, get_request("a.example", b"x\r\n")),
            (400, post_head(chunked) + b"zz\r\n"),
        ]
        for status, request in wrong:
            with self.subTest(request=request), self.connect() as client:
                found = client.ask(request + wire + get_request("second.example"))
                self.assertEqual((found[0], found[1]["connection"]), (status, "close"))
                self.assertIsNone(client.response(), "an answer to what may be part of another request")
        self.assertEqual(self.dropped("http_protocol") - before, len(wrong))
        self.assertEqual([asked.name for asked in self.upstream.asked], [])

    def test_9110_10_1_1_content_is_asked_for_when_it_is_wanted(self):
        wire = query("expected.example", A)
        fields = (b"content-length: %d\r\n" % len(wire), b"expect: 100-continue\r\n")
        with self.connect() as client:
            self.assertEqual(client.ask(post_head(*fields))[0], 100)
            self.assertEqual(client.ask(wire)[0], 200)
            unwanted = post_head(*fields).replace(b"/dns-query", b"/elsewhere")
            self.assertEqual(client.ask(unwanted)[0], 404)
            self.assertIsNone(client.response())
        with self.connect() as client:
            self.assertEqual(client.ask(post_head(b"expect: wonders\r\n"))[0], 417)

    def test_9_6_old_clients_and_those_that_want_no_more(self):
        old = get_request("old.example").replace(b"HTTP/1.1", b"HTTP/1.0")
        for request, kept in (
            (old, None),
            (old.replace(HOST, b"connection: keep-alive\r\n"), "keep-alive"),
            (get_request("www.example", b"connection: close\r\n"), "close"),
        ):
            with self.subTest(request=request), self.connect() as client:
                status, fields, _ = client.ask(request)
                self.assertEqual((status, fields.get("connection")), (200, kept or "close"))
                if kept != "keep-alive":
                    self.assertIsNone(client.response())

    def test_a_request_that_does_not_end_is_not_waited_for(self):
        before = self.dropped("slow_client")
        for begun in (b"GET", get_request("a.example")[:-2], post_head(b"content-length: 9\r\n")):
            with self.subTest(begun=begun), self.connect() as client:
                self.assertEqual(client.ask(begun)[0], 408)
                self.assertIsNone(client.response())
        self.assertEqual(self.dropped("slow_client") - before, 3)

    def test_heads_are_bounded(self):
        with self.connect() as client:
            found = client.ask(b"GET /" + b"a" * 40_000)
            self.assertEqual(found[0], 414)
        with self.connect() as client:
            found = client.ask(get_request("a.example")[:-2] + b"x: " + b"y" * 40_000)
            self.assertEqual(found[0], 431)
        with self.connect() as client:
            absolute = get_request("a.example").replace(b"GET /", b"GET https://x.example/")
            self.assertEqual(client.ask(absolute)[0], 200)


def reply_wire(wire):
    return wire[:2] + b"\x80" + wire[3:]


def slow_sometimes(asked):
    late = int(asked.name.split(".")[0][1:]) % 3 == 0
    answer = reply_to(asked, rr(A, bytes([192, 0, 2, 1])))
    return Reply(answer, after=0.1) if late else answer


if __name__ == "__main__":
    unittest.main()
