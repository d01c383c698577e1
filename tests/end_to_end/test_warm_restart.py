"""The cache from one run of the gateway to the next: warm, as much older as time passed, and never
wrong, whatever became of the file in between."""

import os
import signal
import unittest

from fake_upstream import FakeUpstream, SILENCE, address
from gateway import OK, Sallyport
from harness import EndToEndTest, until
from messages import A, NOERROR, SERVFAIL, read

NAMES = [f"n{number}.zone.example" for number in range(40)]


def last_of(name):
    return int(name[1 : name.index(".")]) + 1


class WarmRestart(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.enter(
            FakeUpstream(lambda asked: address(asked, ttl=3000, last=last_of(asked.name)))
        )

    def start(self, **cache):
        self.gateway = self.enter(
            Sallyport(self.folder, [self.upstream.url("udp")], cache={"save": True, **cache})
        )
        return self.gateway

    @property
    def saved(self):
        return self.gateway.state / "cache.saved"

    def ask_all(self):
        """Which names were answered, each with its own address and nothing else."""
        answered = 0
        for name in NAMES:
            found = read(self.gateway.ask("udp", name))
            if found.rcode == NOERROR:
                self.assertEqual(found.rdata(A), [bytes([192, 0, 2, last_of(name)])], name)
                self.assertLessEqual(found.least_ttl, 3000)
                answered += 1
        return answered

    def warm(self):
        self.assertEqual(self.ask_all(), len(NAMES))
        self.upstream.script = lambda asked: SILENCE
        self.upstream.forget()

    def loaded(self, result="kept"):
        return self.gateway.metrics().total("sallyport_cache_loaded_entries", result=result)

    def again(self):
        """Starts once more; ready when the cache was loaded, too."""
        self.assertTrue(self.gateway.launch())
        until(
            lambda: "saved cache" in self.gateway.process.log() or not self.saved.exists(),
            "the cache to be loaded",
        )

    def test_after_a_stop_nothing_is_asked_again(self):
        self.start()
        self.warm()
        self.gateway.process.stop()
        self.assertEqual(self.saved.stat().st_mode & 0o777, 0o600)
        self.again()
        self.assertEqual(self.ask_all(), len(NAMES))
        self.assertEqual(self.upstream.count(), 0)
        self.assertEqual(self.loaded(), len(NAMES))
        self.assertIn(f"{len(NAMES)} loaded", self.gateway.verb("cache", "stats").stdout)

    def test_kill_9_costs_what_was_learnt_since_the_last_save(self):
        self.start()
        self.warm()
        self.gateway.process.stop()
        self.again()
        self.gateway.process.kill()
        self.again()
        self.assertEqual(self.ask_all(), len(NAMES))

    def test_damage_is_noticed_and_told_and_nothing_wrong_is_served(self):
        self.start(failure_ttl="1s")
        self.warm()
        self.gateway.process.stop()
        whole = self.saved.read_bytes()
        for damaged in (whole[: len(whole) // 2], whole[:100] + b"X" + whole[101:], b"", b"no"):
            self.saved.write_bytes(damaged)
            self.again()
            log = self.gateway.process.log()
            self.assertEqual("saved cache is damaged" in log, damaged != b"", log)
            found = read(self.gateway.ask("udp", NAMES[0]))
            self.assertEqual(found.rcode, SERVFAIL, "the one block there is was damaged")
            self.gateway.process.kill()
        self.gateway.process = None  # nothing is left to be stopped

    def test_a_flush_holds_over_a_restart_that_nobody_planned(self):
        self.start()
        self.warm()
        self.gateway.process.stop()
        self.again()
        self.assertEqual(self.gateway.verb("cache", "flush").returncode, OK)
        until(
            lambda: self.gateway.metrics().total("sallyport_cache_saves_total", result="ok"),
            "the empty cache to be saved",
        )
        self.gateway.process.kill()
        self.again()
        self.assertEqual(self.loaded(), 0)

    def test_switched_off_it_leaves_nothing_on_disk(self):
        self.start()
        self.warm()
        self.gateway.process.stop()
        self.assertTrue(self.saved.exists())
        self.gateway.settings["cache"]["save"] = False
        self.gateway.write_config()
        self.again()
        self.assertFalse(self.saved.exists())
        self.gateway.process.stop()
        self.assertFalse(self.saved.exists())

    def test_where_nothing_can_be_written_answers_go_on(self):
        gateway = self.start(save_interval="10s")
        os.mkdir(gateway.state / "cache.saved.new")  # what even root cannot write to
        self.assertEqual(self.ask_all(), len(NAMES))
        for _ in range(2):
            gateway.verb("cache", "flush")
        until(
            lambda: gateway.metrics().total("sallyport_cache_saves_total", result="failed") >= 1,
            "a save to fail",
        )
        self.assertEqual(self.ask_all(), len(NAMES))
        gateway.process.signal(signal.SIGTERM)
        self.assertEqual(gateway.process.wait(), OK)
        self.assertEqual(gateway.process.log().count("cannot be saved"), 1)


if __name__ == "__main__":
    unittest.main()
