"""An upstream that does as a test tells it: it records every query and answers by a script, with
lies if asked to. UDP, TCP and TLS on the loopback, in a thread of its own."""

import asyncio
import contextlib
import dataclasses
import functools
import socket
import struct
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.rrset

from certificates import NAME
from harness import Ports, until
from messages import opt_record, read

SILENCE = None
HOLD = object()  # what a script gives to keep a query until release()


@dataclasses.dataclass(frozen=True)
class Asked:
    """A query as it came in."""

    at: float  # monotonic
    transport: str
    client: tuple
    connection: int  # counts TCP and TLS connections from 1; 0 over UDP
    wire: bytes

    @functools.cached_property
    def read(self):
        return read(self.wire)

    @functools.cached_property
    def message(self):
        return dns.message.from_wire(self.wire)

    @property
    def number(self):
        return self.wire[0] << 8 | self.wire[1]

    @property
    def name(self):
        """In text, lower case, without the final dot."""
        return self.message.question[0].name.to_text(omit_final_dot=True).lower()

    @property
    def rdtype(self):
        return int(self.message.question[0].rdtype)


@dataclasses.dataclass(frozen=True)
class Reply:
    """`wire` after a pause, from another port if wanted (UDP), and perhaps the connection's end."""

    wire: bytes | None
    after: float = 0.0  # seconds
    from_other_port: bool = False
    then_close: bool = False


CLOSE = Reply(None, then_close=True)


def answer(asked, *records, rcode=0, authority=(), additional=(), flags=dns.flags.RA, ede=None):
    """The reply to `asked` with records as in a zone file: "www.zone.example. 300 IN A 192.0.2.1"."""
    reply = dns.message.make_response(asked.message, recursion_available=True)
    reply.flags |= flags
    reply.set_rcode(rcode)
    for section, lines in (
        (reply.answer, records),
        (reply.authority, authority),
        (reply.additional, additional),
    ):
        section.extend(record(line) for line in lines)
    if ede is not None and asked.message.edns >= 0:
        reply.use_edns(0, payload=1232, options=[dns.edns.EDEOption(ede, "said the upstream")])
    return reply.to_wire(max_size=65535)


def record(line):
    owner, ttl, rdclass, rdtype, rdata = line.split(None, 4)
    return dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, rdata)


def address(asked, ttl=300, last=1):
    """The usual good answer: an address for whatever name was asked. Made by hand, to be quick."""
    size = 12
    while asked.wire[size]:
        size += asked.wire[size] + 1
    question = asked.wire[12 : size + 5]
    flags = 0x8080 | int.from_bytes(asked.wire[2:4]) & 0x0110  # QR, RA; RD and CD as asked
    edns = asked.wire[11] != 0
    header = asked.wire[:2] + struct.pack("!HHHHH", flags, 1, 1, 0, edns)
    record = struct.pack("!HHHIH4B", 0xC00C, 1, 1, ttl, 4, 192, 0, 2, last)
    return header + question + record + (opt_record() if edns else b"")


def nodata(
    asked, soa="zone.example. 600 IN SOA ns.zone.example. h.zone.example. 1 2 3 4 60", rcode=0
):
    return answer(asked, rcode=rcode, authority=[soa] if soa else [])


def nxdomain(asked, soa="zone.example. 600 IN SOA ns.zone.example. h.zone.example. 1 2 3 4 60"):
    return nodata(asked, soa, rcode=3)


class Lie:
    """What a forger, or a broken server, makes of a good reply."""

    @staticmethod
    def wrong_id(wire):
        return bytes([wire[0] ^ 0x55, wire[1]]) + wire[2:]

    @staticmethod
    def other_name(wire):
        """The first letter of the question is another."""
        return wire[:13] + bytes([wire[13] ^ 1]) + wire[14:]

    @staticmethod
    def other_case(wire):
        """Every letter of the question's first label in the other case."""
        size = wire[12]
        return wire[:13] + wire[13 : 13 + size].swapcase() + wire[13 + size :]

    @staticmethod
    def other_type(wire):
        end = 12
        while wire[end]:
            end += wire[end] + 1
        return wire[: end + 1] + struct.pack("!H", 99) + wire[end + 3 :]

    @staticmethod
    def query_not_reply(wire):
        return wire[:2] + bytes([wire[2] & 0x7F]) + wire[3:]

    @staticmethod
    def cut_short(wire):
        return wire[:-3]

    @staticmethod
    def trailing_octets(wire):
        return wire + b"\0\0\0"

    @staticmethod
    def counts_too_high(wire):
        return wire[:6] + b"\xff\xff" + wire[8:]

    @staticmethod
    def truncated(wire):
        """TC and nothing behind the question."""
        end = 12
        while wire[end]:
            end += wire[end] + 1
        return (
            wire[:2] + bytes([wire[2] | 2]) + wire[3:4] + b"\0\1\0\0\0\0\0\0" + wire[12 : end + 5]
        )


class FakeUpstream:
    """`script(asked)` gives octets, a Reply, a list of them, SILENCE or HOLD; it may be exchanged at
    any time."""

    def __init__(self, script=address, *, identity=None, host="127.0.0.1"):
        self.script = script
        self.host = host
        self._context = identity.server_context() if identity else None
        self._asked, self._held = [], []
        self._failure = None  # of a script
        self._ports = Ports()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers, self._datagrams, self._writers = [], None, set()
        self.connections = 0
        self.handshakes_hang = False
        self.port = self.tls_port = 0

    # What a test sees.

    def url(self, scheme="udp", name=NAME):
        return (
            f"tls://{self.host}:{self.tls_port}#{name}"
            if scheme == "tls"
            else f"{scheme}://{self.host}:{self.port}"
        )

    @property
    def asked(self):
        return list(self._asked)

    def count(self, name=None, rdtype=None):
        return len(
            [one for one in self.asked if name in (None, one.name) and rdtype in (None, one.rdtype)]
        )

    def release(self, script=address):
        """Answers what was held."""
        held, self._held = self._held, []
        for asked, send in held:
            self._loop.call_soon_threadsafe(self._give, asked, send, script)

    def forget(self):
        self._asked.clear()

    def wait_for(self, count, name=None, seconds=None):
        until(lambda: self.count(name) >= count, f"{count} queries at the upstream", seconds)

    def __enter__(self):
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_):
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._ports.__exit__()
        if self._failure:
            raise AssertionError("a script failed") from self._failure

    def listen(self):
        """Serves, on the same ports as before if it had any."""
        self._call(self._listen())

    def refuse(self):
        """Closes everything: connections end, ports refuse."""
        self._call(self._close())

    # Its own thread.

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _listen(self):
        self.port = self.port or self._ports.take(self.host)
        self.tls_port = self.tls_port or self._ports.take(self.host)
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        datagrams.bind((self.host, self.port))
        self._datagrams, _ = await self._loop.create_datagram_endpoint(
            lambda: Datagrams(self), sock=datagrams
        )
        self._servers = [
            await asyncio.start_server(functools.partial(self._serve, "tcp"), self.host, self.port)
        ]
        if self._context:
            self._servers.append(await asyncio.start_server(self._tls, self.host, self.tls_port))

    async def _close(self):
        if self._datagrams:
            self._datagrams.close()
        for server in self._servers:
            server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        self._servers, self._datagrams = [], None
        await asyncio.sleep(0)

    async def _tls(self, reader, writer):
        if self.handshakes_hang:
            self._writers.add(writer)
            return
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await writer.start_tls(self._context)
            await self._serve("tls", reader, writer)
        writer.transport.abort()

    async def _serve(self, transport, reader, writer):
        self.connections += 1
        connection = self.connections
        self._writers.add(writer)
        client = writer.get_extra_info("peername")
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2))
                asked = Asked(
                    time.monotonic(), transport, client, connection, await reader.readexactly(size)
                )
                self._take(asked, functools.partial(self._send_stream, writer))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    def _send_stream(self, writer, reply):
        if reply.wire is not None and not writer.is_closing():
            writer.write(struct.pack("!H", len(reply.wire)) + reply.wire)
        if reply.then_close:
            writer.close()

    def _take(self, asked, send):
        self._asked.append(asked)
        self._give(asked, send, self.script)

    def _give(self, asked, send, script):
        try:
            replies = script(asked)
        except Exception as error:  # a mistake of the test's: told at its end
            self._failure = error
            return
        for reply in replies if isinstance(replies, (list, tuple)) else [replies]:
            if reply is HOLD:
                self._held.append((asked, send))
            elif reply is not SILENCE:
                reply = Reply(reply) if isinstance(reply, bytes) else reply
                self._loop.call_later(reply.after, send, reply) if reply.after else send(reply)


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, upstream):
        self.upstream = upstream

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, client):
        asked = Asked(time.monotonic(), "udp", client, 0, data)
        self.upstream._take(asked, functools.partial(self._send, client))

    def _send(self, client, reply):
        if reply.wire is None:
            return
        if reply.from_other_port:
            with socket.socket(
                socket.AF_INET6 if ":" in client[0] else socket.AF_INET, socket.SOCK_DGRAM
            ) as other:
                other.sendto(reply.wire, client)
        elif not self.transport.is_closing():
            self.transport.sendto(reply.wire, client)
