"""Every fault an upstream or the way to it can have, over every transport, with one good upstream left:
nobody notices. RFC 9520 §3.1 (tries), RFC 8767 (who is silent costs no hit).

All faults at once, each with a set and a route of its own, so that none hides behind another. With
SALLYPORT_FAULT_SECONDS each transport by itself, for so long, at 20 queries/s for each fault.
"""

import contextlib
import itertools
import os
import random
import socket
import struct
import threading
import time
import unittest

import doh_server
from certificates import Authority
from doh3_server import Doh3Server
from doh_server import DohServer
from doq_server import DoqServer
from fake_upstream import CLOSE, SILENCE, FakeUpstream, Lie, Reply, address, nxdomain
from gateway import Sallyport
from harness import QUICK, SLOWNESS, EndToEndTest, Ports
from messages import A, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, query, read
from rfc import few
from ways import RESET, Ways, flapping, half_open, swallowing

SECONDS = int(os.environ.get("SALLYPORT_FAULT_SECONDS", "0"))
ROUNDS = SECONDS * 20 or (8 if QUICK else 24)
LATE_MOST = 1 if SECONDS else 4  # hits; a suite shares its machine
PAUSE = 0.05 if SECONDS else 0.25  # seconds between two rounds
LIMIT = 1.5 * SLOWNESS  # seconds, [limits] query_timeout: SERVFAIL by then
TRANSPORTS = ("udp", "tcp", "tls", "http1", "http2", "quic", "h3")
STREAMS = ("tcp", "tls", "http2")
DATAGRAMS = ("udp", "quic", "h3")
WIRES = (*STREAMS, *DATAGRAMS)  # what happens below HTTP happens to both its versions alike
BREAKS_IN = 2  # the round: what then happens to connections happens to those that were good

chance = random.Random(5)


def flaps(asked):
    """Two seconds there, two seconds gone."""
    return address(asked) if int(time.monotonic()) // 2 % 2 else SILENCE


def takes_no_more(asked):
    """GOAWAY, or the connection's end, behind every third answer."""
    if isinstance(asked, doh_server.Asked):
        last = asked.number % 3 == 0
        over_http = asked.version in ("h2", "h3")
        return doh_server.Reply(address(asked), goaway=last and over_http, close=last and not over_http)
    return Reply(address(asked), then_close=chance.random() < 0.3)


def failure(asked, rcode):
    end = 12
    while asked.wire[end]:
        end += asked.wire[end] + 1
    header = asked.wire[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, 0, 0, 0)
    return header + asked.wire[12 : end + 5]


# What servers do. On the way to them nothing is wrong.
SCRIPTS = {
    "silent": lambda asked: SILENCE,
    "slow": lambda asked: Reply(address(asked), after=5.0),
    "closes": lambda asked: CLOSE,
    "goaway": takes_no_more,
    "servfail": lambda asked: failure(asked, SERVFAIL),
    "refuses": lambda asked: failure(asked, REFUSED),
    "wrong-id": lambda asked: Lie.wrong_id(address(asked)),
    "wrong-name": lambda asked: Lie.other_name(address(asked)),
    "cut-short": lambda asked: Lie.cut_short(address(asked)),
    "lies-first": lambda asked: [Lie.cut_short(address(asked)), address(asked)],
    "half-lost": lambda asked: SILENCE if chance.random() < 0.5 else address(asked),
    "flapping": flaps,
}
# What happens on the way to a server with which nothing is wrong, and over which transports: there is
# nobody; nothing arrives; only the way there works, from the start or from some moment on; connections
# that stand are forgotten, are reset; half of all datagrams is lost; two seconds there, two gone.
WAYS = {
    "nobody": WIRES,
    "swallowed": WIRES,
    "hangs": WIRES,
    "half-open": WIRES,
    "forgotten": WIRES,
    "resets": STREAMS,
    "lossy": DATAGRAMS,
    "comes-and-goes": WIRES,
}


seen = set()  # the names of those sets whose servers were asked


def by_name(asked):
    """One server does all that servers do. The question's second label says what: "silent-tls"."""
    begin = 13 + asked.wire[12]
    name = asked.wire[begin + 1 : begin + 1 + asked.wire[begin]].decode().lower()
    seen.add(name)
    return SCRIPTS.get(name.rpartition("-")[0], address)(asked)


def over_http(asked):
    """The same in doh_server's words; one response alone answers a request."""
    reply = by_name(asked)
    reply = reply[0] if isinstance(reply, list) else reply
    if reply is SILENCE or isinstance(reply, doh_server.Reply):
        return reply
    if reply is CLOSE:
        return doh_server.CLOSE
    if isinstance(reply, Reply):
        return doh_server.Reply(reply.wire, after=reply.after, close=reply.then_close)
    return doh_server.Reply(reply)


class FaultLaboratory(EndToEndTest):
    """`good` is a real server, with all transports; it asks one that answers everything."""

    def setUp(self):
        super().setUp()
        authority = Authority(self.folder)
        identity = authority.issue(names=[f"{fault}.example" for fault in SCRIPTS])
        (self.folder / "good").mkdir()
        self.ports = self.enter(Ports())
        self.ways = self.enter(Ways())
        self.broken_ways = {}
        self.behind = self.enter(FakeUpstream(address))
        good = Sallyport(
            self.folder / "good",
            [self.behind.url()],
            listen=("udp", "tcp", "tls", "https", "quic", "h3"),
            limits={"sessions_per_client": 2000, "idle_timeout": "2m"},
            doh={"paths": ["/dns-query", "/1", "/2"]},
        )
        # An upstream stands in one set alone: each set has its own address of the good one.
        good.hosts = [f"127.0.0.{n + 1}" for n in range(len(SCRIPTS) + len(WAYS))]
        self.good = self.enter(good)
        self.plain = {
            fault: self.enter(FakeUpstream(by_name, identity=identity)) for fault in SCRIPTS
        }
        self.scripted = {
            "http1": self.enter(DohServer(over_http, identity, alpn=("http/1.1",))),
            "http2": self.enter(DohServer(over_http, identity, alpn=("h2",))),
            "quic": self.enter(DoqServer(over_http, identity)),
            "h3": self.enter(Doh3Server(over_http, identity)),
        }
        self.trust = {"ca_file": authority.file}
        self.trust_good = {"ca_file": self.good.authority}

    # Upstreams, as tables of a configuration.

    def scripted_table(self, fault, transport, to):
        trust = {} if transport in ("udp", "tcp") else self.trust
        if transport in ("udp", "tcp", "tls"):
            url = self.plain[fault].url(transport, f"{fault}.example")
        else:
            url = self.scripted[transport].url(f"{fault}.example")
        return {"url": url, "set": to, **trust}

    def good_table(self, transport, to, host="127.0.0.1", port=None):
        """The good one itself, or a way to it."""
        scheme = {"http1": "https", "http2": "https"}.get(transport, transport)
        port = port or self.good.address(scheme)[1]
        # Beside one who speaks HTTP/1.1 the good one speaks HTTP/2, at a path of its own.
        path = {"http1": "/1", "http2": "/2", "h3": "/dns-query"}.get(transport, "")
        trust = {} if scheme in ("udp", "tcp") else self.trust_good
        return {"url": f"{scheme}://{host}:{port}{path}", "set": to, **trust}

    def broken_way(self, fault, transport):
        """The port at which it begins, and what breaks it later."""
        if fault == "nobody":
            return self.ports.take(), None
        if fault == "swallowed":
            return self.swallow(transport), None
        scheme = {"http1": "https", "http2": "https"}.get(transport, transport)
        server = self.good.address(scheme)
        if fault == "lossy":
            return self.ways.datagrams(server, loss=0.5).port, None
        at_once = {"hangs": half_open, "comes-and-goes": flapping}.get(fault)
        open_way = self.ways.datagrams if transport in DATAGRAMS else self.ways.streams
        way = open_way(server, at_once)

        def break_it():
            if fault == "forgotten":
                way.forget()
            elif fault == "half-open":
                way.verdict = half_open
            elif fault == "resets":
                way.verdict = lambda way, to_server: RESET

        self.broken_ways[f"{fault}-{transport}"] = way
        return way.port, break_it

    def swallow(self, transport):
        kind = socket.SOCK_DGRAM if transport in DATAGRAMS else socket.SOCK_STREAM
        return self.enter(swallowing(kind))

    def faults(self, transports):
        """(set, tables of its upstreams, what breaks it later or None)"""
        for fault, host in zip([*SCRIPTS, *WAYS], self.good.hosts, strict=True):
            for transport in transports:
                name = f"{fault}-{transport}"
                good = self.good_table(transport, name, host)
                if fault in SCRIPTS:
                    yield name, [self.scripted_table(fault, transport, name), good], None
                elif transport in WAYS[fault]:
                    port, break_it = self.broken_way(fault, transport)
                    yield name, [self.good_table(transport, name, port=port), good], break_it

    # The laboratory.

    def test_with_one_good_upstream_left_nobody_notices(self):
        for transports in [(each,) for each in TRANSPORTS] if SECONDS else [TRANSPORTS]:
            with self.subTest(transports=transports):
                self.check(transports)

    def check(self, transports):
        tables, sets, routes, breaks = [{"url": self.behind.url()}], [], [], []
        for name, upstreams, break_it in self.faults(transports):
            tables += upstreams
            sets.append({"name": name, "probe_name": f"probe.{name}.example."})
            routes.append({"names": [f"{name}.example."], "set": name})
            breaks += [break_it] if break_it else []
        gateway = self.start(tables, set=sets, route=routes)
        names = [route["names"][0].rstrip(".") for route in routes]
        failed, late_hits = self.ask(gateway, names, breaks)
        scripted = {f"{fault}-{each}" for fault in SCRIPTS for each in transports}
        untried = scripted - seen
        untried |= {name for name, way in self.broken_ways.items() if way.connections == 0}
        # On a machine that is busy, a handshake may take longer than the good one's whole answer.
        few_untried = 0 if SECONDS else len(scripted) // 3
        self.assertLessEqual(len(untried), few_untried, f"these were not even tried: {untried}")
        asked = ROUNDS * len(names)
        summary = f"{transports}: {len(failed)} of {asked} failed, {late_hits} of {ROUNDS} hits late"
        if SECONDS:
            print(f"\n{summary} {failed[:10]}")
        # 99.9 % of them, and one for the machine that runs the test.
        self.assertLessEqual(len(failed), asked // 1000 + 1, failed[:20])
        self.assertLessEqual(late_hits, ROUNDS // 100 + LATE_MOST, summary)
        gateway.__exit__()

    def start(self, tables, **settings):
        return self.enter(
            Sallyport(
                self.folder,
                tables,
                limits={"query_timeout": f"{LIMIT * 1000:.0f}ms", "queries_per_session": 1000},
                cache={"failure_ttl": "1s", "save": False},
                **settings,
            )
        )

    def ask(self, gateway, names, breaks, rounds=ROUNDS):
        """A new question of each name in each round, and one that the cache knows behind them: what
        failed, and how many hits were not answered before the next round began."""
        self.assertEqual(read(gateway.ask("udp", "hit.example")).rcode, NOERROR)
        failed, late_hits = [], 0
        numbers = itertools.cycle(range(1, 65536))
        waiting = {}
        with gateway.connect("udp") as flow:
            for number in range(rounds):
                if number == BREAKS_IN:
                    for break_it in breaks:
                        break_it()
                for name in names:
                    self.send(flow, waiting, next(numbers), f"q{number}.{name}")
                    # A hundred handshakes at once are more than a busy machine has done in time.
                    if number == 0 and not SECONDS:
                        self.take(flow, waiting, failed, time.monotonic() + PAUSE / 8)
                until = time.monotonic() + PAUSE
                hit = next(numbers)
                self.send(flow, waiting, hit, "hit.example")
                self.take(flow, waiting, failed, until)
                late_hits += hit in waiting
            end = time.monotonic() + LIMIT + 30
            while waiting and time.monotonic() < end:
                self.take(flow, waiting, failed, time.monotonic() + PAUSE)
        self.assertEqual(list(waiting.values()), [], "no answer at all")
        return failed, late_hits

    @staticmethod
    def send(flow, waiting, key, name):
        waiting[key] = name
        flow.send(query(name, A, number=key))

    @staticmethod
    def take(flow, waiting, failed, until):
        while (left := until - time.monotonic()) > 0:
            try:
                reply = read(flow.receive(left))
            except TimeoutError:
                return
            name = waiting.pop(reply.number, None)
            if name is not None and (reply.rcode != NOERROR or not reply.rdata(A)):
                failed.append(f"{name}: {reply}")

    def test_a_connection_that_is_forgotten_costs_one_query_and_a_quarter_of_a_second(self):
        """Nobody else could be asked. The peer's system confirms all octets: the way alone is dead."""
        ways, tables, routes = [], [{"url": self.behind.url()}], []
        for transport in ("tcp", "tls", "http2", "quic", "h3"):
            scheme = {"http2": "https"}.get(transport, transport)
            open_way = self.ways.datagrams if transport in DATAGRAMS else self.ways.streams
            ways.append(open_way(self.good.address(scheme)))
            tables.append(self.good_table(transport, transport, port=ways[-1].port))
            routes.append({"names": [f"{transport}.example."], "set": transport})
        gateway = self.start(tables, route=routes)
        names = [route["names"][0].rstrip(".") for route in routes]
        with gateway.connect("udp") as flow:
            for n in range(20):
                self.ask_each(flow, n, names)
            # What is slow both times is not so for the machine that runs the test.
            attempts = [self.forget_and_ask(flow, n, ways, names) for n in range(2)]
        slowest = [max(slow for slow, _ in times.values()) for times in attempts]
        # The quarter of a second is for the laboratory by itself: a suite shares its machine.
        self.assertLess(min(slowest), 0.25 if SECONDS else 1.0 * SLOWNESS, attempts)
        self.assertLessEqual(min(max(n for _, n in times.values()) for times in attempts), 1, attempts)

    def forget_and_ask(self, flow, attempt, ways, names):
        """For each name, how long the slowest query took and how many took long."""
        for way in ways:
            way.forget()
        slowest, slow = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
        for n in range(20):
            for name, took in self.ask_each(flow, f"{attempt}-{n}", names).items():
                slowest[name] = max(slowest[name], took)
                slow[name] += took > 0.08 * SLOWNESS
        for way in ways:
            self.assertGreater(way.connections, way.forgotten, "nobody dialled again")
        return {name: (slowest[name], slow[name]) for name in names}

    def ask_each(self, flow, tag, names):
        """One query of each name, all at once; how long each of them took. None fails."""
        began, took = time.monotonic(), {}
        for number, name in enumerate(names):
            flow.send(query(f"q{tag}.{name}", A, number=number))
        while len(took) < len(names):
            reply = read(flow.receive())
            self.assertEqual(reply.rcode, NOERROR, f"{names[reply.number]}: {reply}")
            took[names[reply.number]] = time.monotonic() - began
        return took

    def test_a_flood_of_names_and_loss_while_an_upstream_is_dead(self):
        """One in twenty datagrams is lost, and a zone is asked for names that it has not: hits and all
        other names are answered as ever."""
        self.behind.script = lambda asked: (
            nxdomain(asked) if asked.wire[13:18] == b"flood" else address(asked)
        )
        tables, routes = [{"url": self.behind.url()}], []
        for transport in DATAGRAMS:
            scheme = {"http2": "https"}.get(transport, transport)
            lossy = self.ways.datagrams(self.good.address(scheme), loss=0.05)
            tables += [
                self.good_table(transport, transport, port=self.swallow(transport)),
                self.good_table(transport, transport, port=lossy.port),
            ]
            routes.append({"names": [f"{transport}.example."], "set": transport})
        gateway = self.start(tables, route=routes)
        names = [route["names"][0].rstrip(".") for route in routes]
        flooding = threading.Thread(target=self.flood, args=(gateway, names), daemon=True)
        flooding.start()
        failed, late_hits = self.ask(gateway, names, [], rounds=few(40))
        flooding.join(60)
        self.assertEqual(failed, [])
        self.assertLessEqual(late_hits, LATE_MOST)
        self.assertGreater(self.flooded, 0)

    def flood(self, gateway, names):
        """Names that nobody has asked for before, a hundred of them on their way at all times."""
        with gateway.connect("udp") as flow:
            self.flooded = under_way = 0
            for n in range(few(3000)):
                flow.send(query(f"flood{n}.{names[n % len(names)]}", A, number=n))
                under_way += 1
                if under_way == 100:
                    with contextlib.suppress(TimeoutError):
                        self.flooded += read(flow.receive(LIMIT)).rcode == NXDOMAIN
                    under_way -= 1


if __name__ == "__main__":
    unittest.main()
