"""A DoH server that does as a test tells it: HTTP/2 by python3-h2, or HTTP/1.1 by hand, on loopback,
a thread for each connection. It records every query; a script says what becomes of it."""

import base64
import contextlib
import dataclasses
import socket
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import hyperframe.frame

from certificates import NAME
from harness import PATIENCE, Ports

DNS = "application/dns-message"


@dataclasses.dataclass(frozen=True)
class Asked:
    """A query as it came in; `fields` are the request's, pseudo-fields of HTTP/2 included."""

    connection: int  # from 1
    number: int  # of this connection's queries, from 1
    version: str  # "h2" or "http/1.1"
    method: str
    path: str
    fields: dict
    wire: bytes


@dataclasses.dataclass(frozen=True)
class Reply:
    """`body` with a status and a type after a pause; then perhaps what ends a connection."""

    body: bytes = b""
    status: int = 200
    type: str | None = DNS
    fields: tuple = ()
    after: float = 0.0
    interim: bool = False  # 103 before it
    chunked: bool = False  # HTTP/1.1
    until_close: bool = False  # HTTP/1.1: a body without a length
    goaway: bool = False  # HTTP/2: this was the last query that is processed
    close: bool = False  # the connection, behind it


@dataclasses.dataclass(frozen=True)
class Reset:
    """HTTP/2: RST_STREAM instead of an answer. 7 is REFUSED_STREAM."""

    code: int


@dataclasses.dataclass(frozen=True)
class Octets:
    """These and nothing else; then perhaps the end."""

    octets: bytes
    close: bool = True


SILENCE, CLOSE = None, Octets(b"")


class DohServer:
    """`script(asked)` gives what happens to a query. Owned by the test that entered it."""

    def __init__(self, script, identity, *, alpn=("h2", "http/1.1"), streams=100):
        self.script = script
        self._context = identity.server_context(alpn=alpn)
        self.streams = streams
        self.queries = []
        self.connections = 0
        self.resumed = 0
        self._ports = Ports()
        self._lock = threading.Lock()
        self._sockets = []
        self._listener = None
        self.port = 0

    def url(self, name=NAME, path="/dns-query"):
        return f"https://127.0.0.1:{self.port}{path}#{name}"

    def __enter__(self):
        self.port = self._ports.take()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._ports.__exit__()

    def count(self):
        with self._lock:
            return len(self.queries)

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.settimeout(PATIENCE * 2)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What is sent to a peer that has gone, or comes from one, is no failure of this server.
        with contextlib.suppress(OSError, ValueError, h2.exceptions.ProtocolError):
            sock = self._context.wrap_socket(sock, server_side=True)
            with self._lock:
                self._sockets.append(sock)
                self.connections += 1
                self.resumed += sock.session_reused
                number = self.connections
            serve = self._serve_h2 if sock.selected_alpn_protocol() == "h2" else self._serve_h1
            serve(sock, number)
        with contextlib.suppress(OSError):
            sock.close()

    def _ask(self, connection, number, version, fields, method, path, body):
        if method == "GET":
            text = path.partition("?dns=")[2]
            body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        asked = Asked(connection, number, version, method, path, fields, bytes(body))
        with self._lock:
            self.queries.append(asked)
        return self.script(asked)

    # HTTP/2

    def _serve_h2(self, sock, connection):
        session = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        session.initiate_connection()
        session.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.streams})
        sock.sendall(session.data_to_send())
        requests, number, last = {}, 0, None
        while octets := sock.recv(1 << 16):
            for event in session.receive_data(octets):
                if isinstance(event, h2.events.RequestReceived):
                    requests[event.stream_id] = (dict(event.headers), bytearray())
                elif isinstance(event, h2.events.DataReceived):
                    requests[event.stream_id][1].extend(event.data)
                    session.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                elif isinstance(event, h2.events.StreamEnded) and last is None:
                    number += 1
                    fields, body = requests.pop(event.stream_id)
                    reply = self._ask(
                        connection, number, "h2", fields, fields[":method"], fields[":path"], body
                    )
                    if not self._reply_h2(sock, session, event.stream_id, reply):
                        return
                    if isinstance(reply, Reply) and reply.goaway:
                        last = event.stream_id
                        frame = hyperframe.frame.GoAwayFrame(0, last_stream_id=last, error_code=0)
                        sock.sendall(session.data_to_send() + frame.serialize())
            sock.sendall(session.data_to_send())

    def _reply_h2(self, sock, session, stream, reply):
        """False when the connection is to end."""
        if reply is SILENCE:
            return True
        if isinstance(reply, Octets):
            sock.sendall(session.data_to_send() + reply.octets)
            return not reply.close
        if isinstance(reply, Reset):
            session.reset_stream(stream, reply.code)
            return True
        if reply.after:
            sock.sendall(session.data_to_send())
            time.sleep(reply.after)
        if reply.interim:
            session.send_headers(stream, [(":status", "103"), ("link", "</x>")])
        fields = [(":status", str(reply.status)), *reply.fields]
        if reply.type is not None:
            fields.append(("content-type", reply.type))
        try:
            session.send_headers(stream, fields)
            most = session.max_outbound_frame_size
            for at in range(0, len(reply.body), most):
                piece = reply.body[at : at + most]
                while session.local_flow_control_window(stream) < len(piece):
                    sock.sendall(session.data_to_send())
                    session.receive_data(sock.recv(1 << 16))
                session.send_data(stream, piece)
            session.end_stream(stream)
        except (h2.exceptions.StreamClosedError, KeyError):
            pass  # the peer has reset it
        sock.sendall(session.data_to_send())
        return not reply.close

    # HTTP/1.1

    def _serve_h1(self, sock, connection):
        stream, number = sock.makefile("rb"), 0
        while line := stream.readline():
            method, path, _ = line.decode().split()
            fields = {}
            while (field := stream.readline()) not in (b"\r\n", b""):
                name, _, value = field.decode().rstrip("\r\n").partition(": ")
                fields[name] = value
            body = stream.read(int(fields.get("content-length", 0)))
            number += 1
            reply = self._ask(connection, number, "http/1.1", fields, method, path, body)
            if not self._reply_h1(sock, reply):
                return

    def _reply_h1(self, sock, reply):
        if reply is SILENCE:
            return True
        if isinstance(reply, Octets):
            sock.sendall(reply.octets)
            return not reply.close
        time.sleep(reply.after)
        head = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" if reply.interim else ""
        head += f"HTTP/1.1 {reply.status} As It Is\r\n"
        if reply.type is not None:
            head += f"Content-Type: {reply.type}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in reply.fields)
        body = reply.body
        if reply.chunked:
            head += "Transfer-Encoding: chunked\r\n"
            pieces = [body[:5], body[5:]] if len(body) > 5 else [body]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
            body += b"0\r\n\r\n"
        elif not reply.until_close:
            head += f"Content-Length: {len(body)}\r\n"
        if reply.close:
            head += "Connection: close\r\n"
        sock.sendall(head.encode() + b"\r\n" + body)
        return not (reply.close or reply.until_close)
