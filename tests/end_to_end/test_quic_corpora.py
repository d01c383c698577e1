"""QUIC and HTTP/3 that other projects collected to break servers, replayed against the listeners: as
datagrams, as frames under real keys, as what comes on streams. Connections end over it, nothing else
does. They are data beside the checkout (see test_corpora)."""

import collections
import struct
import tarfile
import unittest

from aioquic.buffer import Buffer

from doq_client import DoqClient, Ended
from messages import NOERROR, query, read
from quic_forger import SMALLEST_FIRST, Flood, FrameClient, initial, stream_frame
from rfc import RfcTest, anything
from test_corpora import CORPORA
from test_doh3 import HEADERS, Doh3Client, frame

ENCODER_STREAM = b"\2"  # RFC 9204 §4.2
ARE_THERE = unittest.skipUnless(
    (CORPORA / "ngtcp2-fuzz.tar.gz").exists(), f"no corpora at {CORPORA}"
)


def archived(archive, folder=""):
    """{name: octets} of what is there, whose names have `folder` in them."""
    with tarfile.open(CORPORA / f"{archive}.tar.gz") as found:
        return {
            member.name: found.extractfile(member).read()
            for member in found
            if member.isfile() and folder in member.name
        }


def frames_of(datagram):
    """What stands in packets with long headers that were never encrypted (RFC 9000 §17.2)."""
    frames, rest = [], datagram
    while len(rest) > 7 and rest[0] & 0x80:
        packet = Buffer(data=rest)
        try:
            first = packet.pull_uint8()
            packet.pull_uint32()
            for _ in range(2):
                packet.pull_bytes(packet.pull_uint8())
            if first & 0x30 == 0:  # Initial
                packet.pull_bytes(packet.pull_uint_var())
            size = packet.pull_uint_var()
            packet.pull_bytes(1 + (first & 3))
            size -= 1 + (first & 3)
            frames.append(packet.pull_bytes(min(size, len(rest) - packet.tell())))
        except ValueError:  # BufferReadError is one
            break
        rest = rest[packet.tell() :]
    return frames


@ARE_THERE
class Corpora(RfcTest):
    settings = {
        "listen": ("udp", "quic", "h3"),
        "limits": {
            "sessions_per_client": 5000,
            "message_timeout": "1s",
            "query_timeout": "2s",
            "handshake_timeout": "2s",
        },
    }

    def doq(self, kind=DoqClient):
        return kind(self.gateway.address("quic"), self.gateway.authority)

    def assert_all_is_well(self):
        self.assertIsNone(self.gateway.process.returncode)
        with self.doq() as client:
            wire = query("www.example", number=0)
            self.assertEqual(read(client.ask(wire)).rcode, NOERROR)
        self.assertEqual(self.gateway.metrics().total("sallyport_queries_waiting"), 0)

    def packets(self):
        """As they are, and as large as what opens a connection must be."""
        found = archived("ngtcp2-fuzz", "pkt") | archived("quicly")
        self.assertGreater(len(found), 30)
        for octets in found.values():
            yield octets[:1400]
            yield octets[:SMALLEST_FIRST].ljust(SMALLEST_FIRST, b"\0")

    def frames(self):
        """One by one, and those of the packets."""
        found = list(archived("ngtcp2-fuzz", "decode_frame").values())
        self.assertGreater(len(found), 15)
        for octets in archived("ngtcp2-fuzz", "pkt").values():
            found += frames_of(octets)
        found += archived("quicly").values()
        self.assertGreater(len(found), 50)
        return [octets[:1000] for octets in found if octets]

    def test_packets(self):
        for scheme in ("quic", "h3"):
            with Flood(self.gateway.address(scheme)) as flood:
                flood.send(self.packets())
                flood.collect()
                self.assertLessEqual(flood.received_octets, 3 * flood.sent_octets)
        self.assert_all_is_well()

    def test_frames_before_there_is_a_connection(self):
        with Flood(self.gateway.address("quic")) as flood:
            flood.send(map(initial, self.frames()))
        self.assert_all_is_well()

    def test_frames_on_a_connection(self):
        """Each on one of its own, which goes on or is closed with a code for it."""
        ends = collections.Counter()
        for octets in self.frames():
            with self.doq(FrameClient) as client:
                client.say(octets.ljust(20, b"\0"))
                client.say(b"\1" + bytes(20))
                client.write(b"\0")  # which aioquic waits to be acknowledged
                try:
                    client.until(
                        lambda: not client.quic._loss.bytes_in_flight, "an acknowledgement", 2
                    )
                    ends["goes on"] += 1
                except Ended as end:
                    ends[end.code] += 1
                except AssertionError:  # it was told ids that this client does not know
                    ends["goes elsewhere"] += 1
        print(f"frames on a connection: {dict(ends)}", flush=True)
        self.assertGreater(ends["goes on"], 1)
        self.assertLess(ends["goes elsewhere"], 4)
        self.assertGreater(ends[7], 5)  # FRAME_ENCODING_ERROR
        self.assert_all_is_well()

    def requests(self):
        """What a client said on its first stream."""
        found = archived("h2o-http3") | archived("nghttp3-fuzz", "serverreq")
        self.assertGreater(len(found), 500)
        return found.items()

    def test_http3_requests(self):
        """Each on a connection of its own, and in pieces on another: the same comes back."""
        seen = collections.Counter()
        for n, (name, octets) in enumerate(self.requests()):
            with self.subTest(name=name):
                whole = self.outcome(octets, len(octets) or 1)
                if n % 4 == 0:
                    self.assertEqual(self.outcome(octets, 5), whole)
                seen[whole] += 1
        print(f"HTTP/3 requests: {dict(seen)}", flush=True)
        self.assertLessEqual(
            {status for what, status in seen if what == "status"},
            {200, 400, 404, 405, 413, 414, 415, 431, 501},
        )
        self.assertGreater(sum(count for (what, _), count in seen.items() if what == "closed"), 50)
        self.assertGreater(seen["status", 404], 10)
        self.assert_all_is_well()

    def outcome(self, octets, piece):
        """A status, a reset or a close, each with its number."""
        with Doh3Client(self.gateway.address("h3"), self.gateway.authority) as client:
            try:
                stream = client.write(octets[:piece], fin=len(octets) <= piece)
                for at in range(piece, len(octets), piece):
                    client.write(
                        octets[at : at + piece], stream=stream, fin=at + piece >= len(octets)
                    )
                found = client.response(stream)
            except Ended as end:
                return "closed", end.code
            return ("reset", found) if isinstance(found, int) else ("status", found.status)

    def test_qpack(self):
        """An encoder's instructions and the field sections that go with them: there is no table of
        ours that it could fill (RFC 9204 §3.2.3)."""
        (octets,) = archived("nghttp3-fuzz", "qpackdecoder").values()
        sections = instructions = 0
        while len(octets) >= 12:
            stream, size = struct.unpack_from("!QI", octets)
            payload, octets = octets[12 : 12 + size], octets[12 + size :]
            with Doh3Client(self.gateway.address("h3"), self.gateway.authority) as client:
                if stream == 0:
                    instructions += 1
                    client.write(ENCODER_STREAM + payload, stream=client.one_way())
                    self.assertEqual(client.end_code(), 0x201)  # QPACK_ENCODER_STREAM_ERROR
                else:
                    sections += 1
                    try:
                        client.response(client.request(frame(HEADERS, payload)))
                    except Ended as end:
                        self.assertIn(end.code, (0x200, 0x10E), "neither of QPACK nor malformed")
        self.assertGreater(sections + instructions, 1)
        self.assert_all_is_well()


if __name__ == "__main__":
    unittest.main()
