"""What is answered here instead of by an upstream, and reasons that answers give. RFC 6303, 6761,
7871, 8375, 8914."""

import struct
import unittest

from messages import (
    A,
    AAAA,
    EDE_OPTION,
    FORMERR,
    MX,
    NOERROR,
    NS,
    NXDOMAIN,
    PTR,
    REFUSED,
    SOA,
    SUBNET_OPTION,
    TC,
    TXT,
    option,
    opt_record,
    query,
    read,
    to_wire,
)
from rfc import ADDRESS, STREAMS, TRANSPORTS, RfcTest, reply_to, rr, sized

DS = 43
PROHIBITED = 18


def reverse(address):
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def reverse6(nibbles):
    """Of an IPv6 address that begins with these hexadecimal digits."""
    return ".".join(reversed(f"{nibbles:0<32}")) + ".ip6.arpa"


class SpecialNames(RfcTest):
    def assert_local(self, name, rdtype, rcode, **where):
        found = self.assert_rcode(query(name, rdtype), rcode, name=name, rdtype=rdtype, **where)
        self.assertEqual(self.upstream.count(), 0, name)
        return found

    def test_rfc6761_6_3_localhost_is_the_loopback(self):
        for name in ("localhost", "LocalHost", "www.localhost", "a.b.localhost"):
            found = self.assert_local(name, A, NOERROR)
            self.assertEqual(found.rdata(A), [bytes([127, 0, 0, 1])])
            found = self.assert_local(name, AAAA, NOERROR)
            self.assertEqual(found.rdata(AAAA), [bytes(15) + b"\1"])
            found = self.assert_local(name, MX, NOERROR)
            self.assertEqual(found.sections[0], {})

    def test_rfc6761_6_names_that_do_not_exist(self):
        # RFC 6761 §6.2 and §6.4, RFC 7686 §2, RFC 6762 §22.
        for top in ("test", "invalid", "onion", "local"):
            for name in (top, f"www.{top}", f"A.B.{top.upper()}"):
                for rdtype in (A, AAAA, TXT):
                    found = self.assert_local(name, rdtype, NXDOMAIN)
                    # With a SOA, so that it is remembered (RFC 2308 §5).
                    self.assertEqual([key[1] for key in found.sections[1]], [SOA])

    def test_rfc6303_3_private_reverse_names(self):
        addresses = ("10.1.2.3", "172.16.0.1", "172.31.255.254", "192.168.1.1", "127.0.0.2")
        addresses += ("169.254.1.1", "0.1.2.3", "255.255.255.255", "192.0.2.1", "100.64.0.1")
        names = [reverse(address) for address in addresses]
        names += [reverse6(nibbles) for nibbles in ("fd00", "fe80", "feb", "20010db8", "")]
        names += [reverse6(f"{1:032x}")]
        for name in names:
            for rdtype in (PTR, A):
                with self.gateway.connect("udp") as flow:
                    found = read(flow.ask(query(name, rdtype)))
                self.assertIn(found.rcode, (NXDOMAIN, NOERROR), name)
                self.assertEqual((found.sections[0], found.rdata(PTR)), ({}, []), name)
                self.assertEqual([key[1] for key in found.sections[1]], [SOA], name)
        self.assertEqual(self.upstream.count(), 0)
        for rdtype in (SOA, NS):  # the zone itself exists
            found = self.assert_local("10.in-addr.arpa", rdtype, NOERROR)
            self.assertEqual([key[1] for key in found.sections[0]], [rdtype])

    def test_neighbours_of_special_names_are_forwarded(self):
        for name in ("www.testing", "nottest", "test.zone.example", "localhost.zone.example"):
            self.assertEqual(self.ask("udp", query(name)).rdata(A), [ADDRESS])
        for address in ("172.15.0.1", "172.32.0.1", "11.0.0.1", "192.169.0.1", "100.63.0.1"):
            self.assertEqual(self.ask("udp", query(reverse(address), PTR)).rcode, NOERROR)
        self.assertEqual(self.upstream.count(), 9)

    def test_rfc8375_4_home_arpa_stays_here_but_for_its_ds(self):
        for name, rdtype, rcode in (
            ("home.arpa", A, NOERROR),
            ("home.arpa", SOA, NOERROR),
            ("printer.home.arpa", A, NXDOMAIN),
            ("Printer.Home.ARPA", AAAA, NXDOMAIN),
            ("home.arpa", DS, NOERROR),
        ):
            self.assert_local(name, rdtype, rcode)
        self.assertEqual(
            self.ask("udp", query("home.arpa", DS, dnssec_ok=True)).rcode, NOERROR
        )
        self.assertEqual(self.upstream.count("home.arpa", DS), 1)

    def test_rfc9462_6_1_resolver_arpa_stays_here(self):
        self.assert_local("www.resolver.arpa", A, NXDOMAIN)
        self.assert_local("resolver.arpa", SOA, NOERROR)


class Switched(RfcTest):
    """RFC 6303 §3: an operator whose upstream has such zones says so."""

    settings = {"server": {"forward_special_names": ["test.", "10.in-addr.arpa.", "home.arpa."]}}

    def test_rfc6303_3_listed_names_are_forwarded(self):
        for name, rdtype in (
            ("www.test", A),
            (reverse("10.1.2.3"), PTR),
            ("printer.home.arpa", A),
        ):
            for transport in TRANSPORTS:
                self.assertEqual(self.ask(transport, query(name, rdtype)).rcode, NOERROR, name)
            self.assertGreater(self.upstream.count(name, rdtype), 0)
        for name in ("www.invalid", reverse("192.168.0.1")):
            self.assertEqual(self.ask("udp", query(name)).rcode, NXDOMAIN)
            self.assertEqual(self.upstream.count(name), 0)


class Strangers(RfcTest):
    settings = {"server": {"allow": ["192.0.2.0/24"]}}

    def test_rfc8914_4_19_who_may_not_ask_is_refused_and_told_why(self):
        for name in ("www.zone.example", "localhost", "www.test"):
            found = self.assert_rcode(query(name), REFUSED)
            self.assertEqual(found.ede, [PROHIBITED])
            self.assertEqual(found.sections[0], {})
            found = self.assert_rcode(query(name, edns=None), REFUSED)
            self.assertIsNone(found.edns)
        self.assertEqual(self.upstream.count(), 0)


class Subnets(RfcTest):
    """RFC 7871: the option is checked, and goes no further."""

    def subnet(self, family, source, scope, address):
        return option(SUBNET_OPTION, struct.pack("!HBB", family, source, scope) + address)

    def test_rfc7871_7_1_sound_options(self):
        sound = {
            "nothing, as privacy wants it (§7.1.2)": (1, 0, 0, b""),
            "the same of IPv6": (2, 0, 0, b""),
            "/24": (1, 24, 0, bytes([192, 0, 2])),
            "/32": (1, 32, 0, bytes([192, 0, 2, 1])),
            "/1": (1, 1, 0, b"\x80"),
            "/23": (1, 23, 0, bytes([192, 0, 2])),
            "/56": (2, 56, 0, bytes(7)),
            "/128": (2, 128, 0, bytes(16)),
        }
        for n, (why, fields) in enumerate(sound.items()):
            for transport in TRANSPORTS:
                with self.subTest(why=why, transport=transport):
                    wire = query(f"ecs{n}.zone.example", options=self.subnet(*fields))
                    found = self.ask(transport, wire)
                    self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
            self.assertEqual(self.upstream.count(), n + 1, "ECS splits the cache")
        for asked in self.upstream.asked:
            self.assertIsNone(asked.read.option(SUBNET_OPTION))

    def test_rfc7871_7_2_1_malformed_options(self):
        malformed = {
            "a scope in a query (§6)": (1, 24, 24, bytes([192, 0, 2])),
            "family 0": (0, 0, 0, b""),
            "family 3": (3, 24, 0, bytes([192, 0, 2])),
            "/33": (1, 33, 0, bytes(5)),
            "/129": (2, 129, 0, bytes(17)),
            "an octet too few": (1, 24, 0, bytes([192, 0])),
            "an octet too many": (1, 24, 0, bytes([192, 0, 2, 0])),
            "bits behind the prefix": (1, 23, 0, bytes([192, 0, 3])),
        }
        for why, fields in malformed.items():
            found = self.assert_rcode(
                query("bad.zone.example", options=self.subnet(*fields)), FORMERR, why=why
            )
            self.assertIsNotNone(found.edns)
        for cut in range(4):
            wire = query("cut.zone.example", options=option(SUBNET_OPTION, b"\0\1\0\0"[:cut]))
            self.assert_rcode(wire, FORMERR, octets=cut)
        self.assertEqual(self.upstream.count(), 0)


class Reasons(RfcTest):
    """RFC 8914: extended errors that an upstream gives."""

    scheme = "tcp"

    def with_errors(self, *errors, size=None, rcode=0):
        """An upstream that gives these (code, text), with an answer of `size` octets."""
        options = b"".join(
            option(EDE_OPTION, struct.pack("!H", code) + words) for code, words in errors
        )

        def script(asked):
            whole = sized(asked, size) if size else reply_to(asked, rr(A, ADDRESS))
            head = whole[:3] + bytes([whole[3] | rcode]) + whole[4:10] + b"\0\1"
            return head + whole[12:] + opt_record(options=options)

        self.upstream.script = script

    def test_rfc8914_3_errors_come_through_and_change_nothing(self):
        for n, (errors, expected) in enumerate(
            (
                ([(6, b"bogus")], 6),
                ([(49152, b"")], 49152),
                ([(0, "größer".encode())], 0),
                ([(22, b"one"), (23, b"two"), (9, b"three")], 22),
            )
        ):
            self.with_errors(*errors)
            for transport in TRANSPORTS:
                with self.subTest(errors=errors, transport=transport):
                    found = self.ask(transport, query(f"ede{n}.zone.example"))
                    self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
                    self.assertIn(expected, found.ede)
                    plain = self.ask(transport, query(f"ede{n}.zone.example", edns=None))
                    self.assertIsNone(plain.edns)

    def test_rfc8914_3_a_thousand_errors_are_read_in_peace(self):
        self.with_errors(*[(n, b"x" * (n % 50)) for n in range(1000)])
        for transport in TRANSPORTS:
            reply = self.ask_wire(transport, query("thousand.zone.example"))
            found = read(reply)
            self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
            self.assertLess(len(found.ede), 20)
            self.assertLessEqual(len(reply), 1232)

    def test_rfc8914_3_malformed_errors_do_no_harm(self):
        for n, value in enumerate((b"", b"\0")):
            options = option(EDE_OPTION, value)
            self.upstream.script = lambda asked: reply_to(
                asked, rr(A, ADDRESS), additional=[opt_record(options=options)]
            )
            for transport in TRANSPORTS:
                found = self.ask(transport, query(f"short{n}.zone.example"))
                self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))

    def test_rfc8914_3_an_error_is_no_reason_to_truncate(self):
        """Its text goes first, and then itself."""
        self.with_errors((17, b"w" * 150), size=1150)
        reply = self.ask_wire("udp", query("s1150.zone.example", TXT))
        found = read(reply)
        self.assertEqual((found.flags & TC, found.ede), (0, [17]))
        self.assertLessEqual(len(reply), 1232)
        self.assertEqual(len(found.rdata(TXT)), 1)
        self.with_errors((17, b"w" * 150), size=1218)
        found = self.ask("udp", query("s1218.zone.example", TXT))
        self.assertEqual((found.flags & TC, found.ede, len(found.rdata(TXT))), (0, [], 1))
        for transport in STREAMS:
            found = self.ask(transport, query("s1218.zone.example", TXT))
            self.assertEqual(found.ede, [17])


if __name__ == "__main__":
    unittest.main()
