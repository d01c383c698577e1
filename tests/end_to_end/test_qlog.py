"""What a gateway logs of its QUIC connections for who debugs them, with clients and to upstreams: qlog, a
JSON text sequence (RFC 7464) for each connection, of proved addresses alone."""

import json
import shutil
import stat
import time
import unittest

from doq_client import DoqClient
from fake_upstream import FakeUpstream
from gateway import OK, Sallyport
from harness import EndToEndTest, until
from messages import NOERROR, query, read
from rfc import RfcTest, anything

SEPARATOR = b"\x1e"


def events_of(octets):
    """The events of a whole log, read strictly."""
    empty, *records = octets.split(SEPARATOR)
    assert empty == b"" and octets.endswith(b"\n"), octets[:100]
    head, *events = [json.loads(record) for record in records]
    assert "qlog_version" in head, head
    return events


WWW = query("www.zone.example", number=0)


class Qlog(RfcTest):
    settings = {"listen": ("udp", "quic"), "quic": {"qlog_directory": "qlog", "retry_above": 100000}}

    @property
    def folder_of_logs(self):
        return self.gateway.config.parent / "qlog"

    def files(self):
        return list(self.folder_of_logs.glob("*")) if self.folder_of_logs.exists() else []

    def connect(self, **how):
        return DoqClient(self.gateway.address("quic"), self.gateway.authority, **how)

    def test_rfc7464_2_1_each_connection_has_a_sequence_of_its_own(self):
        before = set(self.files())
        with self.connect() as client:
            self.assertEqual(read(client.ask(WWW)).rcode, NOERROR)
        until(
            lambda: any(b"connection_closed" in file.read_bytes() or file.stat().st_size > 2000
                        for file in set(self.files()) - before),
            "the log of a connection that has ended",
        )
        (file,) = set(self.files()) - before
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        until(lambda: file.read_bytes().endswith(b"\n"), "whole records")
        names = {event["name"] for event in events_of(file.read_bytes())}
        self.assertTrue({name for name in names if name.endswith("packet_received")}, names)
        self.assertTrue({name for name in names if name.endswith("packet_sent")}, names)

    def test_rfc9000_8_1_an_address_that_is_not_proved_leaves_nothing(self):
        before = len(self.files())
        clients = [self.enter(self.connect(connect=False)) for _ in range(10)]
        until(
            lambda: self.gateway.metrics().total(
                "sallyport_quic_datagrams_total", what="received"
            ) >= 10,
            "the Initials to come",
        )
        time.sleep(0.2)
        self.assertEqual(len(self.files()), before)
        for client in clients:
            client.dropping = True
        # The last of them speaks on, so that the others were not left out for another reason.
        clients[-1].dropping = False
        clients[-1].until(lambda: clients[-1].open, "the handshake")
        until(lambda: len(self.files()) == before + 1, "the log of the one that went on")

    def test_a_directory_that_cannot_be_written_to_costs_no_query(self):
        # Stops root, too, who writes everywhere else.
        shutil.rmtree(self.folder_of_logs, ignore_errors=True)
        self.folder_of_logs.write_text("in the way")
        self.addCleanup(self.folder_of_logs.unlink)
        with self.connect() as client:
            self.assertEqual(read(client.ask(WWW)).rcode, NOERROR)


class ToUpstreams(EndToEndTest):
    def test_connections_to_upstreams_have_logs(self):
        """Also where no QUIC is listened for; a reload switches it off, and on."""
        for name in ("inner", "outer"):
            (self.folder / name).mkdir()
        fake = self.enter(FakeUpstream(anything))
        inner = self.enter(
            Sallyport(self.folder / "inner", [fake.url()], listen=("udp", "quic", "h3"))
        )
        logs = self.folder / "logs"
        urls = [f"{scheme}://127.0.0.1:{inner.address(scheme)[1]}" for scheme in ("quic", "h3")]
        outer = self.enter(
            Sallyport(
                self.folder / "outer",
                [{"url": urls[0], "ca_file": inner.authority}],
                listen=("udp",),
                quic={"qlog_directory": str(logs)},
            )
        )
        for n, (url, directory) in enumerate(zip((urls[0], urls[1], urls[0]), (logs, logs, ""))):
            with self.subTest(url=url, directory=directory):
                outer.upstreams = [{"url": url, "ca_file": inner.authority}]
                outer.settings["quic"] = {"qlog_directory": str(directory)}
                outer.write_config()
                before = set(logs.glob("*"))
                self.assertEqual(outer.reload().returncode, OK)
                self.assertEqual(read(outer.ask("udp", f"n{n}.example")).rcode, NOERROR)
                if directory:
                    until(lambda: set(logs.glob("*")) - before, "a log")
        outer.stop()  # what has waited is written
        files = list(logs.glob("*"))
        self.assertEqual(len(files), 2)
        for file in files:
            self.assertTrue(file.name.endswith("_client.sqlog"), file)
            names = {event["name"].rpartition(":")[2] for event in events_of(file.read_bytes())}
            self.assertLessEqual({"packet_sent", "packet_received"}, names)


if __name__ == "__main__":
    unittest.main()
