"""Who asks over DoH when somebody stands between: load balancers with a PROXY header in front of TLS,
reverse proxies with Forwarded or X-Forwarded-For inside. RFC 7239, HAProxy's proxy-protocol.txt."""

import unittest

from clients import Closed
from http_clients import Http1, Http2
from messages import NOERROR, REFUSED, query, read
from rfc import RfcTest
from test_balancers import binary, line

ALLOWED, OTHER = "203.0.113.7", "198.51.100.7"
WIRE = query("proxied.example")


def rcode(client, *fields):
    """What a question with these fields gets."""
    return read(client.ask(WIRE, fields=fields).body).rcode


class Balancers(RfcTest):
    settings = {
        "listen": ("udp", "https"),
        "server": {"allow": [ALLOWED, "127.0.0.2"]},
        "proxy": {"balancers": ["127.0.0.1"], "balanced": ["https"]},
        "limits": {"handshake_timeout": "1s"},
    }

    def connect(self, version, **how):
        return self.enter(version(self.gateway.address("https"), self.gateway.authority, **how))

    def test_2_the_client_is_whom_the_header_names(self):
        for version in (Http1, Http2):
            for header in (line, binary):
                with self.subTest(version=version.__name__, header=header.__name__):
                    client = self.connect(version, before=header(ALLOWED))
                    self.assertEqual(rcode(client), NOERROR)
                    client = self.connect(version, before=header(OTHER))
                    self.assertEqual(rcode(client), REFUSED)

    def test_2_who_is_no_balancer_sends_none(self):
        client = self.connect(Http2, source="127.0.0.2")
        self.assertEqual(rcode(client), NOERROR)
        with self.assertRaises((Closed, OSError)):
            self.connect(Http2, source="127.0.0.2", before=line(ALLOWED))

    def test_2_a_balancer_without_a_header_gets_nothing(self):
        with self.assertRaises((Closed, OSError)):
            self.connect(Http2)

    def test_fields_of_a_client_behind_it_count_for_nothing(self):
        for version in (Http1, Http2):
            client = self.connect(version, before=binary(OTHER))
            for field in (("x-forwarded-for", ALLOWED), ("forwarded", f"for={ALLOWED}")):
                self.assertEqual(rcode(client, field), REFUSED)


class Forwarded(RfcTest):
    field = "forwarded"
    allowed = "2001:db8:cafe::17"
    settings = {
        "listen": ("udp", "http", "https"),
        "server": {"allow": [allowed]},
        "proxy": {"reverse_proxies": ["127.0.0.1", "10.0.0.0/8"], "field": field},
    }

    def each(self):
        for version in (Http1, Http2):
            for scheme in ("http", "https"):
                with self.subTest(version=version.__name__, scheme=scheme):
                    yield self.enter(
                        version(
                            self.gateway.address(scheme),
                            self.gateway.authority,
                            secure=scheme == "https",
                        )
                    )

    def test_rfc7239_4_the_nearest_that_is_no_proxy_of_ours(self):
        client = '"[2001:db8:cafe::17]:4711"'
        for connection in self.each():
            for value, expected in (
                (f"for={client}", NOERROR),
                (f"For={client};proto=https;by=203.0.113.43", NOERROR),
                (f"for={OTHER}, for={client}, for=10.0.0.9", NOERROR),
                (f"for={client}, for={OTHER}", REFUSED),
                (f"for={OTHER}", REFUSED),
                ("for=unknown", REFUSED),
                ("for=_hidden", REFUSED),
                (f"for={client}, for=_hidden", REFUSED),
                ("for=[2001:db8:cafe::17", REFUSED),
                ("", REFUSED),
            ):
                with self.subTest(value=value):
                    self.assertEqual(rcode(connection, ("forwarded", value)), expected)
            # The other field is as the client wrote it, and nobody looks at it.
            self.assertEqual(rcode(connection, ("x-forwarded-for", self.allowed)), REFUSED)


if __name__ == "__main__":
    unittest.main()
