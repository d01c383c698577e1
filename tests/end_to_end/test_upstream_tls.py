"""Whom the gateway believes to be its upstream over TLS: bad certificates of every kind get no query,
and clients get SERVFAIL with the reason. RFC 5280, RFC 7858 §4.2, RFC 8310 §5.1, §8.1 and §9."""

import base64
import contextlib
import datetime
import hashlib
import re
import socket
import ssl
import unittest
import warnings

from certificates import NAME, Authority
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from fake_upstream import FakeUpstream, address
from gateway import Sallyport
from harness import PATIENCE, EndToEndTest, temporary_folder, until
from messages import A, EDE_OPTION, NOERROR, SERVFAIL, query, read
from rfc import ADDRESS, TRANSPORTS

NETWORK_ERROR = 23
DAY = datetime.timedelta(days=1)


def pin_of(identity):
    """RFC 7858 §4.2: base64 of SHA-256 of the SubjectPublicKeyInfo."""
    certificate = x509.load_pem_x509_certificate(identity.chain_file.read_bytes())
    key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def only_tls_1_1(context):
    """The same, for nothing newer."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


class OldIdentity:
    """Of a server that speaks TLS 1.1 alone."""

    def __init__(self, identity):
        self._identity = identity

    def server_context(self):
        return only_tls_1_1(self._identity.server_context())


class UpstreamTls(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)

    def start(self, upstream, folder, name=NAME, **table):
        table = {"url": upstream.url("tls", name), "ca_file": self.authority.file, **table}
        return Sallyport(
            folder,
            [{key: value for key, value in table.items() if value is not None}],
            limits={"query_timeout": "4s"},
            cache={"failure_ttl": "1s"},
        )

    def check_refused(self, identity, words, **table):
        """No query goes out, in TLS or in clear, and each listener's clients are told."""
        with FakeUpstream(identity=identity) as upstream, temporary_folder() as folder:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as clear:
                # Where cleartext would go if there were a way back to it.
                clear.bind(("127.0.0.1", upstream.tls_port))
                clear.setblocking(False)
                with self.start(upstream, folder, **table) as gateway:
                    for transport in TRANSPORTS:
                        found = read(gateway.ask(transport, f"secret.{transport}.example"))
                        self.assertEqual(
                            (found.rcode, found.ede), (SERVFAIL, [NETWORK_ERROR]), found
                        )
                        text = found.option(EDE_OPTION)[2:].decode()
                        self.assertRegex(text, words)
                    # The log has a thread of its own.
                    until(
                        lambda: re.search(f"warning .*{words}", gateway.process.log()),
                        f"a warning with {words} in the log",
                    )
                    metrics = gateway.metrics()
                self.assertEqual(upstream.count(), 0, "a query left, and to a stranger")
                # Others on this machine may have had the port before us, and be sent late answers.
                with contextlib.suppress(BlockingIOError):
                    while True:
                        self.assertNotIn(b"secret", clear.recv(65535).lower())
        self.assertGreater(metrics.total("sallyport_upstream_errors_total"), 0)

    def check_believed(self, identity, **table):
        with FakeUpstream(identity=identity) as upstream, temporary_folder() as folder:
            with self.start(upstream, folder, **table) as gateway:
                found = read(gateway.ask("tls", "www.zone.example"))
                self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))

    def test_rfc8310_8_1_expired(self):
        self.check_refused(self.authority.issue(expired=True), "expired")

    def test_rfc8310_8_1_not_yet_valid(self):
        now = datetime.datetime.now(datetime.UTC)
        self.check_refused(self.authority.issue(valid=(now + DAY, now + 9 * DAY)), "not yet valid")

    def test_rfc8310_8_1_another_name(self):
        for names in (("other.example",), (f"x{NAME}",), (f"{NAME}.evil.example",), ("example",)):
            with self.subTest(names=names):
                self.check_refused(self.authority.issue(names, ()), "certificate: .*mismatch")

    def test_rfc8310_8_1_the_name_in_cn_alone(self):
        self.check_refused(self.authority.issue((), ()), "certificate: .*mismatch")

    def test_rfc6125_6_4_3_wildcards_that_do_not_cover_the_name(self):
        for name in (f"*.{NAME}", "*", "*.*", "up*.example", "*.example"):
            with self.subTest(name=name):
                self.check_refused(self.authority.issue((name,), ()), "certificate: .*mismatch")

    def test_rfc8310_8_1_self_signed(self):
        self.check_refused(self.authority.issue(self_signed=True), "certificate: .*self-signed")

    def test_rfc8310_8_1_unknown_authority(self):
        stranger = Authority(self.folder, "Another authority")
        self.check_refused(stranger.issue(), "certificate: .*issuer")
        same_name = Authority(self.folder, "Test authority", file_name="impostor")
        self.check_refused(same_name.issue(), "certificate: ")

    def test_rfc5280_4_2_1_9_a_leaf_is_no_authority(self):
        leaf = self.authority.issue(("leaf.example",))
        self.check_refused(self.authority.issue(signed_by=leaf), "certificate: ")

    def test_rfc7858_4_2_a_pin_that_does_not_match(self):
        identity, other = self.authority.issue(), self.authority.issue()
        self.check_refused(identity, "certificate: ", pins=[pin_of(other)], ca_file=None)

    def test_rfc7858_4_2_a_pin_that_matches_needs_no_authority(self):
        stranger = Authority(self.folder, "Another authority")
        for identity in (self.authority.issue(), stranger.issue(), stranger.issue(self_signed=True)):
            pins = [pin_of(self.authority.issue()), pin_of(identity)]  # one of several
            self.check_believed(identity, pins=pins, ca_file=None)

    def test_rfc8310_9_tls_1_1(self):
        identity = OldIdentity(self.authority.issue())
        with FakeUpstream(identity=identity) as upstream:
            # It does serve those who are content with that.
            context = only_tls_1_1(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            context.load_verify_locations(self.authority.file)
            with socket.create_connection(("127.0.0.1", upstream.tls_port), PATIENCE) as raw:
                with context.wrap_socket(raw, server_hostname=NAME) as old:
                    self.assertEqual(old.version(), "TLSv1.1")
        self.check_refused(identity, "TLS handshake: ")

    def test_good_ones_are_believed(self):
        for names in ((NAME,), ("other.example", NAME), (NAME.upper(),)):
            with self.subTest(names=names):
                self.check_believed(self.authority.issue(names, ()))
        self.check_believed(self.authority.issue((f"*.{NAME}",), ()), name=f"ns.{NAME}")

    def test_rfc8446_4_6_1_sessions_are_resumed_with_whom_was_proved(self):
        """And with nobody else: the ticket of one certificate is no pass for another's server."""
        identity = self.authority.issue()
        with FakeUpstream(address, identity=identity) as upstream:
            with self.start(upstream, self.folder) as gateway:
                for n in range(3):
                    self.assertEqual(read(gateway.ask("udp", f"n{n}.example")).rcode, NOERROR)
                    upstream.refuse()
                    upstream.listen()
                resumed = gateway.metrics().total(
                    "sallyport_upstream_connections_total", resumed="true"
                )
                total = gateway.metrics().total("sallyport_upstream_connections_total")
                self.assertGreater((total, resumed), (2, 0))


if __name__ == "__main__":
    unittest.main()
