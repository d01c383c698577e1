"""Load balancers in front of the gateway: whom the PROXY header names is the client for `allow`, over
UDP, TCP and DoT, with dnsdist as a balancer and with our own octets. HAProxy's proxy-protocol.txt."""

import contextlib
import socket
import ssl
import struct
import unittest

from clients import Closed, Stream, Udp, connect
from harness import PATIENCE
from messages import A, NOERROR, REFUSED, query, read
from peers import Dnsdist
from rfc import RfcTest

ALLOWED, REFUSED_ONE = "203.0.113.7", "198.51.100.7"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def line(client):
    return f"PROXY TCP4 {client} 127.0.0.1 4711 853\r\n".encode()


def binary(client, transport=1):
    addresses = socket.inet_aton(client) + socket.inet_aton("127.0.0.1")
    rest = addresses + struct.pack("!HH", 4711, 853) + b"\x02\0\x0fdns.example.org"
    return SIGNATURE + struct.pack("!BBH", 0x21, 0x10 | transport, len(rest)) + rest


class Balancers(RfcTest):
    settings = {
        "server": {"allow": [ALLOWED, "127.0.0.2"]},
        "proxy": {"balancers": ["127.0.0.1"], "balanced": ["udp", "tcp", "tls"]},
        "limits": {"handshake_timeout": "1s", "message_timeout": "1s"},
    }

    def stream(self, scheme, before):
        """A connection that begins with these octets, in the clear also where TLS follows."""
        sock = socket.create_connection(self.gateway.address(scheme), PATIENCE)
        sock.sendall(before)
        if scheme == "tls":
            context = ssl.create_default_context(cafile=self.gateway.authority)
            sock = context.wrap_socket(sock, server_hostname="127.0.0.1")
        return contextlib.closing(sock)

    def rcode(self, scheme, before, name):
        wire = query(name, A)
        with self.stream(scheme, before) as sock:
            sock.sendall(struct.pack("!H", len(wire)) + wire)
            with sock.makefile("rb") as reader:
                return read(reader.read(struct.unpack("!H", reader.read(2))[0])).rcode

    def test_2_the_client_is_whom_the_header_names(self):
        for scheme in ("tcp", "tls"):
            for header in (line, binary):
                with self.subTest(scheme=scheme, header=header.__name__):
                    self.assertEqual(self.rcode(scheme, header(ALLOWED), "a.example"), NOERROR)
                    # Now in the cache, which is no way around `allow`.
                    self.assertEqual(self.rcode(scheme, header(REFUSED_ONE), "a.example"), REFUSED)

    def test_2_a_datagram_has_its_own_header(self):
        with Udp(self.gateway.address("udp")) as flow:
            for client, rcode in ((ALLOWED, NOERROR), (REFUSED_ONE, REFUSED)):
                wire = query("b.example", A, number=7)
                flow.send(binary(client, 2) + wire)
                self.assertEqual(read(flow.receive()).rcode, rcode)

    def test_2_without_a_header_there_is_no_answer(self):
        before = self.refused()
        with Stream(self.gateway.address("tcp")) as flow:
            flow.send(query("c.example", A))
            self.assertEqual(flow.wait_closed(), [])
        with self.assertRaises((Closed, OSError)), connect("tls", self.gateway.address("tls")):
            pass
        bare_line_feed = line(ALLOWED)[:-2] + b"\n"
        version_3 = SIGNATURE + b"\x31\x11\0\0"
        for wrong in (b"PROXY TCP4 nonsense\r\n", bare_line_feed, version_3):
            with Stream(self.gateway.address("tcp")) as flow:
                flow.send_octets(wrong)
                self.assertEqual(flow.wait_closed(), [])
        with Stream(self.gateway.address("tcp")) as flow:
            flow.send_octets(line(ALLOWED)[:9])
            self.assertEqual(flow.wait_closed(), [])
        self.assertEqual(self.refused() - before, 6)
        self.assertEqual(self.upstream.count(), 0)

    def test_2_a_header_from_elsewhere_is_not_believed(self):
        with Stream(self.gateway.address("tcp"), source="127.0.0.2") as flow:
            self.assertEqual(read(flow.ask(query("d.example", A))).rcode, NOERROR)
        with Stream(self.gateway.address("tcp"), source="127.0.0.3") as flow:
            flow.send_octets(line(ALLOWED) + struct.pack("!H", 29) + query("d.example", A))
            self.assertEqual(flow.wait_closed(), [])

    def refused(self):
        return self.gateway.metrics().total("sallyport_drops_total", reason="proxy_header")

    def test_dnsdist_balances_for_its_clients(self):
        host, port = self.gateway.address("udp")
        behind = f'address="{host}:{port}", useProxyProtocol=true'
        with Dnsdist(self.folder, behind) as balancer:
            for transport in (Udp, Stream):
                for source, rcode in (("127.0.0.2", NOERROR), ("127.0.0.3", REFUSED)):
                    with self.subTest(transport=transport.transport, source=source):
                        self.assertEqual(self.through(balancer, transport, source), rcode)

    def through(self, balancer, transport, source):
        where = ("127.0.0.1", balancer.port)
        if transport is Stream:
            with Stream(where, source=source) as flow:
                return read(flow.ask(query("dnsdist.example", A))).rcode
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((source, 0))
            sock.settimeout(PATIENCE)
            sock.sendto(query("dnsdist.example", A), where)
            return read(sock.recv(4096)).rcode


if __name__ == "__main__":
    unittest.main()
