"""TLS as the DoT listener speaks it. RFC 5077, 7301, 7858, 8446, 8996, 9325; FIPS 203 in TLS."""

import re
import signal
import socket
import ssl
import struct
import subprocess
import time
import unittest
import warnings

from gateway import Sallyport
from harness import PATIENCE, peer, run_peer, until
from messages import NOERROR, query, read
from rfc import RfcTest

PLAIN = struct.pack("!H", 34) + query("www.zone.example", number=0x5A5A, edns=None)
ALERT = 21  # a record's type
NAME = "127.0.0.1"


class Session:
    """One TLS connection to the listener: a handshake with a context of the test's own."""

    def __init__(self, gateway, context, *, resume=None, name=NAME):
        raw = socket.create_connection(gateway.address("tls"), PATIENCE)
        try:
            self.tls = context.wrap_socket(
                raw, server_hostname=name, session=resume, suppress_ragged_eofs=False
            )
        except BaseException:
            raw.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tls.close()

    def ask(self, name="www.zone.example"):
        """An answer; with it TLS 1.3's ticket has come, too."""
        wire = query(name)
        self.tls.sendall(struct.pack("!H", len(wire)) + wire)
        size = int.from_bytes(self._exactly(2))
        return read(self._exactly(size))

    def _exactly(self, size):
        octets = b""
        while len(octets) < size:
            more = self.tls.recv(size - len(octets))
            if not more:
                raise AssertionError("the connection ended before its answer")
            octets += more
        return octets


class TlsTest(RfcTest):
    def setUp(self):
        super().setUp()
        self.context = self.make_context()

    def make_context(self, *, version=None, alpn=("dot",), ciphers=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.gateway.authority)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if ciphers:
            context.set_ciphers(ciphers)
        if version:
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                context.minimum_version = context.maximum_version = version
        return context

    def session(self, context=None, **how):
        return self.enter(Session(self.gateway, context or self.context, **how))

    def s_client(self, *arguments, expected=True):
        """What `openssl s_client` printed of a handshake, which succeeded if it was expected to."""
        host, port = self.gateway.address("tls")
        done = subprocess.run(
            [peer("openssl"), "s_client", "-connect", f"{host}:{port}"]
            + ["-CAfile", str(self.gateway.authority), "-verify_return_error", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        said = done.stdout + done.stderr
        good = done.returncode == 0 and "Verify return code: 0 (ok)" in said
        self.assertEqual(good, expected, said)
        return said


class Handshakes(TlsTest):
    def test_rfc7858_3_1_cleartext_gets_no_dns(self):
        """Nor does it after a handshake that failed."""
        starts = {
            "a query": PLAIN,
            "many queries": PLAIN * 200,
            "HTTP": b"GET /dns-query HTTP/1.1\r\nHost: gateway.example\r\n\r\n" + PLAIN,
            "a broken ClientHello, then a query": b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff" + PLAIN,
            "an alert, then a query": b"\x15\x03\x03\x00\x02\x02\x28" + PLAIN,
            "application data": b"\x17\x03\x03" + struct.pack("!H", len(PLAIN)) + PLAIN,
            "zeros": bytes(1000),
        }
        for what, octets in starts.items():
            with self.subTest(what=what):
                said = b""
                with socket.create_connection(self.gateway.address("tls"), PATIENCE) as raw:
                    raw.sendall(octets)
                    try:
                        while more := raw.recv(4096):
                            said += more
                            raw.sendall(PLAIN)
                    except (ConnectionResetError, BrokenPipeError):
                        pass
                self.assertNotIn(b"zone", said.lower())
                self.assertNotIn(b"\x5a\x5a", said)
                if said:
                    self.assertEqual((said[0], len(said)), (ALERT, 7), said.hex())
        self.assertEqual(self.upstream.count(), 0)

    def test_rfc8996_4_and_5_tls_1_1_and_older_are_refused(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with self.subTest(version=version.name):
                context = self.make_context(version=version, ciphers="ALL:@SECLEVEL=0")
                with self.assertRaises(ssl.SSLError) as caught:
                    Session(self.gateway, context)
                self.assertIn("PROTOCOL_VERSION", caught.exception.reason)

    def test_rfc9325_3_1_1_tls_1_2_and_1_3(self):
        for version, name in (("TLSv1_2", "TLSv1.2"), ("TLSv1_3", "TLSv1.3")):
            context = self.make_context(version=ssl.TLSVersion[version])
            session = self.session(context)
            self.assertEqual(session.ask().rcode, NOERROR)
            self.assertEqual(session.tls.version(), name)
            self.assertIsNone(session.tls.compression())

    def test_rfc9325_4_1_and_4_2_only_good_suites_of_tls_1_2(self):
        two = ssl.TLSVersion.TLSv1_2
        for suites in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            session = self.session(self.make_context(version=two, ciphers=suites))
            self.assertEqual(session.tls.cipher()[0], suites)
        for suites in ("kRSA", "AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "DHE", "aNULL", "eNULL"):
            with self.subTest(suites=suites), self.assertRaises(ssl.SSLError):
                ciphers = f"{suites}:@SECLEVEL=0"
                Session(self.gateway, self.make_context(version=two, ciphers=ciphers))

    def test_rfc7301_3_2_alpn(self):
        for offered, chosen in (
            (["dot"], "dot"),
            (["h2", "dot"], "dot"),
            (["dot", "http/1.1"], "dot"),
            (None, None),  # clients of RFC 7858 alone
        ):
            session = self.session(self.make_context(alpn=offered))
            self.assertEqual((session.tls.selected_alpn_protocol(), offered), (chosen, offered))
            self.assertEqual(session.ask().rcode, NOERROR)
        for offered in (["nope"], ["h2", "http/1.1"], ["doq"], ["DOT"]):
            with self.subTest(offered=offered), self.assertRaises(ssl.SSLError) as caught:
                Session(self.gateway, self.make_context(alpn=offered))
            self.assertIn("NO_APPLICATION_PROTOCOL", caught.exception.reason)

    def test_the_post_quantum_group_comes_first(self):
        for offered, chosen in (
            ((), "X25519MLKEM768"),
            (("-groups", "X25519MLKEM768"), "X25519MLKEM768"),
            # It sends a share of the first alone: it is asked again.
            (("-groups", "X25519:X25519MLKEM768"), "X25519MLKEM768"),
            (("-groups", "X25519"), "X25519"),
            (("-groups", "P-256"), "ECDH, prime256v1"),
        ):
            with self.subTest(offered=offered):
                said = self.s_client("-alpn", "dot", "-tls1_3", *offered)
                found = re.search(r"(?:TLS1\.3 group|Temp Key): (X25519\w*|ECDH, \w+)", said)
                self.assertTrue(found, said)
                self.assertEqual(found[1], chosen)
        self.s_client("-groups", "P-521", expected=False)
        metrics = self.gateway.metrics()
        quantum = metrics.total("sallyport_tls_handshakes_total", group="X25519MLKEM768")
        self.assertGreaterEqual(quantum, 3)

    def test_names_of_the_certificate(self):
        """The server's name and addresses; whoever asks for another name gets the same."""
        for name in (NAME, "gateway.example"):
            self.assertEqual(self.session(name=name).ask().rcode, NOERROR)
        with self.assertRaises(ssl.SSLCertVerificationError):
            Session(self.gateway, self.context, name="other.example")


class Endings(TlsTest):
    settings = {"limits": {"idle_timeout": "1s"}}

    def test_rfc7858_3_4_close_notify_ends_an_idle_session(self):
        session = self.session()
        self.assertEqual(session.ask().rcode, NOERROR)
        self.assertEqual(session.tls.recv(1), b"")  # without close_notify it would raise

    def test_rfc8446_6_1_close_notify_is_answered_with_close_notify(self):
        session = self.session()
        self.assertEqual(session.ask().rcode, NOERROR)
        session.tls.settimeout(PATIENCE)
        session.tls.unwrap()  # which waits for it

    def test_rfc7858_3_4_close_notify_at_the_programs_end(self):
        with Sallyport(self.folder, [self.upstream.url("udp")]) as gateway:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(gateway.authority)
            with Session(gateway, context) as session:
                self.assertEqual(session.ask().rcode, NOERROR)
                gateway.process.signal(signal.SIGTERM)
                self.assertEqual(session.tls.recv(1), b"")
            gateway.process.wait()  # a second SIGTERM would cut its end short


class Tickets(TlsTest):
    def resumable(self, context):
        session = self.session(context)
        self.assertEqual(session.ask().rcode, NOERROR)
        self.assertTrue(session.tls.session.has_ticket)
        return session.tls.session

    def test_rfc7858_3_4_sessions_are_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version.name):
                context = self.make_context(version=version)
                known = self.resumable(context)
                for _ in range(4):
                    session = self.session(context, resume=known)
                    self.assertTrue(session.tls.session_reused)
                    self.assertEqual(session.ask().rcode, NOERROR)
                    if version == ssl.TLSVersion.TLSv1_3:
                        # RFC 8446 §C.4: each ticket once, so each session brings the next.
                        self.assertNotEqual(session.tls.session.id, known.id)
                        known = session.tls.session
        resumed = self.gateway.metrics().total("sallyport_tls_handshakes_total", resumed="true")
        self.assertGreaterEqual(resumed, 8)

    def test_rfc8446_4_6_1_tickets_last_seven_days_at_most(self):
        known = self.resumable(self.context)
        self.assertGreater(known.ticket_lifetime_hint, 3600)
        self.assertLessEqual(known.ticket_lifetime_hint, 7 * 86400)
        self.assertLessEqual(known.timeout, 7 * 86400)

    def test_rfc8446_8_no_early_data_that_could_be_replayed(self):
        saved = self.folder / "session.pem"
        host, port = self.gateway.address("tls")
        # TLS 1.3 sends its ticket after the handshake; -sess_out writes it when it comes.
        with subprocess.Popen(
            [peer("openssl"), "s_client", "-connect", f"{host}:{port}", "-sess_out", str(saved)]
            + ["-CAfile", str(self.gateway.authority)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as client:
            try:
                until(lambda: saved.exists() and saved.stat().st_size > 0, "a ticket")
            finally:
                client.stdin.close()
                client.wait(PATIENCE)
        early = self.folder / "early"
        early.write_bytes(PLAIN)
        said = self.s_client("-sess_in", str(saved), "-early_data", str(early), "-tls1_3")
        self.assertIn("Reused, TLSv1.3", said)
        self.assertNotIn("Early data was accepted", said)
        shown = run_peer("openssl", "sess_id", "-in", saved, "-noout", "-text")
        self.assertIn("Max Early Data: 0", shown.stdout, shown)
        self.assertEqual(self.upstream.count(), 0)

    def test_a_forged_ticket_is_a_full_handshake(self):
        """Another server's ticket, and one from before a restart: no failure."""
        known = self.resumable(self.context)
        with Sallyport(self.folder, [self.upstream.url("udp")]) as other:
            self.context.load_verify_locations(other.authority)
            with Session(other, self.context, resume=known) as session:
                self.assertFalse(session.tls.session_reused)
                self.assertEqual(session.ask().rcode, NOERROR)


class Rotation(TlsTest):
    settings = {"tls": {"ticket_rotation": "1s"}}

    def test_rfc8446_4_6_1_ticket_keys_are_rotated(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version.name):
                context = self.make_context(version=version)
                first = self.session(context)
                self.assertEqual(first.ask().rcode, NOERROR)
                known, began = first.tls.session, time.monotonic()
                self.assertLessEqual(known.ticket_lifetime_hint, 2)
                time.sleep(max(0, began + 2.2 - time.monotonic()))  # two rotations and a little
                late = self.session(context, resume=known)
                self.assertFalse(late.tls.session_reused, "a key that should be gone opened it")
                self.assertEqual(late.ask().rcode, NOERROR)
                again = self.session(context, resume=late.tls.session)
                self.assertEqual(again.ask().rcode, NOERROR)


class Newest(TlsTest):
    settings = {"tls": {"minimum_version": "1.3"}}

    def test_minimum_version(self):
        with self.assertRaises(ssl.SSLError) as caught:
            Session(self.gateway, self.make_context(version=ssl.TLSVersion.TLSv1_2))
        self.assertIn("PROTOCOL_VERSION", caught.exception.reason)
        self.assertEqual(self.session().ask().rcode, NOERROR)


if __name__ == "__main__":
    unittest.main()
