"""Clients of DNS over HTTP by hand: HTTP/2 frame by frame and HTTP/1.1 octet by octet, so that they can
do what no library would. RFC 9113, RFC 9112, RFC 7541."""

import base64
import dataclasses
import struct
import time

import hpack

from clients import Closed, Dot, Flow, Stream
from harness import PATIENCE

DNS = "application/dns-message"
PATH = "/dns-query"
AUTHORITY = "gateway.example"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 1, 1, 4, 8, 32
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_FIELDS = range(1, 7)
(
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
    REFUSED_STREAM,
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM,
) = range(12)
FRAME_SIZE = 16_384  # of the largest, if nothing else was agreed on
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def settings(*pairs, flags=0):
    return frame(SETTINGS, flags, 0, b"".join(struct.pack("!HI", *pair) for pair in pairs))


def window_update(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", size))


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


def literal(name, value):
    """A header field that is in no table and comes into none (RFC 7541 §6.2.2)."""

    def text(octets):
        octets = octets.encode("latin-1") if isinstance(octets, str) else octets
        size = len(octets)
        if size < 127:
            return bytes([size]) + octets
        out, rest = bytearray([127]), size - 127
        while rest >= 128:
            out.append(rest & 127 | 128)
            rest >>= 7
        return bytes(out) + bytes([rest]) + octets

    return b"\0" + text(name) + text(value)


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


def base64url(wire):
    return base64.urlsafe_b64encode(wire).rstrip(b"=").decode()


def request_fields(method="GET", path=PATH, *fields, scheme="https", authority=AUTHORITY):
    pseudo = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    return pseudo + list(fields)


def asking(wire, method="POST", path=PATH):
    """(fields, body) of a query."""
    if method != "POST":
        return request_fields(method, f"{path}?dns={base64url(wire)}", ("accept", DNS)), None
    length = ("content-length", str(len(wire)))
    return request_fields("POST", path, ("accept", DNS), ("content-type", DNS), length), wire


@dataclasses.dataclass
class Response:
    status: int = 0
    fields: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    whole: bool = False


def tls(address, authority, alpn, **how):
    flow = Dot(address, authority, alpn=alpn, **how)
    if flow.tls.selected_alpn_protocol() != alpn[0]:
        raise AssertionError(f"ALPN: {flow.tls.selected_alpn_protocol()} instead of {alpn[0]}")
    return flow


class Http2:
    """One connection. It acknowledges and widens windows by itself unless it is `passive`; `greets`:
    preface and SETTINGS, with `pairs`, leave at once. Not `secure`: in the clear."""

    def __init__(
        self, address, authority=None, *, pairs=(), greets=True, passive=False, secure=True, **how
    ):
        self.flow = tls(address, authority, ("h2",), **how) if secure else Stream(address, **how)
        self.passive = passive
        self.next_stream = 1
        self.frames = []  # all that has come: (kind, flags, stream, payload)
        self.responses = {}
        self.resets = {}  # stream: code
        self.settings = {}
        self.goaway = None  # (last stream, code)
        self.closed = False
        self._in = bytearray()
        self._fields = b""
        self._decoder = hpack.Decoder()
        if greets:
            self.send(PREFACE, settings(*pairs))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.flow.close()

    def fileno(self):
        return self.flow.fileno()

    def send(self, *octets):
        self.flow.send_octets(b"".join(octets))

    # Asking.

    def headers(self, fields, *, end=False, stream=None, more=b""):
        """HEADERS on a new stream if none is given; which one it is."""
        if stream is None:
            stream, self.next_stream = self.next_stream, self.next_stream + 2
        encoded = fields if isinstance(fields, bytes) else block(fields)
        first, rest = encoded[:FRAME_SIZE], encoded[FRAME_SIZE:]
        flags = (0 if rest else END_HEADERS) | (END_STREAM if end else 0)
        octets = [frame(HEADERS, flags, stream, first)]
        while rest:
            piece, rest = rest[:FRAME_SIZE], rest[FRAME_SIZE:]
            octets.append(frame(CONTINUATION, 0 if rest else END_HEADERS, stream, piece))
        self.send(*octets, more)
        return stream

    def request(self, fields, body=None, *, stream=None):
        if stream is None:
            stream, self.next_stream = self.next_stream, self.next_stream + 2
        data = b""
        for at in range(0, len(body or b""), FRAME_SIZE):
            piece = body[at : at + FRAME_SIZE]
            last = at + len(piece) == len(body)
            data += frame(DATA, END_STREAM if last else 0, stream, piece)
        return self.headers(fields, end=not body, stream=stream, more=data)

    def query(self, wire, method="POST", path=PATH, fields=()):
        asked, body = asking(wire, method, path)
        return self.request([*asked, *fields], body)

    def response(self, stream, seconds=None):
        def came():
            return stream in self.resets or self.closed or self.of(stream).whole

        self.until(came, f"the response on stream {stream}", seconds)
        if not self.of(stream).whole:
            raise AssertionError(f"stream {stream}: reset {self.resets.get(stream)}, {self.goaway}")
        return self.responses[stream]

    def ask(self, wire, method="POST", path=PATH, seconds=None, fields=()):
        return self.response(self.query(wire, method, path, fields), seconds)

    def get(self, path, *fields, method="GET"):
        return self.response(self.request(request_fields(method, path, *fields)))

    def of(self, stream):
        return self.responses.setdefault(stream, Response())

    # What comes.

    def decode(self, encoded):
        return self._decoder.decode(encoded)

    def turn(self, seconds=0.05):
        """Takes what comes within that time; at once when something does."""
        if self.closed:
            return
        try:
            self._in += self.flow.octets(seconds)
        except Closed:
            self.closed = True
        while len(self._in) >= 9:
            size = int.from_bytes(self._in[:3])
            if len(self._in) < 9 + size:
                break
            kind, flags, stream = struct.unpack_from("!BBI", self._in, 3)
            payload = bytes(self._in[9 : 9 + size])
            del self._in[: 9 + size]
            self.frames.append((kind, flags, stream, payload))
            self._take(kind, flags, stream, payload)

    def until(self, condition, what, seconds=None):
        end = time.monotonic() + (seconds or PATIENCE)
        self.turn(0)
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}: {self.frames[-5:]}")
            self.turn()

    def wait_closed(self, seconds=None):
        self.until(lambda: self.closed, "the end of the connection", seconds)

    def ping(self, seconds=None):
        """Everything that was sent before has been understood when this is answered."""
        mark = struct.pack("!d", time.monotonic())
        self.send(frame(PING, 0, 0, mark))
        answer = (PING, ACK, 0, mark)
        self.until(lambda: answer in self.frames or self.closed, "an answer to PING", seconds)
        return answer in self.frames

    def _take(self, kind, flags, stream, payload):
        if kind in (HEADERS, CONTINUATION):
            self._fields += payload
            if flags & END_HEADERS:
                response = self.of(stream)
                for name, value in self.decode(self._fields):
                    if name == ":status":
                        response.status = int(value)
                    else:
                        response.fields[name] = value
                self._fields = b""
            if flags & END_STREAM and kind == HEADERS:
                self.of(stream).whole = True
        elif kind == DATA:
            self.of(stream).body += payload
            self.of(stream).whole = bool(flags & END_STREAM)
            if payload and not self.passive:
                self.send(window_update(0, len(payload)))
        elif kind == RST_STREAM:
            self.resets[stream] = int.from_bytes(payload)
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack_from("!HI", payload, at)
                self.settings[key] = value
            if not self.passive:
                self.send(settings(flags=ACK))
        elif kind == PING and not flags & ACK and not self.passive:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            last, code = struct.unpack_from("!II", payload)
            self.goaway = (last, code)


class Http1:
    """One connection; responses come one after the other. Not `secure`: in the clear."""

    def __init__(self, address, authority=None, *, secure=True, **how):
        self.flow = (
            tls(address, authority, ("http/1.1",), **how) if secure else Stream(address, **how)
        )
        self.closed = False
        self._in = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.flow.close()

    def fileno(self):
        return self.flow.fileno()

    def send(self, octets):
        self.flow.send_octets(octets.encode("latin-1") if isinstance(octets, str) else octets)

    def request(self, method="GET", path=PATH, *fields, body=None, host=AUTHORITY):
        lines = [f"{method} {path} HTTP/1.1", f"host: {host}"]
        lines += [f"{name}: {value}" for name, value in fields]
        if body is not None and not any(name.lower() == "content-length" for name, _ in fields):
            lines.append(f"content-length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))

    def query(self, wire, method="POST", path=PATH, fields=()):
        if method == "POST":
            self.request("POST", path, ("content-type", DNS), ("accept", DNS), *fields, body=wire)
        else:
            self.request(method, f"{path}?dns={base64url(wire)}", ("accept", DNS), *fields)

    def ask(self, wire, method="POST", path=PATH, seconds=None, fields=()):
        self.query(wire, method, path, fields)
        return self.response(head=method == "HEAD", seconds=seconds)

    def get(self, path, *fields, method="GET"):
        self.request(method, path, *fields)
        return self.response(head=method == "HEAD")

    def turn(self, seconds=0.05):
        if self.closed:
            return
        try:
            self._in += self.flow.octets(seconds)
        except Closed:
            self.closed = True

    def until(self, condition, what, seconds=None):
        end = time.monotonic() + (seconds or PATIENCE)
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}: {self._in[:200]}")
            self.turn()

    def response(self, *, head=False, seconds=None):
        """The next one, interim ones left out; fails when the connection ends before it."""
        self.until(lambda: b"\r\n\r\n" in self._in or self.closed, "a response", seconds)
        start, found, rest = self._in.partition(b"\r\n\r\n")
        if not found:
            raise Closed()
        self._in = rest
        first, *lines = start.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise AssertionError(f"not HTTP: {first}")
        if status.startswith("1"):
            return self.response(head=head, seconds=seconds)
        fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            if name.lower() in fields:
                raise AssertionError(f"{name} twice")
            fields[name.lower()] = value.strip()
        size = 0 if head or status == "204" else int(fields["content-length"])
        self.until(lambda: len(self._in) >= size or self.closed, "a body", seconds)
        body, self._in = self._in[:size], self._in[size:]
        if len(body) != size:
            raise Closed()
        return Response(int(status), fields, body, True)

    def wait_closed(self, seconds=None):
        """Fails when the server has not closed in time; gives what it still sent."""
        self.until(lambda: self.closed, "the end of the connection", seconds)
        return self._in


class Quick(Http2):
    """For many queries: without a dynamic table equal blocks of fields are decoded once."""

    known = {}

    def __init__(self, address, authority=None, **how):
        super().__init__(address, authority, pairs=((HEADER_TABLE_SIZE, 0),), **how)

    def decode(self, encoded):
        if encoded not in self.known:
            self.known[encoded] = self._decoder.decode(encoded)
        return self.known[encoded]


class Doh(Flow):
    """Queries and answers over HTTP/2, as over any other transport. What is no answer ends the flow,
    as other streams end over what is no query."""

    def __init__(self, address, authority=None, method="POST", **how):
        self.http = Quick(address, authority, **how)
        super().__init__(self.http.flow.tls)
        self.transport = "https" if method == "POST" else "https-get"
        self.method = method

    @property
    def tls(self):
        return self.http.flow.tls

    @property
    def unsent(self):
        return self.http.flow.unsent

    def flush(self):
        self.http.flow.flush()

    def send(self, wire):
        fits = len(wire) <= 6000  # 8,000 octets of a target
        self.http.query(wire, self.method if fits else "POST")

    def messages(self):
        self.http.turn(0)
        self.http.frames.clear()
        responses = self.http.responses
        whole = [stream for stream, response in responses.items() if response.whole]
        found = [responses.pop(stream) for stream in whole]
        refused = any(response.status != 200 for response in found) or self.http.resets
        answers = [response.body for response in found if response.status == 200]
        if not answers and (self.http.closed or refused):
            raise Closed()
        return answers

    def wait_closed(self, seconds=None):
        """Fails when nothing was refused in time; answers that still come are given back."""
        found = []
        try:
            found.append(self.receive(seconds))
        except Closed:
            return found
        raise AssertionError(f"answered: {found}")

    def _wait(self, seconds):
        self.http.turn(seconds)
