"""DNS over HTTP as its standards want it, over all its versions alike, and in the clear as a reverse
proxy speaks it. RFC 8484, RFC 9110, RFC 9111; and whom it lets ask."""

import json
import struct
import time
import unittest

from clients import Dot
from doh import IN_THE_CLEAR, VERSIONS, DohTest, Http3
from fake_upstream import SILENCE
from harness import run_peer
from http_clients import DNS, Http1, Http2, base64url, request_fields
from messages import A, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, SOA, query, read
from rfc import ADDRESS, RfcTest, reply_to, rr

WIRE = query("www.example")


def soa(minimum):
    return b"\0\0" + struct.pack("!5I", 1, 3600, 600, 86400, minimum)


def max_age(response):
    return int(response.fields["cache-control"].removeprefix("max-age="))


class VersionsTest(DohTest):
    settings = {
        "listen": ("udp", "https", "h3", "http"),
        "doh": {"paths": ["/dns-query", "/p"], "cors_origins": ["https://page.example"]},
    }

    def each(self, check):
        """Calls `check` with a new connection of each version."""
        for version in (*VERSIONS, *IN_THE_CLEAR, "h3"):
            with self.subTest(version=version):
                check(self.client(version))


class Rfc8484(VersionsTest):
    def test_4_1_get_post_and_head(self):
        def check(client):
            for method in ("GET", "POST"):
                response = client.ask(WIRE, method)
                self.assert_answer(response)
                self.assertEqual(response.fields["content-type"], DNS)
                self.assertEqual(int(response.fields["content-length"]), len(response.body))
            self.assert_answer(client.ask(WIRE, "POST", "/p"))
            head = client.ask(WIRE, "HEAD")
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(head.fields["content-length"], response.fields["content-length"])

        self.each(check)

    def test_4_1_the_id_is_the_clients(self):
        def check(client):
            for number in (0, 1, 0xFFFF):
                self.assertEqual(read(client.ask(query("id.example", number=number)).body).number, number)

        self.each(check)

    def test_4_1_1_other_parameters_and_encodings(self):
        text = base64url(WIRE)

        def check(client):
            for path in (f"/dns-query?x=y&dns={text}&z", f"/dns-query?dns={text}"):
                self.assert_answer(client.get(path))
            for wrong in (
                text + "=", text + "%3D", text[:-1] + "+", text[:-1] + "/", text[:-1] + "%2B",
                text[:-2] + "A", "", "AAAA", f"{text}&dns={text}",
            ):  # fmt: skip
                with self.subTest(wrong=wrong):
                    self.assertEqual(client.get(f"/dns-query?dns={wrong}").status, 400)

        self.each(check)

    def test_4_1_the_type_counts(self):
        fields = (
            ("application/dns-message", 200),
            ("Application/DNS-Message; x=y", 200),
            ("application/dns-udpwireformat", 415),
            ("application/x-www-form-urlencoded", 415),
            ("", 415),
        )

        def check(client):
            for kind, status in fields:
                self.assertEqual(self.post(client, kind).status, status, kind)

        self.each(check)

    def post(self, client, kind):
        fields = (("content-type", kind), ("content-length", str(len(WIRE))))
        if isinstance(client, Http1):
            client.request("POST", "/dns-query", *fields, body=WIRE)
            return client.response()
        return client.response(client.request(request_fields("POST", "/dns-query", *fields), WIRE))

    def test_4_2_1_whatever_dns_says_is_200(self):
        def script(asked):
            rcode = {"nx": 3, "fail": 2, "refused": 5}.get(asked.name.partition(".")[0], 0)
            return reply_to(asked, flags=0x8180 | rcode)

        self.upstream.script = script

        def check(client):
            for name, rcode in (("nx", NXDOMAIN), ("fail", SERVFAIL), ("nodata", NOERROR)):
                response = client.ask(query(f"{name}.example"))
                self.assertEqual((response.status, read(response.body).rcode), (200, rcode))
                self.assertEqual(response.fields["content-type"], DNS)

        self.each(check)

    def test_5_1_max_age_is_the_least_ttl_and_counts_down(self):
        self.upstream.script = lambda asked: reply_to(
            asked, rr(A, ADDRESS, ttl=300), rr(A, bytes([192, 0, 2, 2]), ttl=300)
        )

        def check(client):
            wire = query(f"age{id(client)}.example")
            first = client.ask(wire)
            self.assertEqual(max_age(first), read(first.body).least_ttl)
            self.assertEqual(max_age(first), 300)
            time.sleep(1.1)
            for method in ("GET", "POST"):
                later = client.ask(wire, method)
                self.assertIn(max_age(later), (298, 299))
                self.assertEqual(max_age(later), read(later.body).least_ttl)

        self.each(check)

    def test_5_1_negative_answers_live_as_long_as_their_soa_says(self):
        def script(asked):
            return reply_to(asked, authority=[rr(SOA, soa(7), ttl=100)], flags=0x8183)

        self.upstream.script = script

        def check(client):
            response = client.ask(query("none.example"))
            self.assertEqual(read(response.body).rcode, NXDOMAIN)
            self.assertLessEqual(max_age(response), 7)

        self.each(check)

    def test_5_1_failures_are_not_to_be_kept_long(self):
        self.upstream.script = lambda asked: reply_to(asked, flags=0x8182)

        def check(client):
            response = client.ask(query("failure.example"))
            self.assertLessEqual(max_age(response), 30)

        self.each(check)

    def test_8_2_cookies_are_neither_wanted_nor_set(self):
        text = base64url(WIRE)

        def check(client):
            for field in (("cookie", "a=b"), ("authorization", "Basic eDp5"), ("user-agent", "x")):
                response = client.get(f"/dns-query?dns={text}", field)
                self.assert_answer(response)
                for name in ("set-cookie", "server", "www-authenticate", "etag"):
                    self.assertNotIn(name, response.fields)

        self.each(check)

    def test_rfc7828_keepalive_is_not_for_http(self):
        wire = query("keepalive.example", options=struct.pack("!HH", 11, 0))

        def check(client):
            self.assertIsNone(read(client.ask(wire).body).option(11))

        self.each(check)

    def test_rfc8467_4_1_answers_are_padded_when_queries_are(self):
        padded = query("padded.example", options=struct.pack("!HH", 12, 5) + bytes(5))

        def check(client):
            self.assertEqual(len(client.ask(padded).body) % 468, 0)
            self.assertLess(len(client.ask(query("padded.example")).body), 100)

        self.each(check)


class Rfc9110(VersionsTest):
    def test_15_5_statuses(self):
        text = base64url(WIRE)

        def check(client):
            for method, path, status in (
                ("GET", "/dns-query", 400),
                ("GET", "/dns-query/", 404),
                ("GET", "/DNS-QUERY?dns=" + text, 404),
                ("GET", "/dns-query%3Fdns=" + text, 404),
                ("GET", "/../dns-query?dns=" + text, 404),
                ("GET", "/favicon.ico", 404),
                ("DELETE", "/dns-query?dns=" + text, 405),
                ("TRACE", "/dns-query", 405),
                ("get", "/dns-query?dns=" + text, 405),
                ("POST", "/", 405),
                ("GET", "/dns-query?dns=" + "A" * 8200, 414),
            ):
                if status == 414 and isinstance(client, Http3):
                    continue  # more than its encoder takes
                with self.subTest(method=method, path=path[:40]):
                    response = client.get(path, method=method)
                    self.assertEqual(response.status, status)
                    self.assertEqual("allow" in response.fields, status == 405)
                    self.assertEqual(response.fields["x-content-type-options"], "nosniff")

        self.each(check)

    def test_8_6_content_of_get_is_refused(self):
        """CVE-2026-40208: it delayed other people's queries elsewhere."""
        text = base64url(WIRE)
        with self.subTest("HTTP/1.1"):
            client = self.h1()
            client.request("GET", f"/dns-query?dns={text}", body=b"content")
            self.assertEqual(client.response().status, 400)
            self.assert_serves(client)
        with self.subTest("HTTP/2"):
            client = self.h2()
            stream = client.request(request_fields("GET", f"/dns-query?dns={text}"), b"content")
            self.assertEqual(client.response(stream).status, 400)
            self.assert_serves(client)

    def test_7_8_nothing_is_upgraded(self):
        text = base64url(WIRE)
        client = self.h1()
        for protocol in ("h2c", "websocket", "TLS/1.3"):
            fields = (("upgrade", protocol), ("connection", "upgrade"), ("http2-settings", "AAMAAABk"))
            response = client.get(f"/dns-query?dns={text}", *fields)
            self.assert_answer(response)
            self.assertNotIn("upgrade", response.fields)

    def test_12_5_5_vary_where_pages_differ(self):
        text = base64url(WIRE)

        def check(client):
            for origin, allowed in (
                ("https://page.example", "https://page.example"),
                ("https://page.example:8443", None),
                ("http://page.example", None),
                ("null", None),
            ):
                response = client.get(f"/dns-query?dns={text}", ("origin", origin))
                self.assertEqual(response.fields.get("access-control-allow-origin"), allowed)
                self.assertIn("origin", response.fields["vary"])
                self.assertNotIn("access-control-allow-credentials", response.fields)

        self.each(check)

    def test_the_admin_listener_is_for_no_page(self):
        """CVE-2026-0397."""
        for path in ("/metrics", "/healthz"):
            _, fields, _ = self.gateway.get(path)
            names = {name.lower() for name in fields}
            self.assertFalse({name for name in names if name.startswith("access-control")})

    def test_questions_in_json_are_escaped_everywhere(self):
        def check(client):
            path = "/resolve?name=%3Cscript%3E%22%0a.example&type=1"
            response = client.get(path)
            self.assertEqual(response.fields["content-type"], "application/dns-json")
            self.assertNotIn(b"<script>", response.body)
            self.assertEqual(json.loads(response.body)["Status"], 0)

        self.each(check)
        self.gateway.metrics()  # is read strictly


class Rfc8446(VersionsTest):
    def test_8_no_early_data(self):
        host, port = self.gateway.address("https")
        found = run_peer(
            "openssl", "s_client", "-connect", f"{host}:{port}", "-alpn", "h2", "-CAfile",
            self.gateway.authority, "-verify_return_error", "-ign_eof", "-no_ign_eof",
        )  # fmt: skip
        self.assertIn("ALPN protocol: h2", found.stdout)
        self.assertNotRegex(found.stdout, r"Max Early Data: [1-9]")

    def test_alpn(self):
        for offered, chosen in (
            (("h2", "http/1.1"), "h2"),
            (("http/1.1", "h2"), "h2"),
            (("http/1.1",), "http/1.1"),
            ((), None),
        ):
            with self.subTest(offered=offered):
                flow = Dot(self.gateway.address("https"), self.gateway.authority, alpn=offered)
                with flow:
                    self.assertEqual(flow.tls.selected_alpn_protocol(), chosen)
        for offered in (("dot",), ("h3",), ("spdy/3",)):
            with self.subTest(offered=offered), self.assertRaises(OSError):
                Dot(self.gateway.address("https"), self.gateway.authority, alpn=offered)


class WhoMayAsk(RfcTest):
    """CVE-2026-24029: what is in the cache is no way around `allow`."""

    settings = {"listen": ("udp", "https"), "server": {"allow": ["127.0.0.1"]}}

    def test_the_cache_does_not_help(self):
        address, authority = self.gateway.address("https"), self.gateway.authority
        for client in (Http1, Http2):
            with client(address, authority) as allowed:
                self.assertEqual(read(allowed.ask(WIRE).body).rcode, NOERROR)
            # The certificate is for 127.0.0.1; the client is another.
            with client(address, authority, source="127.0.0.2") as other:
                response = other.ask(WIRE)
                self.assertNotIn(ADDRESS, response.body)
                if response.status == 200:
                    self.assertEqual(read(response.body).rcode, REFUSED)


class Limits(RfcTest):
    settings = {
        "listen": ("udp", "https"),
        "limits": {"queries_waiting": 5, "query_timeout": "2s", "queries_per_session": 50},
    }

    def test_too_much_under_way_is_said_so(self):
        self.upstream.script = lambda _: SILENCE
        address, authority = self.gateway.address("https"), self.gateway.authority
        with Http2(address, authority) as client:
            streams = [client.query(query(f"w{n}.example")) for n in range(30)]
            found = [client.response(stream) for stream in streams]
        refused = [response for response in found if response.status == 503]
        self.assertGreaterEqual(len(refused), 20)
        self.assertEqual({response.fields["retry-after"] for response in refused}, {"1"})
        others = [read(response.body).rcode for response in found if response.status == 200]
        self.assertEqual(set(others), {SERVFAIL})


if __name__ == "__main__":
    unittest.main()
