"""Ways from the gateway to a real server which break as a test tells them: octets stop, connections are
reset, datagrams are lost. Nothing of the sort needs a privilege. One thread for all ways of a test."""

import asyncio
import contextlib
import random
import socket
import struct
import threading
import time

PASS, STOP, DROP, RESET = "pass", "stop", "drop", "reset"


def flapping(way, to_server):
    """Two seconds there, two seconds gone."""
    return PASS if int(time.monotonic()) // 2 % 2 else DROP


def half_open(way, to_server):
    """The server hears; what it says is lost."""
    return PASS if to_server else DROP


@contextlib.contextmanager
def swallowing(kind, host="127.0.0.1", port=0):
    """A port where all is lost and nothing refused: a socket that nobody reads, a queue that is full."""
    with contextlib.ExitStack() as open_ones:
        if kind == socket.SOCK_DGRAM:
            sink = open_ones.enter_context(socket.socket(socket.AF_INET, kind))
            sink.bind((host, port))
        else:
            sink = open_ones.enter_context(socket.create_server((host, port), backlog=0))
            for _ in range(4):
                crowd = open_ones.enter_context(socket.socket())
                crowd.setblocking(False)
                crowd.connect_ex(sink.getsockname())
        yield sink.getsockname()[1]


class Ways:
    """The thread. Owned by the test that entered it, and so are its ways."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._ways = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        for way in self._ways:
            self._call(way.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def streams(self, server, verdict=None):
        return self._open(StreamWay(server, verdict))

    def datagrams(self, server, verdict=None, loss=0.0):
        return self._open(DatagramWay(server, verdict, loss))

    def _open(self, way):
        self._call(way.open())
        self._ways.append(way)
        return way

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)


class Way:
    """`verdict(way, to_server)` decides of each piece. forget() is what a NAT does that restarts:
    connections that are there get nothing through any more, new ones do."""

    def __init__(self, server, verdict):
        self.server = server
        self.verdict = verdict or (lambda way, to_server: PASS)
        self.connections = 0  # that were begun
        self.forgotten = 0  # the connections up to this one

    @property
    def port(self):
        return self.address[1]

    def forget(self):
        self.forgotten = self.connections

    def judge(self, connection, to_server):
        return STOP if connection <= self.forgotten else self.verdict(self, to_server)


class StreamWay(Way):
    async def open(self):
        self._open_writers, self._closed = set(), asyncio.Event()
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=100)
        self.address = self._listener.sockets[0].getsockname()

    async def close(self):
        self._listener.close()
        self._closed.set()
        for writer in list(self._open_writers):
            writer.transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)  # those who pass octets on come to their ends

    async def _serve(self, reader, writer):
        self.connections += 1
        connection = self.connections
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.server)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, far_writer)
        self._open_writers.update(ends)
        await asyncio.gather(
            self._pass_on(connection, reader, far_writer, True, ends),
            self._pass_on(connection, far_reader, writer, False, ends),
        )
        self._open_writers.difference_update(ends)

    async def _pass_on(self, connection, reader, writer, to_server, ends):
        with contextlib.suppress(OSError):
            while octets := await reader.read(1 << 16):
                verdict = self.judge(connection, to_server)
                if verdict is RESET:
                    self._reset(ends)
                    return
                if verdict is STOP:
                    await self._closed.wait()
                if verdict is PASS:
                    writer.write(octets)
        for each in ends:
            each.transport.abort() if self.judge(connection, to_server) is RESET else each.close()

    @staticmethod
    def _reset(ends):
        for writer in ends:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class DatagramWay(Way):
    """A far port for each near one, as a NAT has them."""

    def __init__(self, server, verdict, loss):
        super().__init__(server, verdict)
        self.loss, self.lost = loss, 0
        self._random = random.Random(5)
        self._far = {}

    async def open(self):
        self._near = await self._endpoint(self._from_client, local_addr=("127.0.0.1", 0))
        self.address = self._near.get_extra_info("sockname")

    async def close(self):
        for each in [self._near, *(far for _, far in self._far.values())]:
            each.close()
        await asyncio.sleep(0)

    @staticmethod
    async def _endpoint(take, **where):
        class Taker(asyncio.DatagramProtocol):
            def datagram_received(self, data, source):
                take(data, source)

        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Taker, **where)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return transport

    def _from_client(self, data, client):
        if client not in self._far:
            self.connections += 1
            self._far[client] = [self.connections, None]
            asyncio.ensure_future(self._begin(client, data))
        elif (far := self._far[client][1]) and self._passes(self._far[client][0], True):
            far.sendto(data)

    async def _begin(self, client, first):
        connection, _ = self._far[client]

        def from_server(data, _):
            if self._passes(connection, False):
                self._near.sendto(data, client)

        far = await self._endpoint(from_server, remote_addr=self.server)
        self._far[client][1] = far
        if self._passes(connection, True):
            far.sendto(first)

    def _passes(self, connection, to_server):
        if self.judge(connection, to_server) is not PASS:
            return False
        if self._random.random() < self.loss:
            self.lost += 1
            return False
        return True
