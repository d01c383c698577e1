"""What a miss adds to asking the upstream directly, and what hedging takes from the tail.

    miss_latency.py BINARY      two tables; no ctest, for times are the machine's

A stub resolver (a process of its own) answers after 0, 5 or 50 ms. One gateway asks it over UDP and is asked over UDP.
For the encrypted transports another gateway stands before the stub, and the measured one asks that over TLS, HTTPS,
QUIC and HTTP/3; "directly" is then that one over plain UDP, so what is added holds the encryption of the hop, too.
The two ways are asked in turns, each name once. Loopback only; everything that is started ends with this program.
"""

import pathlib
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

OUTLIER_SECONDS = 0.5


def stub(delay, outliers):
    """Answers every question with an address; tells its port, and at its end how often it was asked."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    asked, due = 0, []
    chance = random.Random(1)
    while True:
        wait = max(0.0, due[0][0] - time.monotonic()) if due else None
        if select.select([server, sys.stdin], [], [], wait)[0]:
            if select.select([sys.stdin], [], [], 0)[0]:
                print(asked, flush=True)
                return
            packet, client = server.recvfrom(4096)
            asked += 1
            end = packet.index(0, 12) + 5
            reply = packet[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + packet[12:end]
            reply += struct.pack("!HHHIHI", 0xC00C, 1, 1, 300, 4, 0x7F000001)
            late = OUTLIER_SECONDS if chance.random() < outliers else delay
            due.append((time.monotonic() + late, reply, client))
            due.sort(key=lambda item: item[0])
        while due and due[0][0] <= time.monotonic():
            _, reply, client = due.pop(0)
            server.sendto(reply, client)


class Stub:
    def __init__(self, delay, outliers=0.0):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--stub", str(delay), str(outliers)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        asked = int(self.process.stdout.readline())
        self.process.wait()
        return asked


def free_ports(count):
    held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class Gateway:
    def __init__(self, binary, upstreams, rest=""):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        schemes = ("udp", "tls", "https", "quic", "h3")
        self.ports = dict(zip(schemes, free_ports(len(schemes))))
        self.authority = self.folder / "state" / "ca.pem"
        listen = ", ".join(f'"{scheme}://127.0.0.1:{port}"' for scheme, port in self.ports.items())
        config = self.folder / "sallyport.toml"
        config.write_text(
            f'[server]\nname = "dns.test"\nlisten = [{listen}]\nallow = ["127.0.0.0/8"]\nworkers = 1\n'
            f'state_directory = "{self.folder}/state"\nforward_special_names = ["test"]\n'
            f'[admin]\nlisten = ""\n{upstreams}\n{rest}\n')  # fmt: skip
        self.process = subprocess.Popen(
            [binary, "run", "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            if ask(self.ports["udp"], "up.test", 0.05) is not None:
                return
        raise RuntimeError("the gateway does not answer")

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)


CLIENT = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def ask(port, name, patience=5.0):
    """Seconds until the answer; nothing without one."""
    query = random.randbytes(2) + b"\1\0\0\1\0\0\0\0\0\0"
    query += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    began = time.perf_counter()
    CLIENT.sendto(query, ("127.0.0.1", port))
    while select.select([CLIENT], [], [], max(0.0, began + patience - time.perf_counter()))[0]:
        try:
            if CLIENT.recv(4096)[:2] == query[:2]:
                return time.perf_counter() - began
        except ConnectionRefusedError:  # it has not begun to listen
            time.sleep(patience)
            return None
    return None


def quantile(times, share):
    return sorted(times)[min(len(times) - 1, int(share * len(times)))] * 1e6


def measure_misses(name, direct, through, count):
    times = {direct: [], through: []}
    for i in range(count + 20):
        for port in (direct, through):
            took = ask(port, f"{name}{i}-{port}.test")
            if i >= 20:  # links are warm, and the pace is known
                times[port].append(took)
    p50 = [quantile(times[port], 0.5) for port in (direct, through)]
    p99 = [quantile(times[port], 0.99) for port in (direct, through)]
    print(f"{name:12} {p50[0]:9.0f} {p50[1]:9.0f} {p50[1] - p50[0]:+7.0f}   {p99[0]:9.0f} {p99[1]:9.0f} {p99[1] - p99[0]:+7.0f}")


def table_of_misses(binary):
    print("microseconds      direct   through   added      direct   through   added")
    print("                     p50       p50     p50         p99       p99     p99")
    for delay, count in ((0.0, 1000), (0.005, 300), (0.05, 60)):
        upstream = Stub(delay)
        plain = Gateway(binary, f'[[upstream]]\nurl = "udp://127.0.0.1:{upstream.port}"')
        measure_misses(f"udp{delay * 1e3:.0f}ms", upstream.port, plain.ports["udp"], count)
        for scheme in ("tls", "https", "quic", "h3"):
            path = "/dns-query" if scheme in ("https", "h3") else ""
            measured = Gateway(
                binary,
                f'[[upstream]]\nurl = "{scheme}://127.0.0.1:{plain.ports[scheme]}{path}#dns.test"\n'
                f'ca_file = "{plain.authority}"')  # fmt: skip
            measure_misses(f"{scheme}{delay * 1e3:.0f}ms", plain.ports["udp"], measured.ports["udp"], count)
            measured.stop()
        plain.stop()
        upstream.stop()


def table_of_hedges(binary, count=1500):
    print("\nfirst of two upstreams with 2 % outliers of 500 ms, microseconds")
    print("hedge       p50       p99   queries upstream for each of a client's")
    tails = []
    for hedge in (0, 5):
        stubs = [Stub(0.002, 0.02), Stub(0.002)]
        upstreams = "\n".join(f'[[upstream]]\nurl = "udp://127.0.0.1:{each.port}"' for each in stubs)
        gateway = Gateway(binary, upstreams, f'[[set]]\nname = "default"\nhedge = {hedge}')
        times = [ask(gateway.ports["udp"], f"h{i}.test") for i in range(count)]
        gateway.stop()
        asked = sum(each.stop() for each in stubs)
        tails.append(quantile(times, 0.99))
        print(f"{hedge:4} % {quantile(times, 0.5):9.0f} {tails[-1]:9.0f}   {asked / count:.3f}")
    print(f"p99 is cut {tails[0] / tails[1]:.1f} times")


if __name__ == "__main__":
    if sys.argv[1] == "--stub":
        stub(float(sys.argv[2]), float(sys.argv[3]))
    else:
        table_of_misses(sys.argv[1])
        table_of_hedges(sys.argv[1])
