"""A reload takes all of a new configuration, or nothing and says why; no query is lost by it."""

import hashlib
import signal
import ssl
import threading
import unittest

from clients import ask_many
from fake_upstream import FakeUpstream, address
from gateway import OK
from harness import PATIENCE, QUICK, until
from messages import A, NOERROR, query, read
from operation import OperationTest


class Reloading(OperationTest):
    def test_reload_under_load_loses_no_query(self):
        other = self.enter(FakeUpstream(lambda asked: address(asked, last=2)))
        gateway = self.start()
        count, reloads = (1000, 5) if QUICK else (4000, 12)
        failures, threads = [], []

        def reload(n):
            gateway.upstreams = [
                {
                    "url": (other, self.upstream)[n % 2].url("udp" if n % 3 else "tcp"),
                    "timeout": "5s",
                }
            ]
            gateway.write_config()
            done = gateway.reload()
            if done.returncode != OK:
                failures.append(done.stdout + done.stderr)

        def queries(transport):
            for n in range(count):
                if (
                    transport == "udp"
                    and n % (count // reloads) == 1
                    and not any(t.is_alive() for t in threads)
                ):
                    threads.append(threading.Thread(target=reload, args=(len(threads),)))
                    threads[-1].start()
                yield n, query(f"n{n}.{transport}.example")

        def check(flow, key, sent, reply):
            found = read(reply)
            if found.rcode != NOERROR or not found.rdata(A):
                failures.append(f"{flow.transport} {key}: {found}")

        flows = [self.enter(gateway.connect(transport)) for transport in ("udp", "tcp", "tls")]
        lost = ask_many([(flow, queries(flow.transport)) for flow in flows], check, window=16)
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual((lost, failures[:3]), ([], []))
        self.assertGreater(len(threads), reloads // 3)
        self.assertGreater(other.count(), 0)
        self.assertEqual(gateway.metrics().total("sallyport_config_reloads_total"), len(threads))

    def test_reload_by_signal(self):
        other = self.enter(FakeUpstream(lambda asked: address(asked, last=2)))
        gateway = self.start()
        self.assert_serves(gateway)
        gateway.upstreams = [{"url": other.url("udp")}]
        gateway.write_config()
        gateway.process.signal(signal.SIGHUP)
        numbers = iter(range(100_000))
        until(
            lambda: read(gateway.ask("udp", f"n{next(numbers)}.zone.example")).rdata(A)
            == [bytes([192, 0, 2, 2])],
            "the new upstream",
        )

    def test_a_bad_file_is_refused_with_its_line_and_the_old_one_kept(self):
        gateway = self.start()
        good = gateway.config.read_text()
        bad = good.replace("[server]", "[server]\nlisten_here = true").replace(
            "[cache]", '[cache]\nmax_ttl = "90 parsecs"'
        )
        gateway.config.write_text(bad)
        lines = bad.splitlines()
        refused = gateway.reload()
        self.assertNotEqual(refused.returncode, OK)
        told = refused.stdout + refused.stderr
        for wrong in ("listen_here", "90 parsecs"):
            self.assertIn(wrong, told)
            number = next(n for n, line in enumerate(lines, 1) if wrong in line)
            self.assertRegex(told, rf"\b{number}\b", "the line's number")
        by_file = gateway.verb("reload")  # which cannot even tell where the gateway is
        self.assertRegex(by_file.stderr, rf"{gateway.config}:{number}:\d+: ")
        self.assertIn("--socket", by_file.stderr)
        self.assert_serves(gateway)
        self.assertEqual(gateway.metrics().total("sallyport_config_reloads_total", result="ok"), 0)
        gateway.config.write_text(good)
        self.assertEqual(gateway.reload().returncode, OK)

    def test_a_file_that_is_gone_changes_nothing(self):
        gateway = self.start()
        gateway.config.unlink()
        gateway.process.signal(signal.SIGHUP)
        until(
            lambda: gateway.metrics().total("sallyport_config_reloads_total") == 1,
            "the reload to be over",
        )
        self.assert_serves(gateway)

    def fingerprint(self, gateway):
        """Of the certificate that a new client is shown."""
        with gateway.connect("tls") as flow:
            return hashlib.sha256(flow.tls.getpeercert(binary_form=True)).hexdigest()

    def fingerprint_of(self, identity):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(identity.chain_file.read_text())).hexdigest()

    def put(self, identity, place):
        """As a certificate robot does it: new files are renamed over the old ones."""
        for new, old in (
            (identity.key_file, place.key_file),
            (identity.chain_file, place.chain_file),
        ):
            copy = old.with_suffix(".new")
            copy.write_bytes(new.read_bytes())
            copy.rename(old)

    def with_certificate(self):
        place = self.authority.issue(names=("gateway.example",), file_name="operator")
        gateway = self.start(
            certificate=[{"chain_file": place.chain_file, "key_file": place.key_file}]
        )
        gateway.authority = self.authority.file
        return place, gateway

    def test_a_new_certificate_is_noticed_and_no_session_ends(self):
        place, gateway = self.with_certificate()
        first = self.fingerprint_of(place)
        self.assertEqual(self.fingerprint(gateway), first)
        session = self.enter(gateway.connect("tls"))
        session.ask(query("one.zone.example", number=1))
        renewed = self.authority.issue(names=("gateway.example",))
        self.put(renewed, place)
        until(
            lambda: self.fingerprint(gateway) == self.fingerprint_of(renewed),
            "the new certificate, unasked",
            60,
        )
        self.assertEqual(read(session.ask(query("two.zone.example", number=2))).rcode, NOERROR)

    def test_a_new_certificate_by_reload(self):
        place, gateway = self.with_certificate()
        renewed = self.authority.issue(names=("gateway.example",))
        self.put(renewed, place)
        done = gateway.reload()
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertEqual(self.fingerprint(gateway), self.fingerprint_of(renewed))

    def test_a_bad_pair_is_refused_and_the_old_one_kept(self):
        place, gateway = self.with_certificate()
        first = self.fingerprint_of(place)
        place.key_file.write_bytes(
            self.authority.issue(names=("gateway.example",)).key_file.read_bytes()
        )
        refused = gateway.reload()
        self.assertNotEqual(refused.returncode, OK)
        self.assertIn("operator", refused.stdout + refused.stderr)
        self.assertEqual(self.fingerprint(gateway), first)
        self.assert_serves(gateway)


if __name__ == "__main__":
    unittest.main()
