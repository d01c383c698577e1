"""Datagrams that no QUIC library sends: Initials under the keys that anybody can derive, frames of
one's own on a connection that stands, and floods of either. RFC 9000, RFC 9001 §5.2."""

import os
import pathlib
import socket
import struct
import time

from aioquic.buffer import encode_uint_var as number
from aioquic.quic.crypto import CryptoPair
from aioquic.tls import Epoch

from doq_client import DoqClient
from harness import PATIENCE

V1 = 1
PADDING, PING, ACK, RESET_STREAM, STOP_SENDING, CRYPTO = b"\0", b"\1", b"\2", b"\4", b"\5", b"\6"
STREAM_WITH_LENGTH = b"\x0a"
SMALLEST_FIRST = 1200  # octets of a datagram that opens a connection (RFC 9000 §14.1)
TAG = 16


def long_header(first, version, destination, source=b"s" * 8):
    return (
        bytes([first]) + struct.pack("!I", version)
        + bytes([len(destination)]) + destination + bytes([len(source)]) + source
    )  # fmt: skip


def noise(version=V1, token=b"", size=SMALLEST_FIRST, destination=None):
    """What looks like an Initial and is none: nobody can decrypt it."""
    head = long_header(0xC3, version, destination or os.urandom(8)) + number(len(token)) + token
    rest = size - len(head) - 2
    return head + struct.pack("!H", 0x4000 | rest) + os.urandom(rest)


def initial(frames, token=b"", destination=None):
    """An Initial with frames of ours, as sound as any on the outside."""
    destination = destination or os.urandom(8)
    frames += PADDING * (SMALLEST_FIRST - 80 - len(token) - len(frames))
    head = long_header(0xC3, V1, destination) + number(len(token)) + token
    head += struct.pack("!HI", 0x4000 | (4 + len(frames) + TAG), 0)
    crypto = CryptoPair()
    crypto.setup_initial(destination, is_client=True, version=V1)
    return crypto.encrypt_packet(head, frames, 0).ljust(SMALLEST_FIRST, b"\0")


def queued(port):
    """Octets that wait in the sockets of that port for their server."""
    waiting = 0
    for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1][-4:], 16) == port:
            waiting += int(fields[4].split(":")[1], 16)
    return waiting


class Flood:
    """Sends as fast as the server takes it, so that none is lost on the way; counts what comes back."""

    BURST = 32
    QUEUED_MAX = 64 << 10

    def __init__(self, address, senders=8):
        self.address = address
        self.sockets = []
        self.sent = self.sent_octets = self.received_octets = 0
        for _ in range(senders):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.bind(("127.0.0.1", 0))
            sender.setblocking(False)
            self.sockets.append(sender)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sender in self.sockets:
            sender.close()

    def send(self, datagrams):
        for count, octets in enumerate(datagrams):
            if count % self.BURST == 0:
                self.let_them_be_read()
            self.sockets[count // self.BURST % len(self.sockets)].sendto(octets, self.address)
            self.sent += 1
            self.sent_octets += len(octets)
        self.let_them_be_read(0)
        self.collect()

    def let_them_be_read(self, most=QUEUED_MAX):
        self.collect()
        end = time.monotonic() + PATIENCE
        while queued(self.address[1]) > most:
            if time.monotonic() > end:
                raise AssertionError("the server does not read its datagrams")
            time.sleep(0.0002)

    def collect(self):
        """What has come back."""
        found = []
        for sender in self.sockets:
            try:
                while True:
                    found.append(sender.recv(2000))
            except BlockingIOError:
                pass
        self.received_octets += sum(map(len, found))
        return found


class Forger(DoqClient):
    """A connection whose client says frames of ours beside its library's."""

    def say(self, frames, elsewhere=None):
        """One packet of them, by our socket or by one that is elsewhere; its size."""
        quic = self.quic
        packet, quic._packet_number = quic._packet_number, quic._packet_number + 1
        head = bytes([0x43]) + quic._peer_cid.cid + struct.pack("!I", packet)
        datagram = quic._cryptos[Epoch.ONE_RTT].encrypt_packet(head, frames, packet)
        (elsewhere or self.socket).sendto(datagram, self.address)
        return len(datagram)


class FrameClient(Forger):
    """One whose library is not told of the streams in them."""

    def __init__(self, *address, **how):
        super().__init__(*address, **how)
        self.reset_by_server = self.stopped_by_server = 0
        handlers = self.quic._QuicConnection__frame_handlers
        epochs = handlers[0x04][1]
        handlers[0x04] = (self._on_reset, epochs)
        handlers[0x05] = (self._on_stop, epochs)
        for kind in range(0x08, 0x10):
            handlers[kind] = (self._on_stream, epochs)

    def _on_reset(self, _, __, frame):
        for _ in range(3):
            frame.pull_uint_var()
        self.reset_by_server += 1

    def _on_stop(self, _, __, frame):
        for _ in range(2):
            frame.pull_uint_var()
        self.stopped_by_server += 1

    def _on_stream(self, _, kind, frame):
        stream = frame.pull_uint_var()
        if kind & 4:
            frame.pull_uint_var()
        size = frame.pull_uint_var() if kind & 2 else frame.capacity - frame.tell()
        self.streams.setdefault(stream, bytearray()).extend(frame.pull_bytes(size))
        if kind & 1:
            self.finished.add(stream)

    def vanish(self):
        """Says nothing any more, no goodbye either."""
        self.ended = True
        self.socket.close()

    def streams_allowed(self):
        return self.quic._remote_max_streams_bidi


def stream_frame(stream, octets, fin=False):
    kind = bytes([STREAM_WITH_LENGTH[0] | fin])
    return kind + number(stream) + number(len(octets)) + octets


def reset_frame(stream, size, code=0):
    return RESET_STREAM + number(stream) + number(code) + number(size)


def stop_frame(stream, code=0):
    return STOP_SENDING + number(stream) + number(code)
