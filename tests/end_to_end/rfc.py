"""What the tests named after RFC sections share: one gateway for each class of them, in front of an
upstream that answers whatever is asked, and ways to say that something was not answered."""

import os
import re
import struct

from certificates import Authority
from clients import Closed
from fake_upstream import FakeUpstream, Lie
from gateway import Sallyport
from harness import PRESET, SANITIZED, EndToEndTest, temporary_folder
from messages import A, AAAA, TXT, query, read

TRANSPORTS = ("udp", "tcp", "tls", "https", "https-get")
STREAMS = ("tcp", "tls")

ADDRESS = bytes([192, 0, 2, 1])
PROBE = 0xABCD  # the id of a query that is answered at once, without an upstream


def few(count):
    """A count of repetitions, less under a sanitizer."""
    return max(1, count // 8) if SANITIZED else count


def question_of(wire):
    """The question's octets of a message that has an uncompressed one."""
    end = 12
    while wire[end]:
        end += wire[end] + 1
    return wire[12 : end + 5]


def reply_to(asked, *records, authority=(), additional=(), flags=0x8180):
    """A reply with records as octets; `asked` is what a fake upstream was asked."""
    counts = (1, len(records), len(authority), len(additional))
    return (
        asked.wire[:2]
        + struct.pack("!5H", flags, *counts)
        + question_of(asked.wire)
        + b"".join((*records, *authority, *additional))
    )


def rr(rdtype, rdata, *, ttl=300, owner=b"\xc0\x0c", rdclass=1):
    """A record's octets; its owner is the question's name if nothing else is said."""
    return owner + struct.pack("!HHIH", rdtype, rdclass, ttl, len(rdata)) + rdata


def text(size):
    """TXT rdata of exactly `size` octets."""
    whole, rest = divmod(size, 256)
    if rest == 0 and whole:
        return (b"\xff" + b"t" * 255) * whole
    return (b"\xff" + b"t" * 255) * whole + (bytes([rest - 1]) + b"t" * (rest - 1) if rest else b"")


def sized(asked, size):
    """A TXT reply without OPT of exactly `size` octets: names "s1221.…" mean such a one."""
    rest = size - 12 - len(question_of(asked.wire))
    records = []
    while rest > 0:
        # None of them larger than 60 kB, and none too small to be a record.
        part = rest if rest <= 60_000 else 30_000
        records.append(rr(TXT, text(part - 12)))
        rest -= part
    return reply_to(asked, *records)


def anything(asked):
    """An answer for every question: addresses, texts of the size that the name says, opaque rdata.
    What does not fit into a datagram is truncated."""
    whole = whole_answer(asked)
    return Lie.truncated(whole) if asked.transport == "udp" and len(whole) > 1232 else whole


def whole_answer(asked):
    question = question_of(asked.wire)
    rdtype, rdclass = struct.unpack("!HH", question[-4:])
    first = question[1 : 1 + question[0]].lower()
    if re.fullmatch(rb"s\d+", first):
        return sized(asked, int(first[1:]))
    if rdtype == A:
        rdata = ADDRESS
    elif rdtype == AAAA:
        rdata = bytes(15) + b"\1"
    elif rdtype < 128 and rdtype != TXT:
        return reply_to(asked)  # the rdata of known types has a form
    else:
        rdata = b"\4text"
    return reply_to(asked, rr(rdtype, rdata, rdclass=rdclass))


class RfcTest(EndToEndTest):
    """`settings` are the gateway's, `scheme` is how it asks its upstream."""

    settings = {}
    scheme = "udp"

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(temporary_folder())
        cls.authority = Authority(folder)
        cls.upstream = cls.enterClassContext(FakeUpstream(anything, identity=cls.authority.issue()))
        table = {"url": cls.upstream.url(cls.scheme), "timeout": "5s"}
        if cls.scheme == "tls":
            table["ca_file"] = cls.authority.file
        cls.gateway = cls.enterClassContext(Sallyport(folder, [table], **cls.settings))

    def setUp(self):
        super().setUp()
        self.upstream.script = anything
        self.upstream.forget()

    @classmethod
    def processor_seconds(cls):
        """What the gateway's threads have used so far, in user space and in the kernel."""
        with open(f"/proc/{cls.gateway.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @classmethod
    def resident(cls):
        """The gateway's memory, in octets."""
        with open(f"/proc/{cls.gateway.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def check_growth(self, octets, most):
        if PRESET == "tsan":
            most *= 4  # for its shadow
        if PRESET != "asan":  # whose quarantine keeps what was freed, by the megabyte
            self.assertLess(octets, most)

    def ask(self, transport, wire):
        """The answer to octets that are a query, read."""
        return read(self.ask_wire(transport, wire))

    def ask_wire(self, transport, wire):
        with self.gateway.connect(transport) as flow:
            return flow.ask(wire)

    def assert_rcode(self, wire, expected, **where):
        """The same over all listeners, and never from the upstream; gives the last answer."""
        for transport in TRANSPORTS:
            with self.subTest(transport=transport, **where):
                reply = self.ask_wire(transport, wire)
                found = read(reply)
                self.assertEqual(found.rcode, expected, found)
                self.assertLessEqual(len(reply), 512)
        return found

    def assert_not_answered(self, wire, **where):
        """No answer over UDP, over streams the connection's end instead of one, over HTTP a status."""
        probe = query("localhost", number=PROBE)
        with self.subTest(transport="udp", **where), self.gateway.connect("udp") as flow:
            flow.send(wire)
            # From the same port they come to the same thread in order, and this one is answered at
            # once.
            flow.send(probe)
            self.assertEqual(flow.receive()[:2], probe[:2], "answered what is no query")
        for transport in TRANSPORTS[1:]:
            with self.subTest(transport=transport, **where):
                with self.gateway.connect(transport) as flow:
                    flow.send(wire)
                    self.assertEqual(flow.wait_closed(), [], "answered what is no query")

    def answer_or_end(self, flow, wire, seconds=None):
        """The answer, or None when the server closed instead."""
        try:
            flow.send(wire)
            return flow.receive(seconds)
        except Closed:
            return None
