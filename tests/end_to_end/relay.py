"""A way between a client and a server that loses, delays, repeats and reorders datagrams, and that
forgets, as a NAT does, from which port it spoke to the server."""

import heapq
import itertools
import random
import socket
import threading
import time

from harness import ready


class Relay:
    """For one client at a time. `loss` and `repeat` are chances, `delay` the most in seconds, and a
    new port is taken every `rebind` seconds."""

    def __init__(self, server, *, loss=0.0, repeat=0.0, delay=0.0, rebind=None, seed=1):
        self.server = server
        self.loss, self.repeat, self.delay, self.rebind = loss, repeat, delay, rebind
        self.rebound = self.lost = 0
        self._random = random.Random(seed)
        self._near = self._open()
        self.address = self._near.getsockname()
        self._far = [self._open()]
        self._client = None
        self._late, self._order = [], itertools.count()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @staticmethod
    def _open():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        return made

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join(10)
        for each in [self._near, *self._far]:
            each.close()

    def _run(self):
        next_rebind = time.monotonic() + (self.rebind or 1e9)
        while not self._ending.is_set():
            wait = 0.02
            if self._late:
                wait = max(0.0, min(wait, self._late[0][0] - time.monotonic()))
            for each in ready([self._near, *self._far], seconds=wait):
                self._read(each)
            now = time.monotonic()
            while self._late and self._late[0][0] <= now:
                _, _, data, to_server = heapq.heappop(self._late)
                self._send(data, to_server)
            if now >= next_rebind:
                next_rebind = now + self.rebind
                # What the server still sends to the old port finds nobody.
                self._far[0].close()
                self._far = [self._open()]
                self.rebound += 1

    def _read(self, sock):
        for _ in range(64):
            try:
                data, source = sock.recvfrom(65535)
            except (BlockingIOError, ConnectionRefusedError, OSError):
                return
            to_server = sock is self._near
            if to_server:
                self._client = source
            if self._random.random() < self.loss:
                self.lost += 1
                continue
            for _ in range(2 if self._random.random() < self.repeat else 1):
                if self.delay:
                    at = time.monotonic() + self._random.random() * self.delay
                    heapq.heappush(self._late, (at, next(self._order), data, to_server))
                else:
                    self._send(data, to_server)

    def _send(self, data, to_server):
        try:
            if to_server:
                self._far[0].sendto(data, self.server)
            elif self._client:
                self._near.sendto(data, self._client)
        except OSError:
            pass
