"""What a miss adds to asking the upstream directly, and what hedging takes from the tail.

    miss_latency.py FOLDER      a build: with sallyport and bench/bench_miss_latency. Two tables; no ctest, for times
                                are the machine's

A stub resolver (a process of its own) answers after 0, 5 or 50 ms. For the encrypted transports a gateway stands before
it and is the upstream. A client asks the upstream over its transport ("direct"), and asks the measured gateway, which
has that upstream, over UDP ("through"), in turns, each name once, over warm links of our own. Over UDP it also asks by
way of a process that does nothing but carry datagrams ("carried"): what is added there is the machine's price for a
process more that has to be woken twice, and nobody's work. Loopback only; everything ends with this program.
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
    """Over UDP and TCP."""
    held, ports = [], []
    while len(ports) < count:
        datagrams, stream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        held += [datagrams, stream]
        datagrams.bind(("127.0.0.1", 0))
        try:
            stream.bind(datagrams.getsockname())
        except OSError:
            continue
        ports.append(datagrams.getsockname()[1])
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


def measure_misses(folder, what, count, authority, *urls):
    told = subprocess.run([folder / "bench" / "bench_miss_latency", "ask", str(count), authority, *urls],
                          capture_output=True, text=True, check=True)  # fmt: skip
    rows = [[float(each) for each in line.split()] for line in told.stdout.splitlines()]
    text = f"{what:10} {rows[0][0]:7.0f} {rows[0][1]:7.0f}"
    for p50, p99 in rows[1:]:
        text += f"   {p50 - rows[0][0]:+7.0f} {p99 - rows[0][1]:+7.0f}"
    print(text, flush=True)


def table_of_misses(folder):
    binary = folder / "sallyport"
    print("microseconds  direct     added through    added carried")
    print("               p50     p99       p50     p99       p50     p99")
    for delay, count in ((0.0, 2000), (0.005, 400), (0.05, 100)):
        stub = Stub(delay)
        url = f"udp://127.0.0.1:{stub.port}"
        plain = Gateway(binary, f'[[upstream]]\nurl = "{url}"')
        carrier = subprocess.Popen([folder / "bench" / "bench_miss_latency", "carry", str(stub.port)],
                                   stdout=subprocess.PIPE, text=True)  # fmt: skip
        carried = f"udp://127.0.0.1:{int(carrier.stdout.readline())}"
        label = f"{delay * 1e3:.0f}ms"
        measure_misses(folder, f"udp {label}", count, "", url, f"udp://127.0.0.1:{plain.ports['udp']}", carried)
        carrier.kill()
        carrier.wait()
        for scheme in ("tls", "https", "quic", "h3"):
            path = "/dns-query" if scheme in ("https", "h3") else ""
            upstream = f"{scheme}://127.0.0.1:{plain.ports[scheme]}{path}#dns.test"
            measured = Gateway(binary, f'[[upstream]]\nurl = "{upstream}"\nca_file = "{plain.authority}"')
            through = f"udp://127.0.0.1:{measured.ports['udp']}"
            measure_misses(folder, f"{scheme} {label}", count, plain.authority, upstream, through)
            measured.stop()
        plain.stop()
        stub.stop()


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
        table_of_misses(pathlib.Path(sys.argv[1]))
        table_of_hedges(pathlib.Path(sys.argv[1]) / "sallyport")
