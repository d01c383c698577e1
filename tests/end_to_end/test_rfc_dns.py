"""The DNS itself, section by section, over every listener. RFC 1035, 3597, 4035, 4343, 5625, 6840,
8482, 9619."""

import struct
import unittest

from clients import Stream
from fake_upstream import answer
from messages import (
    A,
    AA,
    AAAA,
    AD,
    CD,
    COOKIE_OPTION,
    FORMERR,
    NOERROR,
    NOTIMP,
    OPT,
    QR,
    RA,
    RD,
    REFUSED,
    TC,
    TXT,
    Z,
    opt_record,
    option,
    query,
    read,
    to_wire,
)
from rfc import ADDRESS, STREAMS, TRANSPORTS, RfcTest, question_of, reply_to, rr

AXFR, IXFR, MAILB, MAILA, ANY = 252, 251, 253, 254, 255
NOT_SUPPORTED = 21  # an extended error


def header(number=1, flags=RD, counts=(1, 0, 0, 0)):
    return struct.pack("!6H", number, flags, *counts)


QUESTION = to_wire("www.zone.example") + struct.pack("!HH", A, 1)


class Header(RfcTest):
    def test_rfc1035_4_1_1_id_opcode_and_rd_are_copied_and_no_other_bit(self):
        for transport in TRANSPORTS:
            with self.gateway.connect(transport) as flow:
                for number in (0, 1, 0x8000, 0xFFFF):
                    for flags in (0, RD, Z, AA, RA, TC, AD, CD, RD | Z | AA | RA | TC | AD | CD):
                        with self.subTest(transport=transport, number=number, flags=hex(flags)):
                            wire = query("head.zone.example", number=number, flags=flags)
                            found = read(flow.ask(wire))
                            self.assertEqual(found.number, number)
                            self.assertEqual(found.flags, QR | RA | flags & (RD | CD))
                            self.assertEqual(found.rdata(A), [ADDRESS])

    def test_rfc8906_3_1_4_opcodes_besides_query_are_not_implemented(self):
        shapes = {
            "header alone": header(counts=(0, 0, 0, 0)),
            "with a question": header() + QUESTION,
            "with EDNS": header(counts=(1, 0, 0, 1)) + QUESTION + opt_record(),
            "with records": header(counts=(1, 1, 1, 0)) + QUESTION + 2 * rr(A, ADDRESS),
        }
        for transport in TRANSPORTS:
            with self.gateway.connect(transport) as flow:
                for opcode in range(1, 16):
                    for shape, wire in shapes.items():
                        with self.subTest(transport=transport, opcode=opcode, shape=shape):
                            reply = flow.ask(wire[:2] + bytes([opcode << 3 | 1]) + wire[3:])
                            found = read(reply)
                            self.assertEqual(found.rcode, NOTIMP)
                            self.assertEqual(found.flags & 0xFFF0, QR | RA | RD | opcode << 11)
                            self.assertEqual(found.edns is not None, shape == "with EDNS")
                            self.assertEqual(found.sections, ({}, {}, {}))
        self.assertEqual(self.upstream.count(), 0)

    def test_rfc9619_4_more_than_one_question_is_malformed(self):
        for count in (2, 3, 65535):
            wire = header(counts=(count, 0, 0, 0)) + QUESTION * min(count, 3)
            self.assert_rcode(wire, FORMERR, questions=count)
        self.assertEqual(self.upstream.count(), 0)

    def test_rfc7873_5_4_no_question_is_a_way_to_get_a_cookie(self):
        cookie = opt_record(options=option(COOKIE_OPTION, b"8 octets"))
        found = self.assert_rcode(header(counts=(0, 0, 0, 1)) + cookie, NOERROR)
        self.assertEqual((len(found.option(COOKIE_OPTION)), found.question), (24, None))
        self.assert_rcode(header(counts=(0, 0, 0, 0)), FORMERR)
        self.assertEqual(self.upstream.count(), 0)

    def test_rfc1035_4_1_1_counts_that_lie(self):
        for place in range(4):
            for count in (2, 255, 65535):
                counts = [1, 0, 0, 0]
                counts[place] = count
                wire = header(counts=counts) + QUESTION
                self.assert_rcode(wire, FORMERR, counts=counts)
                alone = [0, 0, 0, 0]
                alone[place] = count
                self.assert_rcode(header(counts=alone), FORMERR, counts=alone)
        self.assertEqual(self.upstream.count(), 0)

    def test_rfc1035_7_3_a_response_is_never_answered(self):
        """Two servers that answered each other's responses would never end."""
        for flags in (QR, QR | RD | RA, QR | FORMERR, QR | 15 << 11, QR | TC):
            self.assert_not_answered(header(flags=flags) + QUESTION, flags=hex(flags))
        self.assertEqual(self.upstream.count(), 0)

    def test_less_than_a_header_is_no_message(self):
        for size in range(1, 12):
            self.assert_not_answered((header() + QUESTION)[:size], size=size)

    def test_rfc1035_4_2_2_an_empty_message_ends_a_stream(self):
        for transport in STREAMS:
            with self.subTest(transport=transport), self.gateway.connect(transport) as flow:
                flow.send(b"")
                self.assertEqual(flow.wait_closed(), [])

    def test_rfc5936_zone_transfers_are_refused(self):
        for rdtype in (AXFR, IXFR, MAILA, MAILB, OPT):
            found = self.assert_rcode(query("zone.example", rdtype), REFUSED, rdtype=rdtype)
            self.assertEqual(found.ede, [NOT_SUPPORTED])
            found = self.assert_rcode(query("zone.example", rdtype, edns=None), REFUSED)
            self.assertIsNone(found.edns)
        self.assertEqual(self.upstream.count(), 0)


class Names(RfcTest):
    def test_rfc1035_2_3_4_names_of_255_octets_and_labels_of_63(self):
        label = b"\x3f" + b"x" * 63
        longest = label * 3 + b"\x3d" + b"y" * 61 + b"\0"
        many = b"\1m" * 127 + b"\0"
        self.assertEqual((len(longest), len(many)), (255, 255))
        for name in (label + b"\0", longest, many, b"\0"):
            for transport in TRANSPORTS:
                with self.subTest(transport=transport, octets=len(name)):
                    reply = self.ask_wire(transport, query(name))
                    self.assertEqual(question_of(reply)[:-4], name)
                    self.assertEqual(read(reply).rdata(A), [ADDRESS])
            self.assertEqual(self.upstream.asked[-1].read.question[0].lower(), name.lower())

    def test_rfc1035_2_3_4_names_of_256_octets_and_labels_of_64(self):
        label = b"\x3f" + b"x" * 63
        too_long = {
            "256 octets": label * 3 + b"\x3e" + b"y" * 62 + b"\0",
            "257 octets": b"\1m" * 128 + b"\0",
            "a label of 64": b"\x40" + b"x" * 64 + b"\0",
            "label type 0x80": b"\x80" + b"x" * 20 + b"\0",
            "without an end": b"\3www",
            "longer than the message": b"\x3fwww\0",
        }
        for why, name in too_long.items():
            self.assert_rcode(query(name, edns=None), FORMERR, why=why)
            self.assert_rcode(query(name), FORMERR, why=f"{why}, with EDNS")
        self.assertEqual(self.upstream.count(), 0)

    def test_rfc1035_2_3_1_any_octet_may_be_in_a_label(self):
        for label in (b"a.b", b"\0\1\2", b"\xff\xfe", b" ", b'"<script>', b"%s\\046\n"):
            name = bytes([len(label)]) + label + to_wire("zone.example")
            for transport in TRANSPORTS:
                with self.subTest(transport=transport, label=label):
                    reply = self.ask_wire(transport, query(name))
                    self.assertEqual(question_of(reply)[:-4], name)
                    self.assertEqual(read(reply).rcode, NOERROR)
        self.assertEqual(self.upstream.count(), 6)

    def test_rfc1035_4_1_4_pointers_in_a_question_lead_nowhere(self):
        chain = b"".join(struct.pack("!H", 0xC00C + 2 * n + 2) for n in range(200)) + b"\0"
        pointers = {
            "to itself": b"\xc0\x0c",
            "forward": b"\xc0\x12",
            "a pair": b"\xc0\x0e\xc0\x0c",
            "into the header": b"\3www\xc0\x00",
            "to the last offset": b"\xff\xff",
            "behind the message": b"\xc1\x00",
            "a chain of 200": chain,
            "to its own label": b"\3www\xc0\x0c",
            "half of one": b"\xc0",
        }
        for why, name in pointers.items():
            self.assert_rcode(query(name, edns=None), FORMERR, why=why)
        self.assertEqual(self.upstream.count(), 0)

    def test_rfc1035_4_1_4_pointers_in_the_owners_of_other_records(self):
        """Backward ones are legal, and a query may bring records along (TSIG, say)."""
        behind = 12 + len(QUESTION)
        owners = {
            "the question's name": (b"\xc0\x0c", NOERROR),
            "a label and the question's name": (b"\1x\xc0\x0c", NOERROR),
            "itself": (struct.pack("!H", 0xC000 | behind), FORMERR),
            "forward": (struct.pack("!H", 0xC000 | behind + 4), FORMERR),
            "its own first label": (b"\1x" + struct.pack("!H", 0xC000 | behind), FORMERR),
            "behind the message": (b"\xff\xff", FORMERR),
        }
        for why, (owner, expected) in owners.items():
            wire = header(counts=(1, 0, 0, 1)) + QUESTION + rr(65280, b"opaque", owner=owner)
            self.assert_rcode(wire, expected, owner=why)

    def test_octets_behind_the_message_are_malformed(self):
        for rest in (b"\0", b"\0" * 500, QUESTION):
            self.assert_rcode(query("www.zone.example", edns=None) + rest, FORMERR)
            self.assert_rcode(query("www.zone.example") + rest, FORMERR)

    def test_every_cut_of_a_query_is_malformed(self):
        whole = query("cut.zone.example", options=option(COOKIE_OPTION, b"8 octets"))
        for transport in TRANSPORTS:
            with self.gateway.connect(transport) as flow:
                for size in range(12, len(whole)):
                    with self.subTest(transport=transport, size=size):
                        self.assertEqual(read(flow.ask(whole[:size])).rcode, FORMERR)
        self.assertEqual(self.upstream.count(), 0)

    def test_rfc4343_3_letter_case_is_kept_in_answers_from_the_cache_too(self):
        spellings = ("case.zone.example", "CASE.ZONE.EXAMPLE", "cAsE.zOnE.eXaMpLe")
        for transport in TRANSPORTS:
            for name in spellings:
                with self.subTest(transport=transport, name=name):
                    reply = self.ask_wire(transport, query(name))
                    self.assertEqual(question_of(reply)[:-4], to_wire(name))
                    self.assertEqual(read(reply).rdata(A), [ADDRESS])
        self.assertEqual(self.upstream.count(), 1)


class Sizes(RfcTest):
    def test_rfc1035_4_2_1_without_edns_512_octets_over_udp(self):
        for size in (511, 512):
            reply = self.ask_wire("udp", query(f"s{size}.zone.example", TXT, edns=None))
            self.assertEqual((len(reply), read(reply).flags & TC), (size, 0))
        for size in (513, 1000, 1232, 4000, 60000):
            with self.subTest(size=size):
                wire = query(f"s{size}.zone.example", TXT, edns=None)
                reply = self.ask_wire("udp", wire)
                found = read(reply)
                self.assertLessEqual(len(reply), 512)
                self.assertEqual((found.flags & TC, found.edns), (TC, None))
                self.assertEqual(question_of(reply), question_of(wire))
                for transport in STREAMS:
                    whole = self.ask_wire(transport, wire)
                    self.assertEqual((len(whole), read(whole).flags & TC), (size, 0))

    def test_rfc1035_4_2_2_a_stream_has_room_for_65535_octets(self):
        for size in (60_000, 65_000, 65_535):
            for transport in STREAMS:
                with self.subTest(transport=transport, size=size):
                    wire = query(f"s{size}.zone.example", TXT, edns=None)
                    self.assertEqual(len(self.ask_wire(transport, wire)), size)

    def test_rfc5625_4_4_an_opt_that_has_no_room_left_is_no_reason_for_more_than_65535_octets(self):
        for transport in STREAMS:
            for size in range(65_520, 65_536, 5):
                with self.subTest(transport=transport, size=size):
                    found = self.ask(transport, query(f"s{size}.zone.example", TXT))
                    whole = size + 11 <= 65_535
                    self.assertEqual(found.flags & TC, 0 if whole else TC)
                    self.assertEqual(bool(found.sections[0]), whole)
                    self.assertIsNotNone(found.edns)


class Kinds(RfcTest):
    def test_rfc3597_3_unknown_types_and_classes_are_opaque(self):
        values = (b"\xc0\x0c", b"\xc0\x0c" * 50, b"\3www\xc0\x0c", b"", bytes(range(256)) * 8)
        for n, rdata in enumerate(values):
            for rdtype, rdclass in ((65280, 1), (65534, 1), (65280, 65280), (A, 3), (1000, 4)):
                self.upstream.script = lambda asked: reply_to(
                    asked, rr(rdtype, rdata, rdclass=rdclass)
                )
                for transport in STREAMS:
                    with self.subTest(rdtype=rdtype, rdclass=rdclass, octets=len(rdata)):
                        wire = query(f"opaque{n}.zone.example", rdtype, rdclass=rdclass)
                        found = self.ask(transport, wire)
                        owner = to_wire(f"opaque{n}.zone.example")
                        self.assertEqual(
                            found.sections[0], {(owner, rdtype, rdclass): {rdata}}, found
                        )

    def test_rfc5625_4_3_every_type_and_class_is_forwarded(self):
        forwarded = [*range(1, 41), *range(42, 70), 99, 108, 249, 256, 257, 261, 32768, 65279, 65535]
        classes = (1, 3, 4, 254, 255, 2, 65000)
        with self.gateway.connect("tls") as flow:
            for rdtype in forwarded:
                found = read(flow.ask(query(f"t{rdtype}.zone.example", rdtype)))
                self.assertEqual(found.rcode, NOERROR, rdtype)
                self.assertEqual(self.upstream.count(f"t{rdtype}.zone.example", rdtype), 1)
            for rdclass in classes:
                wire = query(f"c{rdclass}.zone.example", rdclass=rdclass)
                self.assertEqual(read(flow.ask(wire)).rcode, NOERROR, rdclass)
                self.assertEqual(self.upstream.asked[-1].wire.count(wire[-15:-11]), 1)

    def test_rfc4035_3_2_2_cd_is_copied_and_kept_apart(self):
        self.upstream.script = lambda asked: answer(
            asked, f"{asked.name}. 300 IN A 192.0.2.{2 if asked.read.flags & CD else 1}"
        )
        for transport in TRANSPORTS:
            for cd, last in ((CD, 2), (0, 1), (CD, 2), (0, 1)):
                with self.subTest(transport=transport, cd=cd):
                    found = self.ask(transport, query("cd.zone.example", flags=RD | cd))
                    self.assertEqual(found.flags & CD, cd)
                    self.assertEqual(found.rdata(A), [bytes([192, 0, 2, last])])
        self.assertEqual(self.upstream.count(), 2)

    def test_rfc6840_5_8_ad_for_those_who_asked_with_do_or_ad(self):
        self.upstream.script = lambda asked: answer(
            asked, f"{asked.name}. 300 IN A 192.0.2.1", flags=RA | AD
        )
        for _ in ("from the upstream", "from the cache"):
            for transport in TRANSPORTS:
                for flags, do, edns, expected in (
                    (RD, False, 1232, 0),
                    (RD, False, None, 0),
                    (RD | AD, False, 1232, AD),
                    (RD | AD, False, None, AD),
                    (RD, True, 1232, AD),
                    (RD | AD, True, 1232, AD),
                ):
                    with self.subTest(transport=transport, flags=hex(flags), do=do):
                        wire = query("ad.zone.example", flags=flags, dnssec_ok=do, edns=edns)
                        self.assertEqual(self.ask(transport, wire).flags & AD, expected)
        self.assertEqual(self.upstream.count(), 2)  # DO has an entry of its own

    def test_rfc6840_5_7_ad_is_not_made_up(self):
        for transport in TRANSPORTS:
            wire = query("insecure.zone.example", flags=RD | AD, dnssec_ok=True)
            self.assertEqual(self.ask(transport, wire).flags & AD, 0)

    def test_rfc8482_4_3_any_over_udp_is_sent_to_tcp(self):
        wire = query("any.zone.example", ANY)
        reply = self.ask_wire("udp", wire)
        found = read(reply)
        self.assertEqual((found.flags & TC, found.rcode, found.sections[0]), (TC, NOERROR, {}))
        self.assertLessEqual(len(reply), len(wire) + 11)
        self.assertEqual(self.upstream.count(), 0)
        for transport in STREAMS:
            found = self.ask(transport, wire)
            self.assertEqual((found.flags & TC, found.rcode), (0, NOERROR))
        self.assertEqual(self.upstream.count(), 1)

    def test_rfc9210_4_1_tcp_does_not_wait_for_udp_to_be_tried(self):
        with Stream(self.gateway.address("tcp")) as flow:
            for rdtype in (A, AAAA, TXT):
                found = read(flow.ask(query("tcp.first.example", rdtype, number=rdtype)))
                self.assertEqual(found.rcode, NOERROR)


if __name__ == "__main__":
    unittest.main()
