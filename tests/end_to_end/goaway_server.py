"""A DoH server that sends GOAWAY again and again, and answers what it is told to answer: HTTP/2 by hand,
quick enough for many queries. RFC 9113 §6.8."""

import collections
import contextlib
import socket
import struct
import threading

from certificates import NAME
from http_clients import (
    ACK, DATA, DNS, END_HEADERS, END_STREAM, FRAME_SIZE, GOAWAY, HEADERS, PING, PREFACE, SETTINGS,
    WINDOW_UPDATE, frame, literal, settings, window_update,
)  # fmt: skip

MAX_STREAMS = 3
FIELDS = b"\x88" + literal("content-type", DNS)  # ":status: 200"


class GoawayServer:
    """`answer(question)` gives the message for a question's octets. After `every` queries of a
    connection it takes no more of them; what is under way is answered. Questions come by POST. Owned by
    the test that entered it."""

    def __init__(self, answer, identity, every):
        self.answer = answer
        self.every = every
        self.connections = self.goaways = 0
        self._context = identity.server_context(alpn=("h2",))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]

    def url(self, _=None):
        return f"https://127.0.0.1:{self.port}/dns-query#{NAME}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), self._context.wrap_socket(sock, server_side=True) as tls:
            self.connections += 1
            self._converse(tls)

    def _converse(self, sock):
        sock.sendall(settings((MAX_STREAMS, 100)))
        octets, at, bodies, asked, last = bytearray(), len(PREFACE), {}, 0, None
        window, waiting = 65_535, collections.deque()  # the connection's, and frames of DATA
        while more := sock.recv(1 << 16):
            octets += more
            out = bytearray()
            while len(octets) >= at + 9:
                size = int.from_bytes(octets[at : at + 3])
                if len(octets) < at + 9 + size:
                    break
                kind, flags, stream = struct.unpack_from("!BBI", octets, at + 3)
                payload = bytes(octets[at + 9 : at + 9 + size])
                at += 9 + size
                if kind == SETTINGS and not flags & ACK:
                    out += settings(flags=ACK)
                elif kind == PING and not flags & ACK:
                    out += frame(PING, ACK, 0, payload)
                elif kind == WINDOW_UPDATE and stream == 0:
                    window += int.from_bytes(payload)
                elif kind == HEADERS and last is None:
                    bodies[stream] = b""
                elif kind == DATA:
                    out += window_update(0, size) if size else b""
                    if stream not in bodies:
                        continue  # behind our GOAWAY: not processed
                    bodies[stream] += payload
                    if flags & END_STREAM:
                        asked += 1
                        out += frame(HEADERS, END_HEADERS, stream, FIELDS)
                        waiting.extend(self._reply(stream, bodies.pop(stream)))
                        if asked == self.every:
                            last = stream
                            self.goaways += 1
                            out += frame(GOAWAY, 0, 0, struct.pack("!II", max([last, *bodies]), 0))
            while waiting and window >= len(waiting[0]) - 9:
                window -= len(waiting[0]) - 9
                out += waiting.popleft()
            del octets[:at]
            at = 0
            sock.sendall(out)

    def _reply(self, stream, query):
        end = 12
        while query[end]:
            end += query[end] + 1
        reply = self.answer(query[12 : end + 5])
        for start in range(0, len(reply), FRAME_SIZE):
            flags = END_STREAM if start + FRAME_SIZE >= len(reply) else 0
            yield frame(DATA, flags, stream, reply[start : start + FRAME_SIZE])
