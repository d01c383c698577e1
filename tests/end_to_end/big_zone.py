"""A zone of 100,000 names of all kinds, and what a client population asks of it.

Every name has a kind; a kind says which records it has and which questions are worth asking of it.
All from one seed: two runs see the same zone and the same questions.
"""

import itertools
import random

from messages import A, AAAA, CNAME, DNAME, HTTPS, MX, NS, PTR, SOA, SRV, TXT, query, to_wire

ZONE = "zone.example"
CAA, NAPTR, UNKNOWN = 257, 35, 65280
CHILD_ZONES = 200
TTLS = (3600, 7200, 14400, 43200, 86400)
SOA_TEXT = "SOA ns1 hostmaster 1 3600 600 864000 3600\n"


def address(i):
    return f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"


def strings(i, count, size, tag):
    """`count` TXT strings of `size` octets, all different."""
    return [f'"{f"{tag}{i}-{n}-":x<{size}}"' for n in range(count)]


# One function for each kind: (zone text, [(owner, type), ...]) of name number i.
def plain_address(i):
    text = "".join(f"n{i} {TTLS[i % 5]} A {address(i * 4 + n)}\n" for n in range(1 + i % 4))
    return text + f"n{i} {TTLS[i % 5]} AAAA fd00::{i >> 16:x}:{i & 65535:x}\n", [
        (f"n{i}", A),
        (f"n{i}", AAAA),
    ]


def cname_chain(i):
    links = [f"n{i}"] + [f"c{n}.n{i}" for n in range(1, 1 + i % 6)]
    text = "".join(
        f"{owner} {TTLS[n % 5]} CNAME {target}\n"
        for n, (owner, target) in enumerate(itertools.pairwise(links + [f"end.n{i}"]))
    )
    return (
        text + f"end.n{i} A {address(i)}\nend.n{i} AAAA fd00::1:{i & 65535:x}\n",
        [(f"n{i}", A), (f"n{i}", AAAA), (f"n{i}", CNAME), (f"n{i}", MX)],
    )


def cname_to_nothing(i):
    return f"n{i} CNAME nowhere.n{i}\n", [(f"n{i}", A), (f"n{i}", CNAME)]


def mail(i):
    return (
        f"n{i} MX 10 mx1.n{i}\nn{i} MX 20 mx2.n{i}\n"
        f"mx1.n{i} A {address(i)}\nmx2.n{i} AAAA fd00::2:{i & 65535:x}\n",
        [(f"n{i}", MX), (f"mx1.n{i}", A)],
    )


def text_record(i):
    return "".join(f"n{i} TXT {string}\n" for string in strings(i, 1 + i % 3, 20 + i % 180, "t")), [
        (f"n{i}", TXT)
    ]


def service(i):
    return (
        f"_imaps._tcp.n{i} SRV 0 1 993 host.n{i}\n_imaps._tcp.n{i} SRV 10 1 993 n{(i + 1) % 1000}\n"
        f"host.n{i} A {address(i)}\n",
        [(f"_imaps._tcp.n{i}", SRV), (f"_tcp.n{i}", SRV)],
    )


def https(i):
    return (
        f"n{i} HTTPS 1 . alpn=h2,h3 ipv4hint={address(i)} ipv6hint=fd00::3:{i & 65535:x}\n"
        f"n{i} HTTPS 2 svc.n{i} port=8443\nn{i} A {address(i)}\n",
        [(f"n{i}", HTTPS), (f"n{i}", A)],
    )


def unknown_type(i):
    return f"n{i} TYPE{UNKNOWN} \\# 6 {i:08x}c00c\n", [(f"n{i}", UNKNOWN)]


def pointer(i):
    return f"n{i} PTR host{i}.elsewhere.example.\n", [(f"n{i}", PTR)]


def rare_types(i):
    return (
        f'n{i} CAA 0 issue "ca{i}.example"\n'
        f'n{i} NAPTR 1 1 "u" "E2U+sip" "!^.*$!sip:a@b.example!" .\n',
        [(f"n{i}", CAA), (f"n{i}", NAPTR)],
    )


def odd_name(i):
    owner = (
        f"a\\.dot.n{i}",
        f"nul\\000x.n{i}",
        f"high\\255.n{i}",
        f"sp\\032ace.n{i}",
        f"{'l' * 63}.n{i}",
        ".".join(["y" * 62] * 3) + f".n{i}",
        f"under_score-.n{i}",
        f"\\@\\$.n{i}",
    )[i % 8]
    return f"{owner} A {address(i)}\n", [(owner, A), (owner, TXT)]


def wildcard(i):
    return f'*.n{i} TXT "wild {i}"\n', [
        (f"any{i % 7}.n{i}", TXT),
        (f"deep.er{i % 3}.n{i}", TXT),
        (f"any.n{i}", A),
    ]


def redirected_tree(i):
    return (
        f"n{i} DNAME tree{i}\nleaf.tree{i} A {address(i)}\n",
        [(f"leaf.n{i}", A), (f"n{i}", DNAME), (f"absent.n{i}", A)],
    )


def answer_of_3_kb(i):
    return "".join(f"n{i} TXT {string}\n" for string in strings(i, 12, 240, "m")), [(f"n{i}", TXT)]


def answer_of_60_kb(i):
    long = strings(i, 240, 250, "g")
    return (
        "".join(f"n{i} TXT {' '.join(long[n : n + 4])}\n" for n in range(0, 240, 4)),
        [(f"n{i}", TXT)],
    )


# How many names of each kind; together 100,000.
KINDS = {
    plain_address: 49_180,
    cname_chain: 10_000,
    cname_to_nothing: 1_000,
    mail: 7_000,
    text_record: 8_000,
    service: 6_000,
    https: 6_000,
    unknown_type: 4_000,
    pointer: 3_000,
    rare_types: 2_000,
    odd_name: 2_000,
    wildcard: 1_000,
    redirected_tree: 600,
    answer_of_3_kb: 200,
    answer_of_60_kb: 20,
}


class BigZone:
    """The zone's files, and the questions. A question's kind is a word: a key of `kinds_asked`."""

    def __init__(self, seed=2181, names=100_000):
        self._random = random.Random(seed)
        kinds = [kind for kind, count in KINDS.items() for _ in range(count * names // 100_000)]
        self._random.shuffle(kinds)
        self.kinds = kinds
        # Popularity is another order than the numbers; the largest answers stand where they are
        # asked now and then.
        ranks = list(range(len(kinds)))
        self._random.shuffle(ranks)
        huge = [i for i in ranks if kinds[i] is answer_of_60_kb]
        for n, i in enumerate(huge):
            rank, place = ranks.index(i), 300 + 100 * n
            ranks[rank], ranks[place] = ranks[place], i
        self._ranks = ranks
        self._weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(ranks))))
        self._questions = {}

    def write(self, folder):
        """Writes all zone files; gives what Knot wants to hear of them."""
        with open(folder / "zone", "w") as file:
            file.write(
                f"$ORIGIN {ZONE}.\n$TTL 3600\n@ {SOA_TEXT}@ NS ns1\n@ NS ns2\n"
                "ns1 A 10.255.0.1\nns2 A 10.255.0.2\n"
            )
            for i, kind in enumerate(self.kinds):
                file.write(kind(i)[0])
            for n in range(CHILD_ZONES):
                file.write(f"child{n} NS ns1.child{n}\nns1.child{n} A 10.254.{n}.1\n")
        zones = [(ZONE, folder / "zone")]
        for n in range(CHILD_ZONES):
            name = f"child{n}.{ZONE}"
            with open(folder / name, "w") as file:
                file.write(
                    f"$ORIGIN {name}.\n$TTL 7200\n@ {SOA_TEXT}@ NS ns1\n@ NS ns2\n"
                    f"ns1 A 10.254.{n}.1\n"
                    f"ns2 AAAA fd00::4:{n:x}\nwww A 10.253.{n}.1\n"
                )
            zones.append((name, folder / name))
        return zones

    def question(self, i, draw):
        """One question about name i; `draw` in [0, 1) chooses it: (kind in words, owner, type)."""
        kind = self.kinds[i]
        known = kind(i)[1]
        if draw < 0.80:
            return (kind.__name__, *known[int(draw * 1000) % len(known)])
        if draw < 0.87:
            return ("no data", known[0][0], SOA if draw < 0.83 else 99)
        if draw < 0.94:
            return ("no such name", f"no{i % 1000}.such{i % 17}", A)
        if draw < 0.95:
            return ("apex", "@", (SOA, NS)[i & 1])
        owner = f"child{i % CHILD_ZONES}"
        return ("name servers", owner, NS) if draw < 0.98 else ("below a child", f"www.{owner}", A)

    def wire_of(self, owner, rdtype, variant, mixed_case):
        """The query's octets. Variant: most clients send EDNS 1232; some none, 4096, or DO."""
        name = to_wire(ZONE if owner == "@" else f"{owner}.{ZONE}")
        if mixed_case:
            name = bytes(c ^ 32 if 97 <= c <= 122 and n % 3 == 1 else c for n, c in enumerate(name))
        return query(
            name, rdtype, edns={0: None, 1: 4096}.get(variant, 1232), dnssec_ok=variant == 2
        )

    def queries(self, count):
        """`count` of (key, wire), drawn by Zipf's law. A key is
        (kind, owner, type, variant, mixed case)."""
        drawn = self._random.choices(self._ranks, cum_weights=self._weights, k=count)
        for i in drawn:
            kind, owner, rdtype = self.question(i, self._random.random())
            # By the question, not the asking: the same question comes in the same two spellings.
            variant = min((i * 7 + rdtype) % 20, 3)
            mixed_case = self._random.random() < 0.1
            key = (kind, owner, rdtype, variant, mixed_case)
            wire = self._questions.get(key)
            if wire is None:
                wire = self._questions[key] = self.wire_of(owner, rdtype, variant, mixed_case)
            yield key, wire
