"""DNS messages for tests: queries made by hand, and a reader of answers that is ours alone.

The reader is quick (a hundred thousand answers are compared in a test) and independent of the
gateway's; test_real_input holds it against dnspython.
"""

import dataclasses
import struct

import dns.edns
import dns.flags
import dns.message
import dns.rdatatype

QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, DNAME, OPT, HTTPS = (
    1,
    2,
    5,
    6,
    12,
    15,
    16,
    28,
    33,
    39,
    41,
    65,
)
EDE_OPTION, COOKIE_OPTION, SUBNET_OPTION, NSID_OPTION, KEEPALIVE_OPTION, PADDING_OPTION = (
    15,
    10,
    8,
    3,
    11,
    12,
)


def to_wire(name):
    """The wire form of a name in text: dots part labels, \\DDD is an octet."""
    labels, label, i = [], bytearray(), 0
    octets = name.encode("latin-1")
    while i < len(octets):
        if octets[i : i + 1] == b"\\" and octets[i + 1 : i + 4].isdigit():
            label.append(int(octets[i + 1 : i + 4]))
            i += 4
        elif octets[i : i + 1] == b"\\":
            label.append(octets[i + 1])
            i += 2
        elif octets[i : i + 1] == b".":
            labels.append(bytes(label))
            label.clear()
            i += 1
        else:
            label.append(octets[i])
            i += 1
    if label:
        labels.append(bytes(label))
    return b"".join(bytes([len(label)]) + label for label in labels if label) + b"\0"


def option(code, value=b""):
    return struct.pack("!HH", code, len(value)) + value


def opt_record(udp_size=1232, *, dnssec_ok=False, options=b"", version=0, flags=0):
    flags |= 0x8000 if dnssec_ok else 0
    return struct.pack("!BHHBBHH", 0, OPT, udp_size, 0, version, flags, len(options)) + options


def query(
    name, rdtype=A, *, number=0, flags=RD, edns=1232, dnssec_ok=False, options=b"", rdclass=1
):
    """A query's octets. `edns` is the payload size, None for no EDNS; `name` is text or wire."""
    name = name if isinstance(name, bytes) else to_wire(name)
    additional = b"" if edns is None else opt_record(edns, dnssec_ok=dnssec_ok, options=options)
    header = struct.pack("!HHHHHH", number, flags, 1, 0, 0, 1 if additional else 0)
    return header + name + struct.pack("!HH", rdtype, rdclass) + additional


@dataclasses.dataclass
class Answer:
    """A message, read. Names are wire form in lower case, records are sets: order says nothing."""

    number: int
    flags: int
    rcode: int
    question: tuple | None  # (name as it was sent, type, class)
    sections: tuple  # of three dicts: (owner, type, class) -> frozenset of rdata
    ttls: dict  # (section, owner, type, class) -> least TTL
    ttl_offsets: list
    edns: tuple | None  # (udp size, version, flags)
    options: list  # (code, value)

    def option(self, code):
        return next((value for number, value in self.options if number == code), None)

    @property
    def ede(self):
        """The codes of extended errors (RFC 8914)."""
        return [int.from_bytes(value[:2]) for code, value in self.options if code == EDE_OPTION]

    @property
    def least_ttl(self):
        return min(self.ttls.values(), default=None)

    def rdata(self, rdtype):
        """Of the answer section, sorted."""
        return sorted(
            value
            for (_, of, _), rrset in self.sections[0].items()
            if of == rdtype
            for value in rrset
        )

    def __str__(self):
        return "\n".join(
            [
                f"rcode {self.rcode} flags {self.flags:04x} question {self.question}",
                f"options {self.options}",
            ]
            + [
                f"{name}: {key} {sorted(rrset)!r:.500}"
                for name, section in zip(("answer", "authority", "additional"), self.sections)
                for key, rrset in section.items()
            ]
        )


def read(wire):
    """Reads a message; raises ValueError or IndexError when it is not whole."""
    number, flags, questions, *counts = struct.unpack_from("!6H", wire)
    names = {}

    def name_at(at):
        """Lower-cased wire name, and where the octets after it begin."""
        known = names.get(at)
        if known:
            return known
        labels, here, after, jumps = [], at, None, 0
        while True:
            size = wire[here]
            if size >= 0xC0:
                after = after or here + 2
                here = (size & 0x3F) << 8 | wire[here + 1]
                jumps += 1
                if jumps > 127:
                    raise ValueError("compression loop")
            elif size:
                if size > 63:
                    raise ValueError("label type")
                labels.append(wire[here : here + 1 + size])
                here += 1 + size
            else:
                break
        known = (b"".join(labels).lower() + b"\0", after or here + 1)
        if len(known[0]) > 255:
            raise ValueError("name too long")
        names[at] = known
        return known

    def rdata_at(rdtype, at, end):
        if rdtype in (NS, CNAME, PTR, DNAME):
            value, after = name_at(at)
        elif rdtype == MX:
            value, after = name_at(at + 2)
            value = wire[at : at + 2] + value
        elif rdtype == SRV:
            value, after = name_at(at + 6)
            value = wire[at : at + 6] + value
        elif rdtype == SOA:
            first, after = name_at(at)
            second, after = name_at(after)
            value, after = first + second + wire[after : after + 20], after + 20
        else:
            return wire[at:end]
        if after != end:
            raise ValueError("rdata size")
        return value

    at = 12
    question = None
    if questions > 1:
        raise ValueError("several questions")
    if questions:
        after = name_at(at)[1]
        question = (wire[at:after], *struct.unpack_from("!HH", wire, after))
        at = after + 4
    sections, ttls, ttl_offsets, edns, options, rcode = ({}, {}, {}), {}, [], None, [], flags & 15
    for index, count in enumerate(counts):
        section = sections[index]
        for _ in range(count):
            owner, at = name_at(at)
            rdtype, rdclass, ttl, size = struct.unpack_from("!HHIH", wire, at)
            start, end = at + 10, at + 10 + size
            if end > len(wire):
                raise ValueError("rdata behind the end")
            if rdtype == OPT:
                if edns or index != 2 or owner != b"\0":
                    raise ValueError("OPT")
                edns = (rdclass, ttl >> 16 & 255, ttl & 0xFFFF)
                rcode |= ttl >> 24 << 4
                while start < end:
                    code, length = struct.unpack_from("!HH", wire, start)
                    if start + 4 + length > end:
                        raise ValueError("EDNS option")
                    options.append((code, wire[start + 4 : start + 4 + length]))
                    start += 4 + length
            else:
                key = (owner, rdtype, rdclass)
                section.setdefault(key, set()).add(rdata_at(rdtype, start, end))
                ttl_offsets.append(at + 4)
                place = (index, *key)
                ttls[place] = min(ttls.get(place, ttl), ttl)
            at = end
    if at != len(wire):
        raise ValueError("octets behind the last record")
    return Answer(number, flags, rcode, question, sections, ttls, ttl_offsets, edns, options)


def parsed_by_dnspython(wire):
    """The sections of an answer in read()'s form, as dnspython sees them."""
    message = dns.message.from_wire(wire)
    sections = []
    for rrsets in (message.answer, message.authority, message.additional):
        section = {}
        for rrset in rrsets:
            key = (rrset.name.to_wire().lower(), int(rrset.rdtype), int(rrset.rdclass))
            values = section.setdefault(key, set())
            for rdata in rrset:
                # Its canonical form has the names in lower case, as read() has in these types.
                values.add(
                    rdata.to_wire(origin=None)
                    if rrset.rdtype not in (NS, CNAME, PTR, DNAME, MX, SRV, SOA)
                    else rdata.to_digestable()
                )
        sections.append(section)
    return int(message.rcode()), tuple(sections)
