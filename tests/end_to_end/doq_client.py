"""A DoQ client of one connection by hand: aioquic's connection over a socket of ours, so that streams
can be used in ways that no library would. RFC 9250."""

import socket
import struct
import time

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic import events
from harness import PATIENCE, ready

NO_ERROR, INTERNAL_ERROR, PROTOCOL_ERROR, REQUEST_CANCELLED, EXCESSIVE_LOAD = range(5)


def framed(wire):
    return struct.pack("!H", len(wire)) + wire


class Ended(Exception):
    """The server closed the connection; `code` says why."""

    def __init__(self, event):
        super().__init__(f"code {event.error_code:#x}, {event.reason_phrase!r}")
        self.code = event.error_code


class DoqClient:
    """`settings` go to QuicConfiguration; `prepare` sees the connection before it connects."""

    def __init__(self, address, authority, *, alpn=("doq",), connect=True, prepare=None, **settings):
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=list(alpn) if alpn else None,
            server_name="localhost",
            **settings,
        )
        configuration.load_verify_locations(str(authority))
        self.address = address
        self.socket = self._open()
        self.tickets, self.tokens = [], []
        self.quic = QuicConnection(
            configuration=configuration,
            session_ticket_handler=self.tickets.append,
            token_handler=self.tokens.append,
        )
        if prepare:
            prepare(self.quic)
        self.streams = {}  # what has come on each
        self.finished = set()
        self.reset = {}  # stream: code
        self.stopped = {}
        self.open = False
        self.ended = None
        self.sent = self.received = 0  # octets
        self.dropping = False
        # Behind a NAT that forgets, the server learns the new port from our packets alone, and who
        # only waits for an answer has none to send (RFC 9000 §10.1.2).
        self.keep_alive = None
        self.quic.connect(address, now=time.monotonic())
        self.flush()
        if connect:
            self.until(lambda: self.open, "the handshake")

    def _open(self):
        made = socket.socket(
            socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        made.setblocking(False)
        made.bind(("::1" if ":" in self.address[0] else "127.0.0.1", 0))
        return made

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.ended:
            self.quic.close(error_code=NO_ERROR)
            self.flush()
        self.socket.close()

    def move(self):
        """Goes on from another port, as behind a NAT that forgot us."""
        self.socket.close()
        self.socket = self._open()

    def flush(self):
        for data, _ in self.quic.datagrams_to_send(now=time.monotonic()):
            self.sent += len(data)
            if not self.dropping:
                self.socket.sendto(data, self.address)

    def turn(self, seconds=0.05):
        """What comes within that time; at once when there is something."""
        timer = self.quic.get_timer()
        wait = seconds if timer is None else max(0.0, min(seconds, timer - time.monotonic()))
        ready([self.socket], seconds=wait)
        while True:
            try:
                data = self.socket.recv(65535)
            except (BlockingIOError, ConnectionRefusedError):
                break
            self.received += len(data)
            self.quic.receive_datagram(data, self.address, now=time.monotonic())
        timer = self.quic.get_timer()
        if timer is not None and timer <= time.monotonic():
            self.quic.handle_timer(now=time.monotonic())
        while (event := self.quic.next_event()) is not None:
            self._take(event)
        # aioquic tells of it when all is over with the connection, three timeouts later.
        self.ended = self.ended or self.quic._close_event
        self.flush()

    def _take(self, event):
        if isinstance(event, events.HandshakeCompleted):
            self.open = True
        elif isinstance(event, events.StreamDataReceived):
            self.streams.setdefault(event.stream_id, bytearray()).extend(event.data)
            if event.end_stream:
                self.finished.add(event.stream_id)
        elif isinstance(event, events.StreamReset):
            self.reset[event.stream_id] = event.error_code
        elif isinstance(event, events.StopSendingReceived):
            self.stopped[event.stream_id] = event.error_code
        elif isinstance(event, events.ConnectionTerminated):
            self.ended = event

    def until(self, condition, what, seconds=None):
        now = time.monotonic()
        end, ping_at = now + (seconds or PATIENCE), now + (self.keep_alive or 1e9)
        while not condition():
            if time.monotonic() > ping_at:
                self.quic.send_ping(0)
                self.flush()
                ping_at += self.keep_alive
            if self.ended:
                raise Ended(self.ended)
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}")
            self.turn()

    # Streams.

    def write(self, octets, *, stream=None, fin=False):
        """On a new stream if none is given; which one it was."""
        if stream is None:
            stream = self.quic.get_next_available_stream_id()
        self.quic.send_stream_data(stream, octets, fin)
        self.flush()
        return stream

    def send(self, wire):
        """One query, its id 0 as it must be."""
        return self.write(framed(b"\0\0" + wire[2:]), fin=True)

    def answer(self, stream, seconds=None):
        """The message that came on the stream, with the FIN behind it."""
        self.until(
            lambda: stream in self.finished or stream in self.reset, f"stream {stream}", seconds
        )
        octets = bytes(self.streams.get(stream, b""))
        if stream in self.reset or len(octets) < 2 or len(octets) != 2 + struct.unpack("!H", octets[:2])[0]:
            raise AssertionError(f"not an answer: {octets[:64]!r}, reset {self.reset.get(stream)}")
        return octets[2:]

    def ask(self, wire, seconds=None):
        return self.answer(self.send(wire), seconds)

    def end_code(self, seconds=None):
        """The code with which the server closes the connection."""
        try:
            self.until(lambda: False, "the server to close", seconds)
        except Ended as end:
            return end.code


