"""A DoH server over HTTP/3 that does as a test tells it: aioquic on loopback, in a thread of its own.
It records every query; a script says what becomes of it, in doh_server's words."""

import asyncio
import base64
import contextlib
import logging
import threading

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, StreamReset
from aioquic.quic.stream import QuicStreamSender

from certificates import NAME
from doh_server import CLOSE, SILENCE, Asked, Octets, Reply, Reset
from harness import PATIENCE, Ports

RESET = QuicStreamSender.reset


def reset_once(sender, error_code):
    """A STOP_SENDING that comes twice, as it may, would cost aioquic the rest of the datagram."""
    if sender._reset_error_code is None:
        RESET(sender, error_code)


QuicStreamSender.reset = reset_once

# A handshake that fails, as some must, is no news.
logging.getLogger("quic").setLevel(logging.CRITICAL)

HEADERS, GOAWAY, NO_ERROR = 1, 7, 0x100


class _Protocol(QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *arguments, server, **settings):
        super().__init__(*arguments, **settings)
        self.server, self.http = server, None
        self.number = self.connection = 0
        self.requests = {}
        self.last = None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.server.connections += 1
            self.server.resumed += self._quic.tls.session_resumed
            self.connection = self.server.connections
            self.http = H3Connection(self._quic)
        elif isinstance(event, StreamReset):
            self.server.resets.append(event.error_code)
        elif isinstance(event, ConnectionTerminated):
            self.server.ends.append(event.error_code)
        if self.http is None:
            return
        for each in self.http.handle_event(event):
            self._take(each)

    def _take(self, event):
        if isinstance(event, HeadersReceived):
            fields = {name.decode(): value.decode() for name, value in event.headers}
            self.requests[event.stream_id] = (fields, bytearray())
        elif isinstance(event, DataReceived):
            self.requests[event.stream_id][1].extend(event.data)
        if not event.stream_ended:
            return
        if self.last is not None:  # processed no more; RFC 9114 §5.2
            self._quic.reset_stream(event.stream_id, 0x10B)
            return
        self.number += 1
        fields, body = self.requests.pop(event.stream_id)
        reply = self.server.ask(self, fields, bytes(body))
        if isinstance(reply, Reply) and reply.after:
            asyncio.get_running_loop().call_later(reply.after, self._reply, event.stream_id, reply)
        else:
            self._reply(event.stream_id, reply)

    def _reply(self, stream, reply):
        if reply is SILENCE:
            return
        if reply is CLOSE:
            self._quic.close(error_code=NO_ERROR)
        elif isinstance(reply, Octets):
            self._quic.send_stream_data(stream, reply.octets, end_stream=True)
        elif isinstance(reply, Reset):
            self._quic.reset_stream(stream, reply.code)
        else:
            with contextlib.suppress(ValueError):  # nobody waits for it any more
                self._respond(stream, reply)
        if getattr(reply, "close", False):
            self.transmit()
            self._quic.close(error_code=NO_ERROR)
        self.transmit()

    def _respond(self, stream, reply):
        if reply.interim:
            frame = self.http._encode_headers(stream, [(b":status", b"103"), (b"link", b"</x>")])
            self._quic.send_stream_data(stream, bytes([HEADERS, len(frame)]) + frame)
        fields = [(":status", str(reply.status)), *reply.fields]
        if reply.type is not None:
            fields.append(("content-type", reply.type))
        self.http.send_headers(stream, [(n.encode(), v.encode()) for n, v in fields])
        self.http.send_data(stream, reply.body, end_stream=True)
        if reply.goaway:
            self.last = stream
            frame = encode_uint_var(stream + 4)
            self._quic.send_stream_data(
                self.http._local_control_stream_id, bytes([GOAWAY, len(frame)]) + frame
            )


class Doh3Server:
    """`script(asked)` gives what happens to a query. Owned by the test that entered it."""

    protocol = _Protocol

    def __init__(self, script, identity, *, alpn=("h3",), retry=False):
        self.script, self._retry = script, retry
        self._configuration = QuicConfiguration(is_client=False, alpn_protocols=list(alpn))
        self._configuration.load_cert_chain(identity.chain_file, identity.key_file)
        self.queries, self.resets, self.ends = [], [], []
        self.connections = self.resumed = 0
        self._tickets = {}
        self._ports = Ports()
        self._loop = self._thread = None
        self.port = 0

    def url(self, name=NAME, path="/dns-query"):
        return f"h3://127.0.0.1:{self.port}{path}#{name}"

    def ask(self, protocol, fields, body):
        if fields[":method"] == "GET":
            text = fields[":path"].partition("?dns=")[2]
            body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        asked = Asked(
            protocol.connection, protocol.number, "h3", fields[":method"], fields[":path"], fields, body
        )
        self.queries.append(asked)
        return self.script(asked)

    def count(self):
        return len(self.queries)

    def __enter__(self):
        self.port = self._ports.take()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(PATIENCE)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._ports.__exit__()

    def _run(self, ready):
        self._loop = asyncio.new_event_loop()
        server = self._loop.run_until_complete(self._serve())
        self._loop.call_soon(ready.set)
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self):
        return await serve(
            "127.0.0.1",
            self.port,
            configuration=self._configuration,
            create_protocol=lambda *arguments, **settings: self.protocol(
                *arguments, server=self, **settings
            ),
            session_ticket_fetcher=self._tickets.get,
            session_ticket_handler=lambda ticket: self._tickets.update({ticket.ticket: ticket}),
            retry=self._retry,
        )
