"""EDNS(0) and what travels in it, over every listener: sizes, versions, options, cookies, padding,
keepalive. RFC 6891, 7828, 7830, 7873, 8467, 9018, 9715."""

import contextlib
import struct
import time
import unittest

from harness import SANITIZED, until
from messages import (
    A,
    BADVERS,
    COOKIE_OPTION,
    FORMERR,
    KEEPALIVE_OPTION,
    NOERROR,
    NOTIMP,
    NSID_OPTION,
    PADDING_OPTION,
    RD,
    REFUSED,
    TC,
    TXT,
    opt_record,
    option,
    query,
    read,
    to_wire,
)
from rfc import ADDRESS, STREAMS, TRANSPORTS, RfcTest, few, reply_to, rr

QUESTION = to_wire("www.zone.example") + struct.pack("!HH", A, 1)
AXFR = 252
EXPIRE_OPTION, CHAIN_OPTION = 9, 13


def with_records(additional, *, counts=None, flags=RD):
    """A query with these octets behind its question."""
    counts = counts or (1, 0, 0, 1)
    return struct.pack("!6H", 7, flags, *counts) + QUESTION + additional


class Opt(RfcTest):
    def test_rfc6891_6_1_1_opt_answers_opt_and_nothing_answers_nothing(self):
        self.ask("udp", query("kept.zone.example"))
        kinds = {
            "from the upstream": ("new{}.zone.example", A, NOERROR),
            "from the cache": ("kept.zone.example", A, NOERROR),
            "local": ("localhost", A, NOERROR),
            "refused": ("zone.example", AXFR, REFUSED),
        }
        for transport in TRANSPORTS:
            for kind, (name, rdtype, rcode) in kinds.items():
                for edns in (None, 1232):
                    with self.subTest(transport=transport, kind=kind, edns=edns):
                        wire = query(name.format(transport), rdtype, edns=edns)
                        found = self.ask(transport, wire)
                        self.assertEqual(found.rcode, rcode)
                        self.assertEqual(found.edns is None, edns is None)
                        if edns:
                            self.assertEqual(found.edns[1:], (0, 0))
                            self.assertGreaterEqual(found.edns[0], 512)
        errors = {"NOTIMP": (with_records(opt_record(), flags=5 << 11), NOTIMP)}
        errors["FORMERR"] = (with_records(opt_record(), counts=(2, 0, 0, 1)), FORMERR)
        errors["FORMERR behind OPT"] = (with_records(opt_record() + b"\0"), FORMERR)
        for kind, (wire, rcode) in errors.items():
            found = self.assert_rcode(wire, rcode, kind=kind)
            if kind != "FORMERR":  # the questions are not whole: there may be no telling
                self.assertIsNotNone(found.edns, kind)

    def test_rfc6891_6_1_1_opt_is_hop_by_hop(self):
        """What an upstream says in its OPT is for us; ours is our own, over each connection."""
        options = option(NSID_OPTION, b"upstream-1") + option(65001, b"private")
        options += option(KEEPALIVE_OPTION, b"\0\1") + option(PADDING_OPTION, bytes(99))
        self.upstream.script = lambda asked: reply_to(
            asked, rr(A, ADDRESS), additional=[opt_record(4000, options=options, flags=0x4000)]
        )
        for edns in (1232, None):
            for transport in TRANSPORTS:
                with self.subTest(edns=edns, transport=transport):
                    wire = query("hop.zone.example", edns=edns)
                    reply = self.ask_wire(transport, wire)
                    found = read(reply)
                    self.assertEqual((found.rdata(A), found.options), ([ADDRESS], []))
                    self.assertEqual(found.edns, edns and (1232, 0, 0))

    def test_rfc6891_6_1_1_opt_stands_once_in_the_additional_section(self):
        opt = opt_record()
        for why, wire in {
            "twice": with_records(opt + opt, counts=(1, 0, 0, 2)),
            "twice, with something between": with_records(
                opt + rr(65280, b"x") + opt, counts=(1, 0, 0, 3)
            ),
            "in the answer section": with_records(opt, counts=(1, 1, 0, 0)),
            "in the authority section": with_records(opt, counts=(1, 0, 1, 0)),
        }.items():
            self.assert_rcode(wire, FORMERR, why=why)
        for why, owner in {
            "a name": to_wire("opt.example"),
            "a pointer": b"\xc0\x0c",
            "a pointer to the root": struct.pack("!H", 0xC000 | 12 + len(QUESTION) - 5),
        }.items():
            self.assert_rcode(with_records(owner + opt[1:]), FORMERR, owner=why)
        found = self.assert_rcode(
            with_records(rr(65280, b"x") + opt, counts=(1, 0, 0, 2)), NOERROR, why="behind another"
        )
        self.assertIsNotNone(found.edns)

    def test_rfc6891_6_1_3_other_versions(self):
        for version in (1, 2, 100, 255):
            for options in (b"", option(100, b"unknown"), b"\0\1", option(COOKIE_OPTION, b"x")):
                for flags in (0, 0x8000, 0x7FFF):
                    opt = opt_record(options=options, version=version, flags=flags)
                    found = self.assert_rcode(with_records(opt), BADVERS, version=version)
                    self.assertEqual((found.edns[1], found.sections), (0, ({}, {}, {})))
        self.assertEqual(self.upstream.count(), 0)

    def test_rfc6891_6_1_4_unknown_flags_are_not_echoed_and_do_is(self):
        for transport in TRANSPORTS:
            for flags in (0x8000, 0x4000, 0x7FFF, 0xFFFF, 0x0001):
                with self.subTest(transport=transport, flags=hex(flags)):
                    found = self.ask(transport, with_records(opt_record(flags=flags)))
                    self.assertEqual((found.rcode, found.edns[2]), (NOERROR, flags & 0x8000))

    def test_rfc6891_7_a_malformed_opt_gets_formerr_with_opt(self):
        good = option(65001, b"value")
        for why, options in {
            "an option longer than the record": struct.pack("!HH", 65001, 100) + b"value",
            "behind a good one": good + struct.pack("!HH", 65001, 1),
            "three octets of an option": good + b"\0\1\0",
            "a length of 65535": struct.pack("!HH", 65001, 65535),
        }.items():
            found = self.assert_rcode(with_records(opt_record(options=options)), FORMERR, why=why)
            self.assertIsNotNone(found.edns, why)
        opt = opt_record(options=good)
        longer = opt[:9] + struct.pack("!H", len(good) + 9) + opt[11:]
        self.assert_rcode(with_records(longer), FORMERR, why="RDLENGTH behind the message")
        shorter = opt[:9] + struct.pack("!H", len(good) - 2) + opt[11:]
        self.assert_rcode(with_records(shorter), FORMERR, why="RDLENGTH before the end")

    def test_rfc6891_6_1_2_unknown_options_are_ignored(self):
        codes = (0, 4, 5, 6, 7, EXPIRE_OPTION, CHAIN_OPTION, 14, 16, 17, 18, 100, 26946, 65001, 65535)
        for transport in TRANSPORTS:
            for code in codes:
                for value in (b"", b"x", bytes(300)):
                    with self.subTest(transport=transport, code=code, octets=len(value)):
                        wire = query("options.zone.example", options=option(code, value))
                        found = self.ask(transport, wire)
                        self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
                        self.assertIsNone(found.option(code))


class Sizes(RfcTest):
    """Over UDP the lesser of the client's size and ours (RFC 9715 §3.1), never less than 512."""

    def test_rfc6891_6_2_3_sizes_from_0_to_65535(self):
        for said in (0, 1, 255, 511, 512, 513, 1000, 1231, 1232, 1233, 1400, 4096, 65535):
            limit = min(max(said, 512), 1232)
            fits, too_long = limit - 11, limit - 10  # without our OPT
            with self.subTest(said=said):
                reply = self.ask_wire("udp", query(f"s{fits}.zone.example", TXT, edns=said))
                self.assertEqual((len(reply), read(reply).flags & TC), (limit, 0))
                reply = self.ask_wire("udp", query(f"s{too_long}.zone.example", TXT, edns=said))
                found = read(reply)
                self.assertEqual((found.flags & TC, found.sections[0]), (TC, {}))
                self.assertIsNotNone(found.edns)  # RFC 6891 §7
                self.assertLessEqual(len(reply), limit)
            for transport in STREAMS:
                with self.subTest(said=said, transport=transport):
                    wire = query(f"s{too_long}.zone.example", TXT, edns=said)
                    self.assertEqual(self.ask(transport, wire).flags & TC, 0)

    def test_rfc7830_3_padding_and_cookies_make_room_for_the_answer(self):
        """Options count: the answer is whole when it fits with a cookie, and truncated when not."""
        cookie = option(COOKIE_OPTION, b"8 octets")
        whole = 1232 - 11 - 28
        for size, truncated in ((whole, 0), (whole + 1, TC)):
            wire = query(f"s{size}.zone.example", TXT, options=cookie, edns=4096)
            reply = self.ask_wire("udp", wire)
            self.assertEqual(read(reply).flags & TC, truncated)
            self.assertLessEqual(len(reply), 1232)


class ManyOptions(RfcTest):
    def test_each_is_answered_once(self):
        """CVE-2026-42944: many options that each want an answer."""
        each = option(NSID_OPTION) + option(COOKIE_OPTION, b"8 octets") + option(PADDING_OPTION)
        each += option(KEEPALIVE_OPTION)
        for count in (1, 10, 100):
            for transport in TRANSPORTS:
                with self.subTest(count=count, transport=transport):
                    wire = query("many.zone.example", options=each * count)
                    reply = self.ask_wire(transport, wire)
                    found = read(reply)
                    self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
                    codes = [code for code, _ in found.options]
                    self.assertEqual(len(codes), len(set(codes)), codes)
                    self.assertLessEqual(len(reply), 512)

    def test_16_thousand_options_cost_little(self):
        """CVE-2026-41292; at most 5 ms of processor time for each such query."""
        count, repeated = 16_000, 100
        heavy = [
            query("heavy.zone.example", options=option(code) * count)
            for code in (65001, NSID_OPTION, PADDING_OPTION)
        ]
        heavy.append(query("heavy.zone.example", options=option(COOKIE_OPTION, b"8 octets") * 5400))
        for transport in STREAMS:
            with self.gateway.connect(transport) as flow:
                flow.ask(heavy[0])
                before = self.processor_seconds()
                for n in range(few(repeated)):
                    found = read(flow.ask(heavy[n % len(heavy)]))
                    self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
                spent = self.processor_seconds() - before
            if not SANITIZED:
                self.assertLess(spent / repeated, 0.005, transport)


class Cookies(RfcTest):
    def cookie(self, transport, value, name="cookie.zone.example"):
        found = self.ask(transport, query(name, options=option(COOKIE_OPTION, value)))
        self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
        return found.option(COOKIE_OPTION)

    def test_rfc9018_4_a_server_cookie_of_version_1(self):
        for transport in TRANSPORTS:
            with self.subTest(transport=transport):
                given = self.cookie(transport, b"client 1")
                self.assertEqual((len(given), given[:8]), (24, b"client 1"))
                version, reserved, stamp = struct.unpack("!B3sI", given[8:16])
                self.assertEqual((version, reserved), (1, b"\0\0\0"))
                self.assertLess(abs(stamp - time.time()), 60)
                other = self.cookie(transport, b"client 2")
                self.assertNotEqual(other[16:], given[16:])

    def test_rfc7873_5_2_good_old_and_forged_server_cookies_are_answered_with_a_good_one(self):
        """BADCOOKIE would be for servers that demand cookies, and never over TCP (§5.2.3)."""
        for transport in TRANSPORTS:
            good = self.cookie(transport, b"client 1")
            for why, server in {
                "good": good[8:],
                "of another client": self.cookie(transport, b"client 2")[8:],
                "an hour and more old": good[8:12] + struct.pack("!I", 1) + good[16:],
                "from the future": good[8:12] + struct.pack("!I", 0xFFFFFFFF) + good[16:],
                "another version": b"\2" + good[9:],
                "8 octets": b"8 octets",
                "32 octets": bytes(32),
            }.items():
                with self.subTest(transport=transport, cookie=why):
                    given = self.cookie(transport, b"client 1" + server)
                    self.assertEqual((len(given), given[:9]), (24, b"client 1\1"))

    def test_rfc7873_5_2_2_lengths(self):
        for size in range(45):
            wire = query("length.zone.example", options=option(COOKIE_OPTION, b"c" * size))
            sound = size == 8 or 16 <= size <= 40
            found = self.assert_rcode(wire, NOERROR if sound else FORMERR, octets=size)
            self.assertEqual(found.option(COOKIE_OPTION) is not None, sound)

    def test_rfc7873_5_2_3_no_cookie_for_those_who_sent_none(self):
        for transport in TRANSPORTS:
            found = self.ask(transport, query("none.zone.example"))
            self.assertIsNone(found.option(COOKIE_OPTION))

    def test_rfc7873_4_2_errors_have_cookies_too(self):
        cookie = option(COOKIE_OPTION, b"8 octets")
        for wire, rcode in ((query("zone.example", AXFR, options=cookie), REFUSED),):
            found = self.assert_rcode(wire, rcode)
            self.assertEqual(found.option(COOKIE_OPTION)[:8], b"8 octets")


class Padding(RfcTest):
    def test_rfc8467_4_1_answers_to_padded_queries_are_multiples_of_468(self):
        padded = option(PADDING_OPTION, bytes(60))
        sizes = (100, 456, 457, 458, 467, 468, 469, 1000, 4000, 60_000, 65_000)
        for size in sizes:
            with self.subTest(size=size):
                wire = query(f"s{size}.zone.example", TXT, options=padded)
                reply = self.ask_wire("tls", wire)
                found = read(reply)
                self.assertEqual((len(reply) % 468, found.flags & TC), (0, 0))
                self.assertEqual(found.option(PADDING_OPTION).strip(b"\0"), b"")
                self.assertLess(len(reply) - size, 468 + 15)
        for name, rdtype, flags in (("localhost", A, RD), ("zone.example", AXFR, RD)):
            reply = self.ask_wire("tls", query(name, rdtype, flags=flags, options=padded))
            self.assertEqual(len(reply), 468)
        reply = self.ask_wire("tls", query("bad.zone.example", options=padded)[:-1])
        self.assertEqual(read(reply).rcode, FORMERR)

    def test_rfc7830_3_at_the_end_of_the_room_padding_ends_too(self):
        for size in (65_400, 65_500, 65_519, 65_520):
            wire = query(f"s{size}.zone.example", TXT, options=option(PADDING_OPTION))
            found = self.ask("tls", wire)
            self.assertEqual((found.flags & TC, len(found.rdata(TXT)) > 0), (0, True), size)

    def test_rfc7830_6_no_padding_in_clear_nor_without_being_asked(self):
        for transport, options in (
            ("udp", option(PADDING_OPTION)),
            ("udp", option(PADDING_OPTION, bytes(100))),
            ("tcp", option(PADDING_OPTION)),
            ("tls", b""),
        ):
            with self.subTest(transport=transport):
                found = self.ask(transport, query("plain.zone.example", options=options))
                self.assertEqual((found.rcode, found.options), (NOERROR, []))
        self.assertIsNone(self.ask("tls", query("plain.zone.example", edns=None)).edns)

    def test_rfc7830_3_the_octets_of_padding_are_not_looked_at(self):
        for transport in TRANSPORTS:
            for filling in (b"\xff", b"\xc0\x0c", b"x"):
                wire = query("filled.zone.example", options=option(PADDING_OPTION, filling * 90))
                self.assertEqual(self.ask(transport, wire).rdata(A), [ADDRESS])


class Keepalive(RfcTest):
    settings = {"limits": {"idle_timeout": "12s"}}

    def test_rfc7828_3_3_2_streams_are_told_how_long_they_may_idle(self):
        for transport in STREAMS:
            for name in ("keep.zone.example", "keep.zone.example", "localhost"):
                wire = query(name, options=option(KEEPALIVE_OPTION))
                found = self.ask(transport, wire)
                self.assertEqual(found.option(KEEPALIVE_OPTION), struct.pack("!H", 120), transport)

    def test_rfc7828_3_2_1_and_3_3_1_not_over_udp_and_not_unasked(self):
        wire = query("keep.zone.example", options=option(KEEPALIVE_OPTION))
        self.assertIsNone(self.ask("udp", wire).option(KEEPALIVE_OPTION))
        for transport in STREAMS:
            found = self.ask(transport, query("keep.zone.example"))
            self.assertIsNone(found.option(KEEPALIVE_OPTION))

    def test_rfc7828_3_3_1_a_timeout_in_a_query_is_not_obeyed(self):
        for transport in TRANSPORTS:
            wire = query("keep.zone.example", options=option(KEEPALIVE_OPTION, b"\xff\xff"))
            found = self.ask(transport, wire)
            self.assertIn(found.rcode, (NOERROR, FORMERR))
            self.assertNotEqual(found.option(KEEPALIVE_OPTION), b"\xff\xff")


class KeepaliveWhenSessionsAreScarce(RfcTest):
    settings = {"limits": {"sessions": 8, "sessions_per_client": 8, "idle_timeout": "12s"}}

    def test_rfc7828_3_4_who_has_asked_is_told_to_leave(self):
        wire = query("keep.zone.example", options=option(KEEPALIVE_OPTION))
        for transport in STREAMS:
            with contextlib.ExitStack() as held:
                for count in range(1, 9):
                    flow = held.enter_context(self.gateway.connect(transport))
                    told = read(flow.ask(wire)).option(KEEPALIVE_OPTION)
                    seconds = 0 if count >= 7 else 12
                    self.assertEqual(told, struct.pack("!H", seconds * 10), (transport, count))
            until(
                lambda: self.gateway.metrics().total("sallyport_sessions") == 0,
                "the end of all sessions",
            )


if __name__ == "__main__":
    unittest.main()
