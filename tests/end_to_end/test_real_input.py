"""The gateway against real servers: every answer is the one that the upstream itself gives.

A zone of 100,000 names of all kinds is served by Knot DNS, and by Unbound in front of it; 200,000
queries go through our UDP, TCP, DoT and DoH listeners, by GET and by POST, to each of them over UDP,
TCP, DoT and DoH, and through a second gateway of ours over DoQ and HTTP/3. None may be lost, none may differ from what the same upstream answers when asked
directly; nor when the upstream ends its connections all the time and our certificate is replaced.
"""

import collections
import contextlib
import itertools
import ssl
import sys
import threading
import time
import unittest

from big_zone import KINDS, ZONE, BigZone
from certificates import Authority
from clients import ask_many, connect
from gateway import Sallyport
from goaway_server import GoawayServer
from harness import PATIENCE, QUICK, EndToEndTest, temporary_folder
from messages import AD, CD, QR, RA, RD, TC, Z, parsed_by_dnspython, read
from peers import Knot, Unbound
from rfc import question_of

QUERIES = 40_000 if QUICK else 200_000
GOAWAY_EVERY = 100 if QUICK else 1_000
LISTENERS = ("udp", "tcp", "tls", "https", "https-get")
UPSTREAMS = (
    *itertools.product(("knotd", "unbound"), ("udp", "tcp", "tls")),
    ("unbound", "https"),
    ("knotd", "quic"),
    ("knotd", "h3"),
)
OURS = ("quic", "h3")  # over which a gateway of ours, behind which it is asked over TCP, is asked
UDP_SIZE = 1232  # the gateway's most, [limits] udp_size


def payload_limit(wire):
    """How large a UDP answer to this query may be: by its OPT, the last 11 octets, if any."""
    if wire[11] == 0:
        return 512
    return max(512, min(UDP_SIZE, int.from_bytes(wire[-8:-6])))


class Truth:
    """What one upstream answers when asked directly over one transport."""

    def __init__(self, upstream, scheme):
        # One flow: Knot's worker stands still while a fresh TLS connection has not asked anything.
        self._flow = connect(scheme, upstream.address(scheme))
        self._tcp = None if scheme != "udp" else connect("tcp", upstream.address("tcp"))
        self._answers = {}
        self.wires = {}
        self._most = {}  # RRset -> TTL
        self._began = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._flow.close()
        if self._tcp:
            self._tcp.close()

    def learn(self, keyed):
        """Asks for all of {key: wire}; over UDP what is truncated again over TCP."""
        wires, truncated = {}, {}
        began = time.monotonic()

        def take(_, key, sent, reply):
            if reply[2] & (TC >> 8):
                truncated[key] = sent
            else:
                wires[key] = reply

        lost = ask_many([(self._flow, iter(keyed.items()))], take)
        if truncated:
            lost += ask_many([(self._tcp, iter(truncated.items()))], take)
        if lost:
            raise AssertionError(f"the upstream itself lost {len(lost)} queries, such as {lost[0]}")
        self.wires = wires
        self._answers = {key: (read(wire), len(wire)) for key, wire in wires.items()}
        for answer, _ in self._answers.values():
            for (_, *rrset), ttl in answer.ttls.items():
                self._most[tuple(rrset)] = max(self._most.get(tuple(rrset), 0), ttl)
        self._began = began

    def most_ttl(self, rrset):
        """What was seen of an RRset. Of one that many answers of a cache share (a zone's SOA) each
        tells what is left of it since the last of them came."""
        return self._most[rrset]

    def age(self):
        """Seconds since the first question, at most; each of two caches rounds to whole ones."""
        return time.monotonic() - self._began + 3

    def __getitem__(self, key):
        return self._answers[key]


class Comparison:
    """Holds answers of the gateway against the truth. An answer that says again what an equal
    question was told, in the same octets but for id and TTLs, is not parsed again."""

    def __init__(self, truth):
        self.truth = truth
        self.differences = []
        self.truncated = []  # (key, wire), to be asked again over TCP
        self.compared = collections.Counter()
        self._seen = {}  # key -> [(octets with TTLs blanked, TTL offsets, TTLs at most)]

    def take(self, flow, key, sent, reply):
        self.compared[flow.transport] += 1
        if flow.transport == "udp" and reply[2] & (TC >> 8):
            why = self._wrongly_truncated(key, sent, reply)
            self.truncated.append((key, sent))
        else:
            why = None if self._is_known(key, reply) else self._wrong(flow, key, sent, reply)
        if why:
            self._differ(flow, key, why, reply)

    def _differ(self, flow, key, why, reply):
        self.differences.append(
            f"{flow.transport} {key}: {why}\n  ours: {reply[:300].hex()}\n{self.truth[key][0]}"
        )

    def _is_known(self, key, reply):
        """Whether an answer of the same octets, but for id and higher TTLs, was found right."""
        for octets, offsets, ttls in self._seen.get(key, ()):
            if len(octets) != len(reply):
                continue
            blank = bytearray(reply)
            blank[:2] = b"\0\0"
            for offset, most in zip(offsets, ttls):
                if int.from_bytes(blank[offset : offset + 4]) > most:
                    break
                blank[offset : offset + 4] = b"\0\0\0\0"
            else:
                if blank == octets:
                    return True
        return False

    def _remember(self, key, reply, answer):
        blank = bytearray(reply)
        blank[:2] = b"\0\0"
        ttls = [int.from_bytes(blank[offset : offset + 4]) for offset in answer.ttl_offsets]
        for offset in answer.ttl_offsets:
            blank[offset : offset + 4] = b"\0\0\0\0"
        self._seen.setdefault(key, []).append((blank, answer.ttl_offsets, ttls))

    def _wrong(self, flow, key, sent, reply):
        """Why this answer is not the upstream's, or None."""
        truth, _ = self.truth[key]
        try:
            ours = read(reply)
        except (ValueError, IndexError) as error:
            return f"not a message: {error!r}"
        wanted_flags = QR | RA | (sent[2] << 8 | sent[3]) & (RD | CD)
        if ours.flags & (QR | RA | RD | CD | Z | TC | 0x7800) != wanted_flags:
            return f"flags {ours.flags:04x}"
        if (ours.flags ^ truth.flags) & AD:
            return "AD differs"
        if ours.rcode != truth.rcode:
            return f"rcode {ours.rcode}, directly {truth.rcode}"
        if reply[12 : 12 + len(ours.question[0]) + 4] != sent[12 : 12 + len(ours.question[0]) + 4]:
            return "the question is not as it was asked"
        if ours.sections != truth.sections:
            return f"records differ\n{ours}"
        for (_, *rrset), ttl in ours.ttls.items():
            if ttl > self.truth.most_ttl(tuple(rrset)):
                return f"TTL {ttl} of {rrset}, directly {self.truth.most_ttl(tuple(rrset))}"
        # It may be lower, but the answer does not end earlier for it.
        if ours.ttls and ours.least_ttl + self.truth.age() < truth.least_ttl:
            return f"least TTL {ours.least_ttl}, directly {truth.least_ttl}"
        if (ours.edns is None) != (sent[11] == 0):
            return "EDNS in the answer does not go by the query's"
        if ours.edns and (ours.edns[1] != 0 or (ours.edns[2] & 0x8000) != (sent[-4] << 8 & 0x8000)):
            return f"EDNS version or DO: {ours.edns}"
        if flow.transport == "udp" and len(reply) > payload_limit(sent):
            return f"{len(reply)} octets over UDP"
        self._remember(key, reply, ours)
        return None

    def _wrongly_truncated(self, key, sent, reply):
        truth, size = self.truth[key]
        answer = read(reply)
        if size <= payload_limit(sent):
            return f"truncated, and the whole answer has {size} octets"
        if any(answer.sections) or answer.rcode != truth.rcode or len(reply) > payload_limit(sent):
            return "truncated in another way than to nothing"
        return None


class Certificate:
    """The gateway's own, in files that are replaced while it runs."""

    def __init__(self, authority, folder):
        self._authority = authority
        self._chain, self._key = folder / "own.crt", folder / "own.key"
        self.table = {"chain_file": self._chain, "key_file": self._key}
        self.replaced = 0
        self._write()

    def _write(self):
        made = self._authority.issue()
        self._chain.write_bytes(made.chain_file.read_bytes())
        self._key.write_bytes(made.key_file.read_bytes())

    def replace(self, gateway):
        self._write()
        done = gateway.reload()
        if done.returncode != 0:
            raise AssertionError(f"reload: {done.stdout} {done.stderr}")
        self.replaced += 1

    def shown(self):
        return ssl.PEM_cert_to_DER_cert(self._chain.read_text())


class Swapping(Comparison):
    """Calls `swap` on a thread of its own when a third and when two thirds have been answered."""

    def __init__(self, truth, count, swap):
        super().__init__(truth)
        self._swap = swap
        self._at = [count // 3, count * 2 // 3]
        self._taken = 0
        self._threads = []

    def take(self, flow, key, sent, reply):
        super().take(flow, key, sent, reply)
        self._taken += 1
        if self._at and self._taken >= self._at[0]:
            self._at.pop(0)
            self._threads.append(threading.Thread(target=self._swap, daemon=True))
            self._threads[-1].start()

    def finish(self):
        for thread in self._threads:
            thread.join(PATIENCE)


class RealInput(EndToEndTest):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(temporary_folder())
        cls.zone = BigZone()
        cls.authority = Authority(folder)
        identity = cls.authority.issue()
        knot = cls.enterClassContext(Knot(folder, identity, cls.zone.write(folder)))
        unbound = cls.enterClassContext(Unbound(folder, identity, knot, ZONE))
        cls.upstreams = {"knotd": knot, "unbound": unbound}

    def test_every_answer_is_the_upstreams_own(self):
        began = time.monotonic()
        share = QUERIES // len(UPSTREAMS)
        queries = self.zone.queries(share * len(UPSTREAMS))
        kinds, compared = collections.Counter(), collections.Counter()
        for server, scheme in UPSTREAMS:
            work = list(itertools.islice(queries, share))
            kinds.update(key[0] for key, _ in work)
            with self.subTest(upstream=server, scheme=scheme):
                compared.update(self.compare(self.upstreams[server], scheme, work))
        self.assertEqual(sum(compared.values()), share * len(UPSTREAMS))
        wanted = {kind.__name__ for kind in KINDS} | {
            "no data",
            "no such name",
            "apex",
            "name servers",
            "below a child",
        }
        self.assertEqual(wanted - set(kinds), set(), "kinds of which nothing was asked")
        print(
            f"{dict(compared)} answers over our listeners, {len(kinds)} kinds of question; "
            f"{time.monotonic() - began:.1f} s",
            file=sys.stderr,
        )

    def compare(self, upstream, scheme, work):
        """Asks `work` of a gateway in front of that upstream, as much over each listener."""
        direct = "tcp" if scheme in OURS else scheme
        with Truth(upstream, direct) as truth, contextlib.ExitStack() as stack:
            truth.learn(dict(work))
            comparison = Comparison(truth)
            trust = {"ca_file": self.authority.file} if scheme in ("tls", "https") else {}
            # Neither a busy machine nor a sanitizer's slowness is to look like a lost answer.
            limits = {"query_timeout": "25s"}
            upstreams = [{"url": upstream.url(direct), "timeout": "10s", **trust}]
            if scheme in OURS:
                folder = stack.enter_context(temporary_folder())
                inner = stack.enter_context(
                    Sallyport(folder, upstreams, listen=("udp", scheme), limits=limits)
                )
                url = f"{scheme}://127.0.0.1:{inner.address(scheme)[1]}"
                upstreams = [{"url": url, "timeout": "10s", "ca_file": inner.authority}]
            folder = stack.enter_context(temporary_folder())
            with Sallyport(folder, upstreams, limits=limits) as gateway:
                self.ask(gateway.address, gateway.authority, work, comparison)
            return comparison.compared

    def ask(self, address, authority, work, comparison):
        """`address(transport)` says where the listeners are."""
        flows = [
            connect(transport, address(transport), authority)
            for transport in LISTENERS
            for _ in range(4)
        ]
        try:
            lost = ask_many(
                [(flow, iter(work[n :: len(flows)])) for n, flow in enumerate(flows)],
                comparison.take,
                window=24,
            )
            again, comparison.truncated = comparison.truncated, []
            counts = collections.Counter(comparison.compared)
            lost += ask_many([(flows[4], iter(again))], comparison.take)
            comparison.compared = counts
        finally:
            for flow in flows:
                flow.close()
        self.assertEqual(lost, [], f"{len(lost)} queries were never answered")
        self.assertEqual(
            comparison.differences[:3], [], f"{len(comparison.differences)} answers differ"
        )

    def test_while_the_upstream_goes_away_and_our_certificate_changes(self):
        """GOAWAY every so many queries, and two new certificates while queries are under way."""
        work = list(self.zone.queries(QUERIES // len(UPSTREAMS)))
        with Truth(self.upstreams["knotd"], "tcp") as truth, temporary_folder() as folder:
            truth.learn(dict(work))
            answers = {question_of(wire).lower(): wire for wire in truth.wires.values()}

            def answer(question):
                wire = answers[question.lower()]
                return b"\0\0" + wire[2:12] + question + wire[12 + len(question) :]

            upstream = self.enter(GoawayServer(answer, self.authority.issue(), GOAWAY_EVERY))
            certificate = Certificate(self.authority, folder)
            with Sallyport(
                folder,
                [{"url": upstream.url(), "ca_file": self.authority.file, "timeout": "10s"}],
                limits={"query_timeout": "25s"},
                certificate=[certificate.table],
            ) as gateway:
                comparison = Swapping(truth, len(work), lambda: certificate.replace(gateway))
                for part in range(3):  # each over connections of its own
                    self.ask(gateway.address, self.authority.file, work[part::3], comparison)
                comparison.finish()
                with connect("https", gateway.address("https"), self.authority.file) as flow:
                    shown = flow.tls.getpeercert(binary_form=True)
                self.assertEqual(shown, certificate.shown())
                asked = gateway.metrics().total("sallyport_upstream_queries_total")
        self.assertEqual(sum(comparison.compared.values()), len(work))
        self.assertEqual(certificate.replaced, 2)
        self.assertGreaterEqual(upstream.goaways, asked // GOAWAY_EVERY - 10)
        self.assertGreater(upstream.goaways, 2)

    def test_reader_agrees_with_dnspython(self):
        """The comparison's own reader must not be what finds everything equal."""
        seen = {}
        for key, wire in self.zone.queries(4_000):
            seen.setdefault(key[0], {})[key] = wire
        sample = {
            key: wire
            for of_kind in seen.values()
            for key, wire in itertools.islice(of_kind.items(), 25)
        }
        replies = {}
        with connect("tcp", self.upstreams["knotd"].address("tcp")) as flow:
            lost = ask_many(
                [(flow, iter(sample.items()))],
                lambda _, key, __, reply: replies.__setitem__(key, reply),
            )
        self.assertEqual(lost, [])
        for key, reply in replies.items():
            answer = read(reply)
            self.assertEqual((answer.rcode, answer.sections), parsed_by_dnspython(reply), key)


if __name__ == "__main__":
    unittest.main()
