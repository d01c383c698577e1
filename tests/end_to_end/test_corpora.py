"""Malformed messages that other projects collected, over every listener and from upstreams.

They are data beside the checkout, ../shared/corpora or SALLYPORT_CORPORA, and no part of it; where
they are absent this says so and is skipped.
"""

import collections
import os
import pathlib
import struct
import tarfile
import unittest

from clients import ask_many
from fake_upstream import Reply, address
from harness import SANITIZED, SOURCE
from messages import A, BADVERS, FORMERR, NOERROR, SERVFAIL, SUBNET_OPTION, query, read
from rfc import ADDRESS, STREAMS, TRANSPORTS, RfcTest, question_of

CORPORA = pathlib.Path(os.environ.get("SALLYPORT_CORPORA", SOURCE.parent / "shared/corpora"))
NAMED = CORPORA / "dnsproxy-formerr"
ARCHIVES = ("bind9-fuzz", "c-ares-fuzz", "pdns-fuzz")
LARGEST_DATAGRAM = 65507  # of IPv4
REPLIED = 0x80  # QR, in the third octet
ARE_THERE = unittest.skipUnless(NAMED.exists(), f"no corpora at {CORPORA}")


def archived():
    """{name: octets} of everything in the archives that fits into a message at all."""
    found = {}
    for name in ARCHIVES:
        with tarfile.open(CORPORA / f"{name}.tar.gz") as archive:
            for member in archive:
                if member.isfile() and 0 < member.size <= 65535:
                    found[member.name] = archive.extractfile(member).read()
    return found


def subnet_is_sound(value):
    """RFC 7871 §6, as far as a query goes."""
    if len(value) < 4:
        return False
    family, source, scope = struct.unpack_from("!HBB", value)
    bits = {1: 32, 2: 128}.get(family, -1)
    if source > bits or scope != 0 or len(value) - 4 != (source + 7) // 8:
        return False
    return int.from_bytes(value[4:]) & (1 << -source % 8) - 1 == 0


def numbered(octets, number):
    """The same message with another id."""
    return struct.pack("!H", number) + octets[2:]


@ARE_THERE
class NamedQueries(RfcTest):
    """54 malformed and half-malformed queries, each with the reason as its name."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lines = (NAMED / "EXPECT.tsv").read_text().splitlines()
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
        cls.classes = {row[0]: row[-1] for row in rows}
        cls.queries = {name: (NAMED / name).read_bytes() for name in cls.classes}

    def expected(self, name, wire):
        """What the standards say; None where three servers that we know do not agree."""
        if self.classes[name] == "all-FORMERR":
            return FORMERR
        if self.classes[name] == "split":
            return None
        seen = read(wire)
        if seen.edns[1] != 0:
            return BADVERS
        subnets = [value for code, value in seen.options if code == SUBNET_OPTION]
        # The three do not read this option, which others of the collection pretend to be.
        return NOERROR if all(map(subnet_is_sound, subnets)) else FORMERR

    def test_each_is_answered_alike_over_all_listeners(self):
        seen = collections.Counter()
        for name, wire in self.queries.items():
            rcodes = {}
            for transport in TRANSPORTS:
                reply = self.ask_wire(transport, wire)
                self.assertLessEqual(len(reply), 512, name)
                rcodes[transport] = read(reply).rcode
            with self.subTest(name=name):
                expected = self.expected(name, wire)
                self.assertEqual(len(set(rcodes.values())), 1, rcodes)
                self.assertIn(rcodes["udp"], (NOERROR, FORMERR) if expected is None else [expected])
            seen[expected] += 1
        self.assertEqual(sum(seen.values()), 54)
        self.assertEqual((seen[FORMERR], seen[NOERROR], seen[BADVERS]), (36, 8, 1))


@ARE_THERE
class Archives(RfcTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.messages = archived()

    def sorted_out(self):
        """What is a query, and what must not be answered."""
        queries, others = {}, {}
        for name, octets in self.messages.items():
            is_query = len(octets) >= 12 and not octets[2] & REPLIED
            (queries if is_query else others)[name] = octets
        self.assertGreater(len(queries), 150)
        self.assertGreater(len(others), 250)
        return queries, others

    def test_queries_are_answered_alike_over_all_listeners(self):
        queries, _ = self.sorted_out()
        # The id may be part of what is wrong with a message: the same over each of them.
        wires = {name: numbered(octets, n) for n, (name, octets) in enumerate(queries.items())}
        rcodes = {name: {} for name in wires}
        for transport in TRANSPORTS:
            with self.gateway.connect(transport) as flow:
                for name, wire in wires.items():
                    if transport == "udp" and len(wire) > LARGEST_DATAGRAM:
                        continue
                    with self.subTest(transport=transport, name=name):
                        reply = flow.ask(wire)
                        found = read(reply)
                        self.assertEqual(reply[:2], wire[:2])
                        rcodes[name][transport] = found.rcode
        for name, of_each in rcodes.items():
            with self.subTest(name=name):
                if len(wires[name]) <= 4096:  # longer datagrams are cut
                    self.assertEqual(len(set(of_each.values())), 1, of_each)
        self.assertEqual(sum(map(len, rcodes.values())), len(TRANSPORTS) * len(wires))

    def test_responses_and_scraps_are_not_answered(self):
        _, others = self.sorted_out()
        probe = query("localhost", number=0xABCD)
        with self.gateway.connect("udp") as flow:
            for name, octets in others.items():
                if len(octets) > LARGEST_DATAGRAM:
                    continue
                with self.subTest(name=name):
                    flow.send(octets)
                    flow.send(probe)
                    self.assertEqual(flow.receive()[:2], probe[:2])
        for transport in (*STREAMS, "https"):
            for name, octets in list(others.items())[:: 4 if SANITIZED else 1]:
                with self.subTest(transport=transport, name=name):
                    with self.gateway.connect(transport) as flow:
                        flow.send(octets)
                        self.assertEqual(flow.wait_closed(), [])
        self.assertEqual(self.upstream.count(), 0)


class FromUpstreamTest(RfcTest):
    """The corpora as what an upstream says. A message that answers another question never happened;
    with our question in front it may be anything, and clients get an answer that can be read."""

    settings = {"limits": {"query_timeout": "3s"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.messages = [octets for octets in archived().values() if len(octets) >= 12]

    def ask_all(self, script, tag):
        """One query for each message, all under way together; gives {number: answer}."""
        self.upstream.script = script
        answers = {}
        with self.gateway.connect("tcp") as flow:
            work = ((n, query(f"n{n}.{tag}.example")) for n in range(len(self.messages)))
            lost = ask_many(
                [(flow, work)],
                lambda _, n, __, reply: answers.__setitem__(n, read(reply)),
                window=90,
            )
        self.assertEqual(lost, [])
        return answers

    def number_of(self, asked):
        first = question_of(asked.wire)
        return int(first[2 : 1 + first[0]] or 0)  # a probe asks for the root

    def grafted(self, asked):
        """The message with our id and question, and its own flags and records."""
        octets = self.messages[self.number_of(asked)]
        try:
            question = question_of(octets)
        except IndexError:
            question = b""
        head = asked.wire[:2] + bytes([octets[2] | REPLIED]) + octets[3:4] + b"\0\1" + octets[6:12]
        return (head + question_of(asked.wire) + octets[12 + len(question) :])[:LARGEST_DATAGRAM]

    def check_grafted(self, schemes, tag):
        def script(asked):
            if asked.transport in schemes:
                return self.grafted(asked)
            return address(asked)

        rcodes = collections.Counter(found.rcode for found in self.ask_all(script, tag).values())
        self.assertEqual(sum(rcodes.values()), len(self.messages))
        # Some of them are good answers, others good for nothing.
        self.assertGreater(rcodes[NOERROR], 0)
        return rcodes


@ARE_THERE
class FromPlainUpstream(FromUpstreamTest):
    def test_what_answers_another_question_does_not_end_the_wait(self):
        def script(asked):
            stranger = numbered(self.messages[self.number_of(asked)], asked.number)
            true = Reply(address(asked), after=0.03)
            if asked.transport != "udp" or len(stranger) > LARGEST_DATAGRAM:
                return true
            # By chance, or as an answer without a question, it might be one to ours.
            return [stranger, true]

        rcodes = collections.Counter(
            (found.rcode, tuple(found.rdata(A))) for found in self.ask_all(script, "other").values()
        )
        right = rcodes[NOERROR, (ADDRESS,)]
        self.assertEqual(right, len(self.messages), rcodes)

    def test_with_our_question_over_udp(self):
        self.check_grafted(("udp",), "udp")

    def test_with_our_question_over_udp_and_tcp(self):
        rcodes = self.check_grafted(("udp", "tcp"), "both")
        self.assertGreater(rcodes[SERVFAIL], 0)


@ARE_THERE
class FromTlsUpstream(FromUpstreamTest):
    scheme = "tls"

    def test_with_our_question(self):
        rcodes = self.check_grafted(("tls",), "tls")
        self.assertGreater(rcodes[SERVFAIL], 0)


if __name__ == "__main__":
    unittest.main()
