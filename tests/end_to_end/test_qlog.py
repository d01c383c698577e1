"""What a gateway logs of its QUIC connections for who debugs them: qlog, a JSON text sequence (RFC 7464)
for each connection, of proved addresses alone."""

import json
import shutil
import stat
import time
import unittest

from doq_client import DoqClient
from harness import until
from messages import NOERROR, query, read
from rfc import RfcTest

SEPARATOR = b"\x1e"
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
        empty, *records = file.read_bytes().split(SEPARATOR)
        self.assertEqual(empty, b"")
        head, *events = [json.loads(record) for record in records]
        self.assertIn("qlog_version", head)
        names = {event["name"] for event in events}
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


if __name__ == "__main__":
    unittest.main()
