"""What every end-to-end test stands on: real processes, ports, folders and deadlines.

Everything runs on the loopback, without privileges, and ends in bounded time. A process that fails,
that ends with another status than it should or that a sanitizer complained about fails the test.
"""

import contextlib
import functools
import math
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

PEERS = pathlib.Path(os.environ.get("PEERS", "/nonexistent"))
SOURCE = pathlib.Path(os.environ.get("SALLYPORT_SOURCE", pathlib.Path(__file__).parents[2]))
BINARY = os.environ.get("SALLYPORT_BINARY", str(SOURCE / "build/release/sallyport"))
PRESET = os.environ.get("SALLYPORT_PRESET", "release")

# Under a sanitizer everything takes several times as long; fewer repetitions say the same.
SANITIZED = PRESET in ("asan", "tsan")
QUICK = SANITIZED or "SALLYPORT_QUICK" in os.environ
PATIENCE = 60.0 if SANITIZED else 20.0
SLOWNESS = 3 if SANITIZED else 1  # for times that are part of what is tested

SANITIZER_MARKS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "WARNING: ThreadSanitizer",
    "runtime error:",
    "terminate called",
)


def until(condition, what, seconds=None):
    """Polls until `condition()` gives something true, which is returned; fails after `seconds`."""
    end = time.monotonic() + (seconds or PATIENCE)
    pause = 0.001
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def ready(reading, writing=(), seconds=0.0):
    """Those of `reading` that have something, or an end, within that time; none also when one of
    `writing` takes something. By poll(2), which unlike select() knows of more than 1,024 descriptors."""
    waiting = select.poll()
    wanted = {}
    for sockets, events in ((reading, select.POLLIN), (writing, select.POLLOUT)):
        for each in sockets:
            wanted[each.fileno()] = wanted.get(each.fileno(), 0) | events
    for descriptor, events in wanted.items():
        waiting.register(descriptor, events)
    happened = dict(waiting.poll(math.ceil(seconds * 1000)))
    return [each for each in reading if happened.get(each.fileno(), 0) & ~select.POLLOUT]


@functools.cache
def servers_ports():
    """Unprivileged ports that clients' sockets do not get, or all where there are too few of those."""
    first, last = map(
        int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    )
    unprivileged = range(10000, 65536)
    apart = [port for port in unprivileged if not first <= port <= last]
    return apart if len(apart) > 2000 else unprivileged


class Ports:
    """Ports that nobody else has. They lie outside ip_local_port_range: clients' sockets, of which a
    gateway opens many, get theirs from within it and so never take one between the choice and the
    server's bind(). An abstract socket of the port's name keeps each from being chosen twice, by
    whatever test runs beside this one."""

    def __init__(self):
        self._held = []

    def take(self, host="127.0.0.1"):
        for port in random.sample(servers_ports(), 1000):
            holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                holder.bind(f"\0port {port} of a test")
                self._probe(host, port)
            except OSError:
                holder.close()
                continue
            self._held.append(holder)
            return port
        raise AssertionError("no free port")

    @staticmethod
    def _probe(host, port):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as probe:
                probe.bind((host, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for holder in self._held:
            holder.close()
        self._held.clear()


class Process:
    """One process in a group of its own, which dies with the test. What it writes is kept in a file
    and shown when something fails. Owned by whoever entered it."""

    recent = []  # those of the test that runs, for the report of a failure

    def __init__(self, name, arguments, folder, *, env=None, stdout=None, stderr=None):
        self.name = name
        self.log_path = pathlib.Path(folder) / f"{name}.{id(self):x}.log"
        self._sink = open(self.log_path, "ab")
        # setpriv: should the test itself be killed, the kernel takes the process away.
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=self._sink if stdout is None else stdout,
            stderr=self._sink if stderr is None else stderr,
            env={**os.environ, **(env or {})},
            cwd=folder,
            start_new_session=True,
        )
        self._last_words = None
        Process.recent.append(self)

    @property
    def pid(self):
        return self._process.pid

    @property
    def returncode(self):
        return self._process.poll()

    def log(self):
        if self._last_words is not None:
            return self._last_words
        return self.log_path.read_text(errors="replace")

    def report(self):
        """The ends of the log, as a failure shows it."""
        log = self.log()
        return log if len(log) < 12000 else f"{log[:4000]}\n[...]\n{log[-8000:]}"

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, seconds=None):
        return self._process.wait(seconds or PATIENCE)

    def stop(self, expected=(0,), seconds=None):
        """SIGTERM, then the verdict: status, and what the sanitizers said."""
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            status = self.wait(seconds)
        except subprocess.TimeoutExpired:
            status = "none: it did not end"
        self.kill()
        log = self.log()
        marks = [mark for mark in SANITIZER_MARKS if mark in log]
        if status not in expected or marks:
            raise AssertionError(
                f"{self.name}: exit status {status}, {marks or 'no marks'}\n{self.report()}"
            )

    def kill(self):
        """Whatever is left of the group goes; harmless when nothing is."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._sink.close()
        if self._last_words is None and self.log_path.exists():
            self._last_words = self.log_path.read_text(errors="replace")


class Server:
    """A process that serves on ports of ours. Subclasses say how it is configured, started and
    found ready; a port that somebody else took in the meantime is answered with other ports."""

    name = "server"
    stdout = stderr = None  # descriptors, instead of the log that a failure shows

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ports = Ports()
        self.process = None

    def configure(self):
        """Chooses ports and writes files."""
        raise NotImplementedError

    def arguments(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def start(self):
        for attempt in range(5):
            self.configure()
            if self.launch():
                return self
            if "in use" not in self.process.log() or attempt == 4:
                break
            self.ports.__exit__()
        raise AssertionError(f"{self.name} did not start:\n{self.process.report()}")

    def launch(self):
        """Starts the process with the configuration as it is; whether it became ready."""
        self.process = Process(
            self.name,
            self.arguments(),
            self.folder,
            env=self.environment(),
            stdout=self.stdout,
            stderr=self.stderr,
        )
        try:
            until(
                lambda: self.process.returncode is not None or self.is_ready(),
                f"{self.name} to be ready",
            )
        except AssertionError:
            self.process.kill()
            raise AssertionError(f"{self.name} was never ready:\n{self.process.report()}") from None
        if self.process.returncode is None:
            return True
        self.process.kill()
        return False

    def environment(self):
        return {}

    def stop(self):
        if self.process:
            process, self.process = self.process, None
            process.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self.ports.__exit__()


@contextlib.contextmanager
def temporary_folder():
    folder = tempfile.mkdtemp(prefix="sallyport-test-")
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class EndToEndTest(unittest.TestCase):
    """A test with a folder of its own; `self.enter(server)` starts one and stops it at the end."""

    def enter(self, context):
        return self.enterContext(context)

    def setUp(self):
        self.folder = self.enterContext(temporary_folder())

    def run(self, result=None):
        del Process.recent[:]
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            for process in Process.recent:
                print(f"--- {process.name} ({self.id()})\n{process.report()}", file=sys.stderr)


def peer(name):
    return PEERS / "bin" / name


def run_peer(name, *arguments, seconds=None):
    """Runs a peer's program to its end and gives what it printed."""
    return subprocess.run(
        [peer(name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds or PATIENCE,
    )


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False
