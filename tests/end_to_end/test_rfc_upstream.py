"""How upstreams are asked and what is believed of what they say. RFC 1035, 5452, 5625, 6891, 7766,
7830, 7873; large answers and names at their limits come back octet for octet."""

import math
import struct
import unittest

from clients import ask_many
from fake_upstream import FakeUpstream, Reply
from gateway import Sallyport
from harness import SANITIZED, EndToEndTest, temporary_folder
from messages import (
    A,
    COOKIE_OPTION,
    KEEPALIVE_OPTION,
    NOERROR,
    PADDING_OPTION,
    SERVFAIL,
    TC,
    TXT,
    option,
    opt_record,
    query,
    read,
    to_wire,
)
from rfc import ADDRESS, STREAMS, TRANSPORTS, RfcTest, few, question_of, reply_to, rr, text

BURST_MOST = 8  # queries that leave from one port at once
BURST_APART = 200  # more queries are not under way at once
MISSES = 3_000 if SANITIZED else 24_000


def good(asked, **how):
    """An address for every name, and no cookie."""
    return reply_to(asked, rr(A, ADDRESS), **how)


def chi_square(counts, drawn):
    expected = drawn / len(counts)
    return sum((count - expected) ** 2 for count in counts) / expected


def most_chi_square(freedom, deviations=5.2):
    """The value that chance exceeds once in ten million (Wilson and Hilferty)."""
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + deviations * math.sqrt(spread)) ** 3


class Guessing(EndToEndTest):
    """RFC 5452 §9.2: what a forger would have to guess, over many misses."""

    def setUp(self):
        super().setUp()
        self.upstream = self.enter(FakeUpstream(good))
        self.gateway = self.enter(Sallyport(self.folder, [self.upstream.url("udp")]))

    def misses(self):
        """Every client says 0."""
        flows = [self.enter(self.gateway.connect(one)) for one in ("udp", "tcp", "tls", "udp")]
        wrong = []
        work = [
            (
                flow,
                (
                    (n, query(f"name{n}.of.the.zone.example", A))
                    for n in range(first, MISSES, len(flows))
                ),
            )
            for first, flow in enumerate(flows)
        ]

        def take(flow, key, sent, reply):
            if reply[3] & 15 or reply[7] != 1:
                wrong.append(key)

        lost = ask_many(work, take, window=24)
        self.assertEqual((lost, wrong), ([], []))
        return self.upstream.asked

    def assert_uniform(self, values, what):
        values = list(values)
        buckets = [0] * 256
        for value in values:
            buckets[value] += 1
        self.assertLess(chi_square(buckets, len(values)), most_chi_square(255), what)

    def test_rfc5452_9_2_ids_ports_and_letter_case(self):
        asked = self.misses()
        self.assertGreaterEqual(len(asked), MISSES)
        ids = [one.number for one in asked]
        self.assert_uniform((number >> 8 for number in ids), "upper octets of ids")
        self.assert_uniform((number & 255 for number in ids), "lower octets of ids")
        steps = [(b - a) & 0xFFFF for a, b in zip(ids, ids[1:])]
        self.assert_uniform((step >> 8 for step in steps), "steps between ids")
        pairs = zip(ids[::2], ids[1::2])
        self.assert_uniform(((a ^ b) & 255 for a, b in pairs), "neighbours' lower octets")
        # Clients' id 0 does not travel on: 0 is as rare as any other.
        self.assertLess(ids.count(0), 8)
        distinct = 65536 * (1 - math.exp(-len(ids) / 65536))
        self.assertGreater(len(set(ids)), 0.98 * distinct)

        self.check_ports([one.client[1] for one in asked])
        self.check_letter_case(asked)

    def check_ports(self, ports):
        """Each is drawn for one burst of queries, and never used again but by chance."""
        bursts = {}
        drawn = []
        shared_too_often = 0
        for at, port in enumerate(ports):
            first, size = bursts.get(port, (-BURST_APART, 0))
            if at - first >= BURST_APART:
                drawn.append(port)
                first, size = at, 0
            bursts[port] = (first, size + 1)
            self.assertLessEqual(size + 1, 3 * BURST_MOST)
            shared_too_often += size == BURST_MOST
        # By chance one is drawn again while it is in use, about once in a thousand times.
        self.assertLess(shared_too_often, 10 + len(drawn) // 200)
        self.assertGreater(len(drawn), len(ports) // BURST_MOST)
        with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
            low, high = map(int, file.read().split())
        expected = (high - low) * (1 - math.exp(-len(drawn) / (high - low)))
        self.assertGreater(len(set(drawn)), 0.7 * expected)
        near = sum(abs(a - b) < 64 for a, b in zip(drawn, drawn[1:]))
        self.assertLess(near, len(drawn) // 20, "ports in a row")

    def check_letter_case(self, asked):
        upper = letters = 0
        patterns = set()
        for one in asked:
            name = one.wire[12:-4]
            case = bytes(octet & 32 for octet in name if chr(octet).isalpha())[:16]
            patterns.add(case)
            letters += len(case)
            upper += case.count(0)
        self.assertLess(abs(upper / letters - 0.5), 0.01, "letters in upper case")
        self.assertGreater(len(patterns), 0.8 * 65536 * (1 - math.exp(-len(asked) / 65536)))


class Asked(EndToEndTest):
    """What an upstream gets to see. Habits are learnt by each worker: one here, and for each test
    another."""

    def setUp(self):
        super().setUp()
        self.upstream = self.enter(FakeUpstream(good))
        self.gateway = self.enter(
            Sallyport(
                self.folder,
                [{"url": self.upstream.url("udp"), "timeout": "5s"}],
                server={"workers": 1},
            )
        )

    def ask_wire(self, transport, wire):
        with self.gateway.connect(transport) as flow:
            return flow.ask(wire)

    def ask(self, transport, wire):
        return read(self.ask_wire(transport, wire))

    def test_rfc6891_6_2_5_our_edns_is_our_own(self):
        for transport in TRANSPORTS:
            for n, edns in enumerate((None, 512, 4096, 65535)):
                self.ask(transport, query(f"own{n}.{transport}.example", edns=edns))
                asked = self.upstream.asked[-1].read
                self.assertEqual((asked.edns[0], asked.edns[1]), (1232, 0))
                self.assertEqual(asked.flags & 0x7A00, 0)  # opcode, AA, TC

    def with_cookie(self, asked, value, last=1, **how):
        opt = opt_record(options=option(COOKIE_OPTION, value))
        return reply_to(asked, rr(A, bytes([192, 0, 2, last])), additional=[opt], **how)

    def test_rfc7873_5_3_a_reply_with_another_client_cookie_never_happened(self):
        lies = (
            lambda mine: bytes(8) + b"server's",
            lambda mine: mine[:7],
            lambda mine: mine + b"short",
            lambda mine: mine + bytes(33),
        )

        def script(asked):
            mine = asked.read.option(COOKIE_OPTION)[:8]
            lie = lies[int(asked.name[6])](mine)
            return [
                self.with_cookie(asked, lie, last=66),
                Reply(self.with_cookie(asked, mine + b"server's"), after=0.02),
            ]

        self.upstream.script = script
        for n in range(len(lies)):
            found = self.ask("tcp", query(f"cookie{n}.zone.example"))
            self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]), n)
        cookies = [one.read.option(COOKIE_OPTION) for one in self.upstream.asked]
        # The same client cookie to the same server, and its server cookie once it is known.
        self.assertEqual(len({cookie[:8] for cookie in cookies}), 1)
        self.assertEqual({cookie[8:] for cookie in cookies[1:]}, {b"server's"})

    def test_rfc7873_5_3_badcookie_is_asked_again_with_the_new_one(self):
        new = b"the new one....."

        def script(asked):
            cookie = asked.read.option(COOKIE_OPTION)
            if cookie[8:] == new:
                return self.with_cookie(asked, cookie)
            opt = bytearray(opt_record(options=option(COOKIE_OPTION, cookie[:8] + new)))
            opt[5] = 1  # with 7 in the header: 23
            return reply_to(asked, additional=[bytes(opt)], flags=0x8187)

        self.upstream.script = script
        for n in range(4):
            found = self.ask("tcp", query(f"again{n}.zone.example"))
            self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))
        self.assertEqual([one.transport for one in self.upstream.asked], ["udp"] * 5)

    def test_rfc7873_5_3_a_cookie_that_is_suddenly_missing_is_asked_for_over_tcp(self):
        def script(asked):
            if asked.transport == "tcp":
                return good(asked)
            if asked.name.startswith("first"):
                return self.with_cookie(asked, asked.read.option(COOKIE_OPTION) + b"server's")
            return reply_to(asked, rr(A, bytes([192, 0, 2, 66])))

        self.upstream.script = script
        for name in ("first", "second"):
            self.assertEqual(self.ask("tcp", query(f"{name}.example")).rdata(A), [ADDRESS])
        self.assertEqual(self.upstream.asked[-1].transport, "tcp")

    def test_rfc7873_3_another_client_cookie_for_another_server(self):
        with FakeUpstream(lambda asked: reply_to(asked, flags=0x8182)) as one:
            with FakeUpstream(good, host="127.0.0.2") as two:
                with temporary_folder() as folder:
                    with Sallyport(folder, [one.url("udp"), two.url("udp")]) as gateway:
                        found = read(gateway.ask("tcp", "two.zone.example"))
                self.assertEqual(found.rcode, NOERROR)
                cookies = {up.asked[0].read.option(COOKIE_OPTION)[:8] for up in (one, two)}
        self.assertEqual(len(cookies), 2)

    def test_rfc6891_7_an_upstream_without_edns(self):
        self.upstream.script = lambda asked: (
            good(asked) if asked.read.edns is None else asked.wire[:2] + b"\x81\x81" + bytes(8)
        )
        for n in range(3):
            found = self.ask("tcp", query(f"plain{n}.zone.example"))
            self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, [ADDRESS]))

    def test_draft_vixie_0x20_an_upstream_that_loses_the_letter_case(self):
        """It is asked over TCP, where forging is harder, or plainly; the client sees its own."""

        def lowered(asked):
            reply = good(asked)
            end = 12 + len(question_of(reply))
            return reply[:12] + reply[12:end].lower() + reply[end:]

        self.upstream.script = lowered
        for n in range(6):
            name = f"LoWeR{n}.zOnE.example"
            reply = self.ask_wire("tcp", query(name))
            self.assertEqual(question_of(reply)[:-4], to_wire(name))
            self.assertEqual(read(reply).rdata(A), [ADDRESS])


class AskedOverTls(RfcTest):
    scheme = "tls"

    def setUp(self):
        super().setUp()
        self.upstream.script = good

    def test_rfc8467_4_1_queries_are_padded_to_128(self):
        for size in (1, 20, 60):
            name = f"{'p' * size}.{'q' * size}.zone.example"
            self.assertEqual(self.ask("udp", query(name)).rdata(A), [ADDRESS])
        for asked in self.upstream.asked:
            self.assertEqual(len(asked.wire) % 128, 0)
            self.assertIsNotNone(asked.read.option(PADDING_OPTION))

    def test_rfc7766_6_2_1_no_id_twice_in_flight_and_replies_in_any_order(self):
        self.upstream.script = lambda asked: Reply(
            good(asked), after=(asked.wire[-1] ^ asked.wire[0]) % 32 / 100
        )
        count = few(800)
        answers = {}
        with self.gateway.connect("tcp") as flow:
            lost = ask_many(
                [(flow, ((n, query(f"order{n}.zone.example")) for n in range(count)))],
                lambda _, n, sent, reply: answers.__setitem__(n, question_of(reply)),
                window=90,
            )
        self.assertEqual((lost, len(answers)), ([], count))
        for n, question in answers.items():
            self.assertEqual(question[:-4], to_wire(f"order{n}.zone.example"))
        self.assertLess(self.upstream.connections, 12)

    def test_rfc7828_3_3_2_a_keepalive_of_zero_retires_the_connection(self):
        keepalive = opt_record(options=option(KEEPALIVE_OPTION, b"\0\0"))
        self.upstream.script = lambda asked: good(asked, additional=[keepalive])
        before = self.upstream.connections
        for n in range(4):
            self.assertEqual(self.ask("tcp", query(f"k{n}.zone.example")).rdata(A), [ADDRESS])
        self.assertGreaterEqual(self.upstream.connections, before + 3)


class Large(RfcTest):
    """Answers and names at their limits."""

    scheme = "tcp"

    def check_large(self, name, records, rdtype, wanted):
        """Octet for octet over streams, TC and nothing else over UDP, at little cost."""
        self.upstream.script = lambda asked: reply_to(asked, *records)
        wire = query(name, rdtype)
        self.ask("tcp", wire)
        before, rounds = self.processor_seconds(), few(16)
        for transport in STREAMS:
            for _ in range(rounds):
                with self.gateway.connect(transport) as flow:
                    found = read(flow.ask(wire))
                self.assertEqual(found.rdata(rdtype), sorted(wanted))
                self.assertEqual(found.flags & TC, 0)
        if not SANITIZED:
            self.assertLess((self.processor_seconds() - before) / (2 * rounds), 0.02)
        reply = self.ask_wire("udp", wire)
        self.assertEqual((read(reply).flags & TC, read(reply).sections[0]), (TC, {}))
        self.assertLess(len(reply), 300)

    def test_3000_records(self):
        wanted = [struct.pack("!I", 0x0A000000 + n) for n in range(3000)]
        self.check_large("many.zone.example", [rr(A, value) for value in wanted], A, wanted)

    def test_64_kilobytes_of_text(self):
        # What header, question, the record's beginning and our OPT leave.
        wanted = [text(65_535 - 12 - 23 - 12 - 11)]
        self.check_large("text.zone.example", [rr(TXT, wanted[0])], TXT, wanted)

    def test_2000_owners_with_names_of_their_own(self):
        """CVE-2024-8508: compressing without bounds."""
        records = [
            rr(A, struct.pack("!I", n), owner=b"\5" + f"{n:05}".encode() + b"\xc0\x0c")
            for n in range(2000)
        ]
        self.upstream.script = lambda asked: reply_to(asked, *records)
        for transport in STREAMS:
            found = self.ask(transport, query("owners.zone.example"))
            self.assertEqual(len(found.rdata(A)), 2000)
            self.assertEqual(len(found.sections[0]), 2000)

    def test_rfc1035_4_1_4_pointer_ladders_in_a_reply(self):
        """Each owner is one label and a pointer to the one before: 110 steps down. They are legal as
        long as the name is: 255 octets are, and one more label is not."""
        name = to_wire("l.example")
        start = 12 + len(name) + 4
        for labels, rcode in ((110, NOERROR), (122, NOERROR), (123, SERVFAIL), (200, SERVFAIL)):
            records, at, target = [], start, 12
            for _ in range(labels):
                records.append(rr(A, ADDRESS, owner=b"\1x" + struct.pack("!H", 0xC000 | target)))
                target, at = at, at + len(records[-1])
            self.upstream.script = lambda asked: reply_to(asked, *records)
            wire = query("l.example", A, flags=0x0100 | (0x10 if labels % 2 else 0))
            with self.subTest(labels=labels):
                self.flush()
                for transport in STREAMS:
                    found = self.ask(transport, wire)
                    self.assertEqual(found.rcode, rcode)
                    self.assertEqual(len(found.sections[0]), labels if rcode == NOERROR else 0)

    def flush(self):
        done = self.gateway.verb("cache", "flush", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_rfc1035_4_1_4_pointers_that_lead_nowhere_in_a_reply(self):
        for n, owner in enumerate((b"\xff\xff", b"\xc0", b"\1x\xc0\x2d", b"\xc0\x2d", b"\xc0\x30")):
            name = f"nowhere{n}.zone.example"
            behind = 12 + len(to_wire(name)) + 4
            at = struct.pack("!H", 0xC000 | behind)
            owner = owner.replace(b"\xc0\x2d", at)
            self.upstream.script = lambda asked: reply_to(asked, rr(A, ADDRESS, owner=owner))
            for transport in TRANSPORTS:
                with self.subTest(owner=owner, transport=transport):
                    found = self.ask(transport, query(name))
                    self.assertEqual((found.rcode, found.sections[0]), (SERVFAIL, {}))
                    self.assertEqual(len(found.ede), 1)

    def test_rfc1035_2_3_4_the_longest_name_in_question_owner_and_rdata(self):
        longest = (b"\x3f" + b"n" * 63) * 3 + b"\x3d" + b"o" * 61 + b"\0"
        cname = 5
        self.upstream.script = lambda asked: reply_to(
            asked, rr(cname, longest[:-2] + b"p\0"), rr(A, ADDRESS, owner=longest[:-2] + b"p\0")
        )
        for transport in STREAMS:
            found = self.ask(transport, query(longest))
            self.assertEqual(found.rdata(cname), [longest[:-2] + b"p\0"])
            self.assertEqual(found.rdata(A), [ADDRESS])
        too_long = (b"\x3f" + b"n" * 63) * 3 + b"\x3e" + b"o" * 62 + b"\0"
        self.upstream.script = lambda asked: reply_to(asked, rr(cname, too_long))
        found = self.ask("tcp", query("longer.zone.example"))
        self.assertEqual(found.rcode, SERVFAIL)


if __name__ == "__main__":
    unittest.main()
