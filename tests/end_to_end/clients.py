"""Clients that speak to a server through bare sockets: UDP, and TCP and DoT with many in flight."""

import contextlib
import selectors
import socket
import ssl
import struct
import time

from harness import PATIENCE, ready


class Closed(Exception):
    """The server closed the connection."""


class Flow:
    """One socket to one server. Never blocks; `ask` and `receive` wait with a deadline."""

    transport = "?"
    unsent = 0  # octets that wait for the socket

    def __init__(self, sock):
        self._socket = sock
        self._socket.setblocking(False)
        self._ready = []

    def fileno(self):
        return self._socket.fileno()

    def local(self):
        return self._socket.getsockname()

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, wire):
        """Queues or sends one message."""
        raise NotImplementedError

    def flush(self):
        """Sends what waits, as far as the socket takes it."""

    def messages(self):
        """The whole messages that have come in; raises Closed after the last of them."""
        raise NotImplementedError

    def receive(self, seconds=None):
        """The next message; fails when none comes."""
        end = time.monotonic() + (seconds or PATIENCE)
        while not self._ready:
            self._ready += self.messages()
            if self._ready:
                break
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {self.transport} answer within {seconds or PATIENCE} s")
            self._wait(min(left, 0.5))
        return self._ready.pop(0)

    def _wait(self, seconds):
        ready([self._socket], seconds=seconds)

    def ask(self, wire, seconds=None):
        """Sends one query and gives the answer with its id."""
        self.send(wire)
        end = time.monotonic() + (seconds or PATIENCE)
        while True:
            reply = self.receive(max(0.001, end - time.monotonic()))
            if reply[:2] == wire[:2]:
                return reply


class Udp(Flow):
    transport = "udp"

    def __init__(self, address):
        sock = socket.socket(
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.connect(address)
        super().__init__(sock)

    def send(self, wire):
        try:
            self._socket.send(wire)
        except BlockingIOError:
            ready([], [self._socket], PATIENCE)
            self._socket.send(wire)

    def messages(self):
        found = []
        try:
            while True:
                found.append(self._socket.recv(65535))
        except (BlockingIOError, ConnectionRefusedError):
            return found


class Stream(Flow):
    """DNS over TCP: two octets of length before each message (RFC 1035 §4.2.2)."""

    transport = "tcp"

    def __init__(self, address, seconds=None, *, source=None):
        where_from = (source, 0) if source else None
        super().__init__(socket.create_connection(address, seconds or PATIENCE, where_from))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._in = bytearray()
        self._out = bytearray()
        self._closed = False  # by the server; nothing more comes
        self._refuses = False  # what we write

    def send(self, wire):
        self.send_octets(struct.pack("!H", len(wire)) + wire)

    def send_octets(self, octets):
        self._out += octets
        self.flush()

    @property
    def unsent(self):
        return len(self._out)

    def finish(self):
        """We send no more: FIN. What comes inside TLS is still read, unlike after SSLSocket's own."""
        self.flush()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_WR)

    def flush(self):
        while self._out and not self._refuses:
            try:
                del self._out[: self._socket.send(memoryview(self._out)[:65536].tobytes())]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                # messages() tells the rest: what the server still sent, then Closed.
                self._out.clear()
                self._refuses = True

    def _wait(self, seconds):
        ready([self._socket], [self._socket] if self._out else [], seconds)
        self.flush()

    def _read(self):
        try:
            while True:
                octets = self._socket.recv(1 << 18)
                if not octets:
                    self._closed = True
                    break
                self._in += octets
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):  # an alert ends it, too
            self._closed = True

    def octets(self, seconds=0.0):
        """What has come in, or comes within that time, as it is; raises Closed after the last of it."""
        self._read()
        if not self._in and not self._closed and seconds:
            self._wait(seconds)
            self._read()
        found = bytes(self._in)
        self._in.clear()
        if self._closed and not found:
            raise Closed()
        return found

    def messages(self):
        self._read()
        found = []
        at = 0
        while len(self._in) - at >= 2:
            end = at + 2 + (self._in[at] << 8 | self._in[at + 1])
            if end > len(self._in):
                break
            found.append(bytes(self._in[at + 2 : end]))
            at = end
        del self._in[:at]
        if self._closed and not found:
            raise Closed()
        return found

    def wait_closed(self, seconds=None):
        """Fails when the server has not closed in time; what it still sends is given back."""
        end = time.monotonic() + (seconds or PATIENCE)
        found = []
        try:
            while time.monotonic() < end:
                found += self.messages()
                self._wait(0.05)
        except Closed:
            return found
        raise AssertionError(f"the {self.transport} connection stayed open")


class Dot(Stream):
    """The same inside TLS (RFC 7858). `authority` is a CA file; without it nothing is verified.
    `before` goes out in the clear, as a balancer's PROXY header does."""

    transport = "tls"

    def __init__(
        self,
        address,
        authority=None,
        name="127.0.0.1",
        *,
        alpn=("dot",),
        seconds=None,
        session=None,
        source=None,
        before=b"",
    ):
        super().__init__(address, seconds, source=source)
        self._socket.send(before)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if authority:
            context.load_verify_locations(authority)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(list(alpn))
        self._socket.settimeout(seconds or PATIENCE)
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=name, session=session)
        except BaseException:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    @property
    def tls(self):
        return self._socket

    def _wait(self, seconds):
        if self._socket.pending() == 0:
            super()._wait(seconds)


def connect(transport, address, authority=None):
    """A flow of that transport's name."""
    if transport == "udp":
        return Udp(address)
    if transport == "tcp":
        return Stream(address)
    if transport == "tls":
        return Dot(address, authority)
    from http_clients import Doh  # which stands on this module

    return Doh(address, authority, "GET" if transport == "https-get" else "POST")


def ask_many(work, on_reply, *, window=32, stalled_after=None):
    """Asks everything that is in `work`, a list of (flow, iterator of (key, wire)), over all flows
    at once with `window` queries in flight on each; calls on_reply(flow, key, sent, reply) for each
    answer. Message ids are set here. Gives the keys that were never answered, each with its flow's
    transport."""
    stalled_after = stalled_after or PATIENCE
    selector = selectors.DefaultSelector()
    states = []
    for flow, queries in work:
        state = (flow, iter(queries), {}, [0])
        states.append(state)
        selector.register(flow, selectors.EVENT_READ, state)

    def fill(state):
        flow, queries, waiting, next_id = state
        while len(waiting) < window:
            item = next(queries, None)
            if item is None:
                return
            key, wire = item
            while next_id[0] in waiting:
                next_id[0] = next_id[0] + 1 & 0xFFFF
            number = next_id[0]
            next_id[0] = number + 1 & 0xFFFF
            sent = struct.pack("!H", number) + wire[2:]
            waiting[number] = (key, sent)
            flow.send(sent)

    for state in states:
        fill(state)
    last_progress = time.monotonic()
    while any(state[2] for state in states) and time.monotonic() - last_progress < stalled_after:
        for event, _ in selector.select(0.5):
            state = event.data
            flow, _, waiting, _ = state
            try:
                replies = flow.messages()
            except Closed:
                selector.unregister(flow)
                continue
            for reply in replies:
                found = waiting.pop(reply[0] << 8 | reply[1], None)
                if found is None:
                    raise AssertionError(
                        f"an answer to no question of ours, over {flow.transport}: {reply.hex()}"
                    )
                on_reply(flow, found[0], found[1], reply)
            if replies:
                last_progress = time.monotonic()
                fill(state)
        for flow, _, _, _ in states:
            if flow.unsent:
                flow.flush()
    selector.close()
    return [(key, flow.transport) for flow, _, waiting, _ in states for key, _ in waiting.values()]
