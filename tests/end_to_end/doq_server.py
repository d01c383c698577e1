"""A DoQ server that does as a test tells it, in doh_server's words: aioquic on loopback. RFC 9250 §4.2."""

import asyncio
import contextlib
import struct

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.events import HandshakeCompleted, StreamDataReceived

from certificates import NAME
from doh3_server import Doh3Server
from doh_server import CLOSE, SILENCE, Asked, Reply

NO_ERROR = 0


class _Protocol(QuicConnectionProtocol):
    """One connection; a stream for each query."""

    def __init__(self, *arguments, server, **settings):
        super().__init__(*arguments, **settings)
        self.server, self.connection, self.number = server, 0, 0
        self.streams = {}

    def quic_event_received(self, event):
        if isinstance(event, HandshakeCompleted):
            self.server.connections += 1
            self.connection = self.server.connections
        elif isinstance(event, StreamDataReceived):
            octets = self.streams.setdefault(event.stream_id, bytearray())
            octets.extend(event.data)
            if event.end_stream:
                self._take(event.stream_id, bytes(self.streams.pop(event.stream_id)))

    def _take(self, stream, octets):
        self.number += 1
        asked = Asked(self.connection, self.number, "doq", "", "", {}, octets[2:])
        self.server.queries.append(asked)
        reply = self.server.script(asked)
        if isinstance(reply, Reply) and reply.after:
            asyncio.get_running_loop().call_later(reply.after, self._reply, stream, reply)
        else:
            self._reply(stream, reply)

    def _reply(self, stream, reply):
        if reply is SILENCE:
            return
        if reply is CLOSE:
            self._quic.close(error_code=NO_ERROR)
        else:
            wire = struct.pack("!H", len(reply.body)) + reply.body
            with contextlib.suppress(ValueError):  # nobody waits for it any more
                self._quic.send_stream_data(stream, wire, end_stream=True)
            if reply.close:
                self.transmit()
                self._quic.close(error_code=NO_ERROR)
        self.transmit()


class DoqServer(Doh3Server):
    """`script(asked)` gives what happens to a query. Owned by the test that entered it."""

    protocol = _Protocol

    def __init__(self, script, identity):
        super().__init__(script, identity, alpn=("doq",))

    def url(self, name=NAME):
        return f"quic://127.0.0.1:{self.port}#{name}"
