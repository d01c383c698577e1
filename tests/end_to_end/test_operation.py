"""What an operator does with a gateway: start, watch, stop, check, and make mistakes."""

import json
import os
import signal
import socket
import unittest

from fake_upstream import HOLD, SILENCE, FakeUpstream
from gateway import BAD_CONFIGURATION, FAILED, OK, UNREACHABLE, USAGE, Metrics, Sallyport, run
from harness import PATIENCE, temporary_folder, until
from messages import NOERROR, SERVFAIL, query, read
from operation import OperationTest


class Stopping(OperationTest):
    def test_sigterm_answers_what_was_asked(self):
        """Also queries whose upstream takes its time."""
        gateway = self.start()
        self.upstream.script = lambda asked: HOLD
        flows = [self.enter(gateway.connect(transport)) for transport in ("udp", "tcp", "tls")]
        for number, flow in enumerate(flows):
            flow.send(query(f"{flow.transport}.zone.example", number=number))
        self.upstream.wait_for(3)
        gateway.process.signal(signal.SIGTERM)
        until(lambda: not self.accepts(gateway), "new connections to be refused")
        self.upstream.release()
        for number, flow in enumerate(flows):
            found = read(flow.receive())
            self.assertEqual((found.number, found.rcode), (number, NOERROR), flow.transport)
        self.assertEqual(gateway.process.wait(), OK)
        gateway.stop()

    def accepts(self, gateway):
        try:
            gateway.connect("tcp").close()
            return True
        except OSError:
            return False

    def test_sigterm_does_not_wait_for_idle_sessions_nor_for_ever(self):
        gateway = self.start()
        idle = [self.enter(gateway.connect(transport)) for transport in ("tcp", "tls")]
        self.assert_serves(gateway)
        self.upstream.script = lambda asked: SILENCE
        asker = self.enter(gateway.connect("tcp"))
        asker.send(query("never.zone.example", number=9))
        self.upstream.wait_for(2)
        gateway.process.signal(signal.SIGTERM)
        for flow in idle:
            flow.wait_closed()
        self.assertEqual(gateway.process.wait(), OK)

    def test_sigint_and_a_start_right_after(self):
        gateway = self.start()
        gateway.process.signal(signal.SIGINT)
        self.assertEqual(gateway.process.wait(), OK)
        gateway.process.stop()
        self.assertTrue(gateway.launch(), "the ports are still taken")
        self.assert_serves(gateway)

    def test_a_new_start_finds_its_authority_again(self):
        """Clients that trust it must not be told to trust another one after each restart."""
        gateway = self.start()
        before = gateway.authority.read_bytes()
        gateway.process.stop()
        self.assertTrue(gateway.launch())
        self.assertEqual(gateway.authority.read_bytes(), before)
        for file in gateway.state.rglob("*"):
            if file.is_file() and b"PRIVATE KEY" in file.read_bytes():
                self.assertEqual(file.stat().st_mode & 0o777, 0o600, file)


class Watching(OperationTest):
    def test_metrics_are_strict_prometheus_and_count_what_happened(self):
        gateway = self.start()
        before = gateway.metrics()
        for transport, count in (("udp", 5), ("tcp", 3), ("tls", 2)):
            with gateway.connect(transport) as flow:
                for n in range(count):
                    flow.ask(query("www.zone.example", number=n))
        after = gateway.metrics()

        def grown(name, **labels):
            return after.total(name, **labels) - before.total(name, **labels)

        for transport, count in (("udp", 5), ("tcp", 3), ("dot", 2)):
            self.assertEqual(grown("sallyport_queries_total", transport=transport), count)
            self.assertEqual(grown("sallyport_responses_total", transport=transport), count)
        self.assertEqual(grown("sallyport_responses_total", source="upstream"), 1)
        self.assertEqual(grown("sallyport_responses_total", source="cache", rcode="NOERROR"), 9)
        self.assertEqual(grown("sallyport_upstream_queries_total"), 1)
        self.assertEqual(grown("sallyport_cache_misses_total"), 1)
        self.assertEqual(grown("sallyport_cache_hits_total"), 9)
        self.assertEqual(grown("sallyport_tls_handshakes_total"), 1)
        self.assertEqual(after.total("sallyport_build_info"), 1)
        for family, kind in after.kinds.items():
            self.assertTrue(family.startswith(("sallyport_", "process_")), family)
            self.assertEqual(family.endswith("_total"), kind == "counter", family)
            self.assertIn(family, after.helps)

    def test_no_name_of_a_client_gets_into_the_metrics(self):
        gateway = self.start()
        for name in (
            "quo\\034te.example",
            "new\\010line.example",
            "<script>alert(1)</script>.example",
            "{x=1}.example",
        ):
            for rdtype in (1, 65280, 65281):
                read(gateway.ask("udp", name, rdtype))
        status, headers, text = gateway.get("/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain"), headers)
        Metrics(text)
        self.assertNotIn("<script", text)
        types = {
            dict(labels).get("qtype")
            for (name, labels) in Metrics(text).samples
            if name == "sallyport_queries_total"
        }
        self.assertLess(
            len([one for one in types if one and "6528" in one]),
            2,
            "a label whose values clients choose",
        )

    def test_healthz_and_what_the_admin_listener_does_not_do(self):
        gateway = self.start()
        self.assertEqual(gateway.healthz()[0], 200)
        self.assertEqual(gateway.get("/reload")[0], 404)
        self.assertEqual(gateway.get("/")[0], 404)
        with socket.create_connection(("127.0.0.1", gateway.admin_port), PATIENCE) as raw:
            raw.sendall(b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
            first_line = raw.makefile("rb").readline()
        self.assertNotIn(b" 200 ", first_line, "DNS rebinding: a page of any name may read it")
        self.assert_serves(gateway)

    def test_status_tells_what_runs(self):
        gateway = self.start()
        self.assert_serves(gateway)
        told = gateway.verb("status", "--json")
        self.assertEqual(told.returncode, OK, told.stderr)
        status = json.loads(told.stdout)
        self.assertEqual(
            (status["process_id"], status["workers"], status["queries"]),
            (gateway.process.pid, 2, 3),
        )
        self.assertEqual(
            {one["url"] for one in status["listeners"]}, set(gateway.tables()["server"]["listen"])
        )
        self.assertEqual([one["url"] for one in status["upstreams"]], [self.upstream.url("tcp")])
        self.assertEqual(gateway.verb("status").returncode, OK)

    def test_the_service_manager_is_told(self):
        """sd_notify(3): READY=1 when it serves, STOPPING=1 when it does no longer."""
        path = self.folder / "notify.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(path))
            manager.settimeout(PATIENCE)
            gateway = self.prepare()
            gateway.environment = lambda: {"NOTIFY_SOCKET": str(path)}
            self.enter(gateway)
            self.assertIn(b"READY=1", manager.recv(4096))
            gateway.stop()
            told = b""
            while b"STOPPING=1" not in told:
                told = manager.recv(4096)


class Mistakes(OperationTest):
    def test_check_says_all_that_is_wrong_and_exits_by_it(self):
        good = self.folder / "good.toml"
        good.write_text('[[upstream]]\nurl = "udp://192.0.2.1"\n')
        self.assertEqual(run("check", good).returncode, OK)
        bad = self.folder / "bad.toml"
        bad.write_text(
            '[server]\nlisten = ["udp://127.0.0.1:70000"]\nlisen = 1\n\n[cache]\nsize = 7\n'
        )
        told = run("check", bad)
        self.assertEqual(told.returncode, BAD_CONFIGURATION)
        text = told.stdout + told.stderr
        for line, wrong in ((2, "70000"), (3, "lisen"), (6, "size")):
            self.assertRegex(text, rf"bad\.toml:{line}\b")
            self.assertIn(wrong, text)
        self.assertIn("did you mean `listen`", text)
        as_json = run("check", bad, "--json")
        self.assertEqual(as_json.returncode, BAD_CONFIGURATION)
        self.assertEqual(len(json.loads(as_json.stdout)["problems"]), 3)

    def test_exit_codes(self):
        self.assertEqual(run("--help").returncode, OK)
        self.assertEqual(run("version", "--json").returncode, OK)
        for wrong in (["rnu"], ["run", "--no-such-thing"], ["query"], ["cache"]):
            with self.subTest(arguments=wrong):
                self.assertEqual(run(*wrong).returncode, USAGE)
        missing = run("run", "--config", self.folder / "none.toml")
        self.assertEqual(missing.returncode, BAD_CONFIGURATION)
        self.assertIn("none.toml", missing.stdout + missing.stderr)
        gateway = self.prepare()
        self.enter(gateway.ports)
        gateway.configure()
        self.assertEqual(gateway.verb("reload").returncode, UNREACHABLE)
        self.assertEqual(gateway.verb("status").returncode, UNREACHABLE)
        nobody = self.enter(FakeUpstream())
        nobody.refuse()
        for scheme in ("udp", "tcp"):
            self.assertEqual(
                run(
                    "query", f"@{nobody.url(scheme)}", "www.zone.example", "--timeout", "500ms"
                ).returncode,
                UNREACHABLE,
            )

    def test_our_own_query_over_every_transport(self):
        schemes = ("udp", "tcp", "tls", "quic", "https", "h3")
        gateway = self.start(listen=schemes)
        for scheme in schemes:
            host, port = gateway.address(scheme)
            trust = ["--ca", gateway.authority] if scheme not in ("udp", "tcp") else []
            told = run("query", f"@{scheme}://{host}:{port}", "www.zone.example", "--json", *trust)
            self.assertEqual(told.returncode, OK, told.stderr)
            self.assertIn("192.0.2.1", told.stdout)
            json.loads(told.stdout)
            self.assertEqual(
                run(
                    "query", f"@{scheme}://{host}:{port}", "www.zone.example", "--short", *trust
                ).stdout.strip(),
                "192.0.2.1",
            )
        for scheme in schemes[2:]:
            host, port = gateway.address(scheme)
            stranger = run("query", f"@{scheme}://{host}:{port}", "www.zone.example")
            self.assertEqual(
                stranger.returncode, UNREACHABLE, "an authority that nobody named was believed"
            )
            self.assertIn("certificate", stranger.stderr)

    def test_a_second_instance_with_the_same_state_directory_is_refused(self):
        gateway = self.start()
        with temporary_folder() as folder:
            second = Sallyport(
                folder, [self.upstream.url("udp")], server={"state_directory": gateway.state}
            )
            second.configure()
            told = run("run", "--config", second.config)
            second.ports.__exit__()
        self.assertEqual(told.returncode, FAILED, told.stderr)
        self.assertIn(str(gateway.state), told.stdout + told.stderr)
        self.assert_serves(gateway)
        self.assertEqual(gateway.verb("status").returncode, OK)

    def test_a_port_that_is_taken_is_named(self):
        gateway = self.prepare()
        self.enter(gateway.ports)
        gateway.configure()
        with socket.create_server(gateway.address("tcp")):
            told = run("run", "--config", gateway.config)
        self.assertEqual(told.returncode, FAILED)
        self.assertIn(str(gateway.address("tcp")[1]), told.stdout + told.stderr)


class Logs(OperationTest):
    """Whatever becomes of the log, answers do not wait for it."""

    def trouble(self, gateway):
        """Makes it say things: failing upstreams, reloads, queries that are no queries."""
        for n in range(3):
            self.assertEqual(gateway.reload().returncode, OK)
        self.upstream.refuse()
        with gateway.connect("udp") as flow:
            for n in range(300):
                flow.send(query(f"n{n}.zone.example", number=n))
            for n in range(300):
                self.assertEqual(read(flow.receive()).rcode, SERVFAIL)
        self.upstream.listen()

    def check(self, gateway):
        self.assert_serves(gateway)
        self.trouble(gateway)
        numbers = iter(range(100_000))
        until(
            lambda: read(gateway.ask("udp", f"back{next(numbers)}.zone.example")).rcode == NOERROR,
            "service again",
            60,
        )
        self.assert_serves(gateway, name="www.zone.example")

    def check_with_standard_error(self, descriptor):
        gateway = self.prepare(log={"level": "debug"})
        gateway.stderr = descriptor
        self.enter(gateway)
        os.close(descriptor)
        self.check(gateway)

    def test_full_disk(self):
        self.check(self.start(log={"file": "/dev/full", "level": "debug"}))

    def test_standard_error_that_is_closed(self):
        reading, writing = os.pipe()
        os.close(reading)
        self.check_with_standard_error(writing)

    def test_a_pipe_that_nobody_reads(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writing, True)
        self.check_with_standard_error(writing)

    def test_json_lines(self):
        file = self.folder / "gateway.log"
        gateway = self.start(log={"file": file, "format": "json", "level": "debug"})
        self.trouble(gateway)
        gateway.stop()
        lines = file.read_text().splitlines()
        self.assertGreater(len(lines), 3)
        for line in lines:
            self.assertIsInstance(json.loads(line), dict)
        self.assertNotIn(".zone.example", file.read_text(), "no query log unless it was asked for")


if __name__ == "__main__":
    unittest.main()
