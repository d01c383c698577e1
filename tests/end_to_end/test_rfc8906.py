"""The tests that RFC 8906 §8 has for servers, by dig and as they are written there, over every
listener. What asks for authority (AA) is no business of a forwarder; all else holds."""

import re
import struct
import unittest

from harness import run_peer
from messages import SOA, to_wire
from rfc import TRANSPORTS, RfcTest, anything, question_of, reply_to, rr

ZONE = "zone.example"
DNSKEY = 48
SOA_RDATA = to_wire("ns.zone.example") + to_wire("h.zone.example") + struct.pack("!5I", 1, 2, 3, 4, 5)


def zone(asked):
    """A zone's apex: a SOA, and keys that do not fit into 512 octets."""
    rdtype = struct.unpack("!H", question_of(asked.wire)[-4:-2])[0]
    if rdtype == SOA:
        return reply_to(asked, rr(SOA, SOA_RDATA))
    if rdtype == DNSKEY:
        return reply_to(asked, *[rr(DNSKEY, b"\1\1\3\10" + bytes([n]) * 256) for n in range(4)])
    return reply_to(asked) if rdtype == 1000 else anything(asked)


class Told:
    """What dig printed of an answer."""

    def __init__(self, printed):
        self.text = printed
        self.status = self._one(r"status: (\w+)")
        self.opcode = self._one(r"opcode: (\w+)")
        self.flags = (self._one(r"^;; flags:([ \w]*)") or "").split()
        self.answers = int(self._one(r"ANSWER: (\d+)") or 0)
        self.edns = self._one(r"^; EDNS: version: (\d+)")
        self.edns_flags = (self._one(r"^; EDNS: version: \d+, flags:([ \w]*);") or "").split()

    def _one(self, pattern):
        found = re.search(pattern, self.text, re.M)
        return found and found[1]


class Rfc8906(RfcTest):
    def setUp(self):
        super().setUp()
        self.upstream.script = zone

    def dig(self, options, *, status, transports=TRANSPORTS, answers=None, edns=None, check=None):
        """`edns` is the version that the answer's OPT must have, None for no OPT at all."""
        for transport in transports:
            how = f"+{transport}" if transport != "udp" else "+notcp"
            with self.subTest(options=options, transport=transport):
                port = self.gateway.address(transport)[1]
                done = run_peer(
                    "dig", "-p", port, how, *options.split(), "+tries=1", "+time=10", "@127.0.0.1"
                )
                told = Told(done.stdout)
                said = f"{done.stdout}{done.stderr}"
                self.assertEqual(told.status, status, said)
                self.assertIn("qr", told.flags, said)
                self.assertNotIn("MBZ", said)
                self.assertNotIn("WARNING", said.replace("WARNING: recursion requested", ""), said)
                self.assertEqual(told.edns, edns, said)
                if answers is not None:
                    self.assertEqual(told.answers, answers, said)
                if check:
                    check(told)

    def test_8_1_1_is_the_server_configured_for_the_zone(self):
        self.dig(f"+noedns +noad +norec soa {ZONE}", status="NOERROR", answers=1)

    def test_8_1_2_unknown_types(self):
        self.dig(f"+noedns +noad +norec type1000 {ZONE}", status="NOERROR", answers=0)

    def test_8_1_3_1_cd_is_1(self):
        self.dig(f"+noedns +noad +norec +cd soa {ZONE}", status="NOERROR", answers=1)

    def test_8_1_3_2_ad_is_1(self):
        self.dig(f"+noedns +norec +ad soa {ZONE}", status="NOERROR", answers=1)

    def test_8_1_3_3_the_reserved_bit(self):
        self.dig(f"+noedns +noad +norec +zflag soa {ZONE}", status="NOERROR", answers=1)

    def test_8_1_3_4_recursive_queries(self):
        self.dig(
            f"+noedns +noad +rec soa {ZONE}",
            status="NOERROR",
            answers=1,
            check=lambda told: self.assertIn("rd", told.flags),
        )

    def test_8_1_4_unknown_opcodes(self):
        self.dig(
            "+noedns +noad +opcode=15 +norec +header-only",
            status="NOTIMP",
            answers=0,
            check=lambda told: self.assertEqual(
                (told.opcode, "aa" in told.flags), ("RESERVED15", False)
            ),
        )

    def test_8_1_5_tcp(self):
        self.dig(f"+noedns +noad +norec soa {ZONE}", status="NOERROR", transports=["tcp"])

    def test_8_2_1_minimal_edns(self):
        self.dig(f"+nocookie +edns=0 +noad +norec soa {ZONE}", status="NOERROR", answers=1, edns="0")

    def test_8_2_2_edns_version_negotiation(self):
        for version in (1, 100, 255):
            self.dig(
                f"+nocookie +edns={version} +noednsneg +noad +norec soa {ZONE}",
                status="BADVERS",
                answers=0,
                edns="0",
                check=lambda told: self.assertNotIn("aa", told.flags),
            )

    def test_8_2_3_unknown_edns_options(self):
        self.dig(
            f"+nocookie +edns=0 +noad +norec +ednsopt=100 soa {ZONE}",
            status="NOERROR",
            answers=1,
            edns="0",
            check=lambda told: self.assertNotIn("OPT=100", told.text),
        )

    def test_8_2_4_unknown_edns_flags(self):
        for flag in ("0x40", "0x80"):
            self.dig(
                f"+nocookie +edns=0 +noad +norec +ednsflags={flag} soa {ZONE}",
                status="NOERROR",
                answers=1,
                edns="0",
                check=lambda told: self.assertEqual(told.edns_flags, []),
            )

    def test_8_2_5_edns_version_negotiation_with_unknown_edns_flags(self):
        self.dig(
            f"+nocookie +edns=1 +noednsneg +noad +norec +ednsflags=0x40 soa {ZONE}",
            status="BADVERS",
            answers=0,
            edns="0",
        )

    def test_8_2_6_edns_version_negotiation_with_unknown_edns_options(self):
        self.dig(
            f"+nocookie +edns=1 +noednsneg +noad +norec +ednsopt=100 soa {ZONE}",
            status="BADVERS",
            answers=0,
            edns="0",
            check=lambda told: self.assertNotIn("OPT=100", told.text),
        )

    def test_8_2_7_truncated_responses(self):
        self.dig(
            f"+norec +dnssec +bufsize=512 +ignore dnskey {ZONE}",
            status="NOERROR",
            edns="0",
            check=lambda told: self.assertIn("do", told.edns_flags),
        )
        self.dig(
            f"+nocookie +norec +dnssec +bufsize=512 +ignore dnskey {ZONE}",
            status="NOERROR",
            edns="0",
            transports=["udp"],
            check=lambda told: self.assertIn("tc", told.flags),
        )

    def test_8_2_8_do_is_1(self):
        self.dig(
            f"+nocookie +edns=0 +noad +norec +dnssec soa {ZONE}",
            status="NOERROR",
            answers=1,
            edns="0",
            check=lambda told: self.assertEqual(told.edns_flags, ["do"]),
        )

    def test_8_2_9_edns_version_negotiation_with_do_is_1(self):
        self.dig(
            f"+nocookie +edns=1 +noednsneg +noad +norec +dnssec soa {ZONE}",
            status="BADVERS",
            answers=0,
            edns="0",
        )

    def test_8_2_10_several_defined_edns_options(self):
        self.dig(
            f"+edns=0 +noad +norec +cookie +nsid +expire +subnet=0.0.0.0/0 soa {ZONE}",
            status="NOERROR",
            answers=1,
            edns="0",
            check=lambda told: self.assertRegex(told.text, r"; COOKIE: [0-9a-f]{48} \(good\)"),
        )


if __name__ == "__main__":
    unittest.main()
