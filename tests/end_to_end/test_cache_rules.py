"""What is asked again and what is not: counts of the queries that an upstream saw, rule by rule."""

import json
import time
import unittest

from fake_upstream import FakeUpstream, Lie, address, answer, nodata, nxdomain
from gateway import Sallyport
from harness import EndToEndTest, until
from messages import A, AAAA, CD, MX, NOERROR, NXDOMAIN, RD, SERVFAIL, SOA, TC, TXT, query, read

STALE_ANSWER, STALE_NXDOMAIN_ANSWER = 3, 19


class CacheRules(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.enter(FakeUpstream())
        self.gateway = None

    def start(self, script, **cache):
        self.upstream.script = script
        self.gateway = self.enter(Sallyport(self.folder, [self.upstream.url("udp")], cache=cache))

    def ask(self, name, rdtype=A, transport="udp", **how):
        return read(self.gateway.ask(transport, name, rdtype, **how))

    def ask_until(self, condition, what, *question, seconds=None, **how):
        """Asks again and again until the answer meets the condition, and gives that answer."""

        def once():
            found = self.ask(*question, **how)
            return found if condition(found) else None

        return until(once, what, seconds)

    # Positive answers.

    def test_rfc1035_3_2_1_an_answer_is_kept_for_its_ttl(self):
        self.start(lambda asked: address(asked, ttl=3))
        for transport in ("udp", "tcp", "tls", "udp"):
            self.assertEqual(
                self.ask("www.zone.example", transport=transport).rdata(A), [b"\xc0\0\2\1"]
            )
        self.assertEqual(self.upstream.count(), 1)
        self.ask_until(lambda _: self.upstream.count() == 2, "the answer's end", "www.zone.example")
        first, second = self.upstream.asked
        self.assertGreater(second.at - first.at, 1.9, "asked again although the TTL was not over")

    def test_rfc1035_3_2_1_ttls_count_down(self):
        self.start(lambda asked: address(asked, ttl=300))
        self.assertEqual(self.ask("www.zone.example").least_ttl, 300)
        later = self.ask_until(
            lambda found: found.least_ttl < 300, "the TTL to fall", "www.zone.example"
        )
        self.assertGreater(later.least_ttl, 200)
        self.assertEqual(self.upstream.count(), 1)

    def test_rfc1035_3_2_1_ttl_zero_is_for_one_exchange(self):
        self.start(lambda asked: address(asked, ttl=0))
        for _ in range(4):
            self.assertEqual(self.ask("now.zone.example").least_ttl, 0)
        self.assertEqual(self.upstream.count(), 4)

    def test_rfc2181_5_2_ttls_of_an_rrset_are_made_equal(self):
        self.start(
            lambda asked: answer(
                asked, f"{asked.name}. 300 IN A 192.0.2.1", f"{asked.name}. 50 IN A 192.0.2.2"
            )
        )
        reply = self.gateway.ask("tcp", "www.zone.example")
        found = read(reply)
        ttls = {int.from_bytes(reply[offset : offset + 4]) for offset in found.ttl_offsets}
        self.assertEqual((len(found.ttl_offsets), ttls), (2, {50}))

    def test_rfc2181_8_a_ttl_with_its_top_bit_set_is_zero(self):
        def script(asked):
            wire = bytearray(address(asked, ttl=1))
            wire[wire.rindex(b"\0\0\0\1\0\4")] = 0x80
            return bytes(wire)

        self.start(script)
        for _ in range(2):
            self.assertEqual(self.ask("www.zone.example").least_ttl, 0)
        self.assertEqual(self.upstream.count(), 2)

    def test_rfc4343_3_letter_case_does_not_matter_and_is_kept(self):
        self.start(address)
        for name in ("www.zone.example", "WWW.ZONE.EXAMPLE", "wWw.zOnE.eXaMpLe"):
            found = self.ask(name)
            self.assertEqual(found.question[0], query(name)[12 : 12 + len(name) + 2])
        self.assertEqual(self.upstream.count(), 1)

    def test_types_and_names_are_kept_apart(self):
        self.start(lambda asked: address(asked) if asked.rdtype == A else nodata(asked))
        for name in ("a.zone.example", "b.zone.example"):
            for rdtype in (A, AAAA, MX, A, AAAA, MX):
                self.ask(name, rdtype)
        self.assertEqual(self.upstream.count(), 6)

    def test_rfc4035_3_2_2_do_and_cd_are_kept_apart_and_passed_on(self):
        self.start(address)
        variants = [(do, cd) for do in (False, True) for cd in (0, CD)]
        for _ in range(2):
            for do, cd in variants:
                found = self.ask("www.zone.example", dnssec_ok=do, flags=RD | cd)
                self.assertEqual(found.flags & CD, cd)
                self.assertEqual(found.edns[2] & 0x8000, 0x8000 if do else 0)
        travelled = [
            (one.read.edns[2] & 0x8000 != 0, one.read.flags & CD) for one in self.upstream.asked
        ]
        self.assertEqual(travelled, variants)

    def test_min_ttl_and_max_ttl(self):
        self.start(
            lambda asked: address(asked, ttl=1 if asked.name.startswith("short") else 100_000),
            min_ttl="60s",
            max_ttl="1h",
        )
        self.assertEqual(self.ask("short.zone.example").least_ttl, 60)
        self.assertEqual(self.ask("long.zone.example").least_ttl, 3600)
        time.sleep(1.5)  # longer than the answer's own TTL
        self.assertGreater(self.ask("short.zone.example").least_ttl, 50)
        self.assertEqual(self.upstream.count(), 2)

    def test_rfc2181_9_a_truncated_reply_is_asked_again_over_tcp_and_kept_whole(self):
        text = " ".join(f'"{n:0>200}"' for n in range(10))

        def script(asked):
            whole = answer(asked, f"{asked.name}. 300 IN TXT {text}")
            return Lie.truncated(whole) if asked.transport == "udp" else whole

        self.start(script)
        small = self.ask("big.zone.example", TXT)
        self.assertEqual((small.flags & TC, small.sections[0]), (TC, {}))
        whole = self.ask("big.zone.example", TXT, transport="tcp")
        self.assertEqual((whole.flags & TC, len(whole.rdata(TXT)[0])), (0, 2010))
        self.assertEqual([one.transport for one in self.upstream.asked], ["udp", "tcp"])

    # Negative answers.

    def test_rfc2308_5_nodata_is_kept_for_its_type(self):
        self.start(nodata)
        for _ in range(3):
            found = self.ask("www.zone.example", AAAA)
            self.assertEqual((found.rcode, found.sections[0]), (NOERROR, {}))
            # The lesser of the SOA's own TTL and its MINIMUM.
            self.assertLessEqual(found.ttls[1, b"\4zone\7example\0", SOA, 1], 60)
        self.assertEqual(self.upstream.count(), 1)
        self.ask("www.zone.example", MX)
        self.assertEqual(self.upstream.count(), 2)

    def test_rfc2308_5_nxdomain_is_kept_for_all_types(self):
        self.start(nxdomain)
        for rdtype in (A, AAAA, MX, TXT):
            self.assertEqual(self.ask("no.zone.example", rdtype).rcode, NXDOMAIN)
        self.assertEqual(self.upstream.count(), 1)

    def test_rfc2308_5_without_a_soa_nothing_is_kept(self):
        self.start(
            lambda asked: nxdomain(asked, soa=None)
            if asked.name.startswith("no")
            else nodata(asked, soa=None)
        )
        for name, rcode in (("no.zone.example", NXDOMAIN), ("www.zone.example", NOERROR)):
            for _ in range(3):
                self.assertEqual(self.ask(name).rcode, rcode)
        self.assertEqual(
            (self.upstream.count("no.zone.example"), self.upstream.count("www.zone.example")),
            (3, 3),
        )

    def test_rfc2308_5_a_negative_answer_ends(self):
        self.start(
            lambda asked: nxdomain(
                asked, "zone.example. 600 IN SOA n.example. h.example. 1 2 3 4 2"
            )
        )
        self.ask("no.zone.example")
        self.ask_until(lambda _: self.upstream.count() == 2, "its end", "no.zone.example")
        first, second = self.upstream.asked
        self.assertGreater(second.at - first.at, 0.9)

    def test_rfc8020_2_nxdomain_holds_for_all_names_below(self):
        self.start(nxdomain)
        self.ask("no.zone.example")
        for name in ("sub.no.zone.example", "a.b.c.no.zone.example", "SUB.NO.zone.example"):
            found = self.ask(name, MX)
            self.assertEqual(found.rcode, NXDOMAIN)
            self.assertIn((b"\4zone\7example\0", SOA, 1), found.sections[1])
        self.assertEqual(self.upstream.count(), 1)
        self.ask("notno.zone.example")
        self.ask("zone.example")
        self.assertEqual(self.upstream.count(), 3)

    def test_rfc8020_2_nxdomain_behind_an_alias_says_nothing_of_the_alias(self):
        def script(asked):
            if asked.name != "alias.zone.example":
                return address(asked)
            return answer(
                asked,
                "alias.zone.example. 300 IN CNAME nowhere.zone.example.",
                rcode=NXDOMAIN,
                authority=["zone.example. 600 IN SOA n.example. h.example. 1 2 3 4 60"],
            )

        self.start(script)
        self.assertEqual(self.ask("alias.zone.example").rcode, NXDOMAIN)
        self.assertEqual(self.ask("below.alias.zone.example").rcode, NOERROR)
        self.assertEqual(self.upstream.count(), 2)

    def test_rfc8198_5_nothing_is_made_up_from_nsec(self):
        def script(asked):
            return answer(
                asked,
                rcode=NXDOMAIN,
                authority=[
                    "zone.example. 600 IN SOA n.example. h.example. 1 2 3 4 60",
                    "a.zone.example. 60 IN NSEC z.zone.example. A RRSIG NSEC",
                ],
            )

        self.start(script)
        for name in ("b.zone.example", "c.zone.example", "d.zone.example"):
            self.ask(name, dnssec_ok=True)
        self.assertEqual(self.upstream.count(), 3)

    # Failures.

    def test_rfc9520_3_2_a_failure_is_remembered_and_forgotten(self):
        self.start(lambda asked: answer(asked, rcode=SERVFAIL), failure_ttl="2s")
        self.assertEqual(self.ask("broken.zone.example").rcode, SERVFAIL)
        tries = self.upstream.count()
        self.assertLessEqual(tries, 3)  # RFC 9520 §3.1
        for transport in ("udp", "tcp", "tls") * 3:
            self.assertEqual(self.ask("broken.zone.example", transport=transport).rcode, SERVFAIL)
        self.assertEqual(self.upstream.count(), tries)
        last = self.upstream.asked[-1].at
        self.ask_until(
            lambda _: self.upstream.count() > tries,
            "the failure to be forgotten",
            "broken.zone.example",
        )
        self.assertGreater(self.upstream.asked[tries].at - last, 0.9)

    def test_rfc9520_3_2_silence_is_remembered_too(self):
        self.start(lambda asked: None)
        self.assertEqual(self.ask("silent.zone.example").rcode, SERVFAIL)
        tries = self.upstream.count()
        self.assertLessEqual(tries, 6)  # three over UDP, three over TCP
        self.assertEqual(self.ask("silent.zone.example").rcode, SERVFAIL)
        self.assertEqual(self.upstream.count(), tries)

    # Stale answers.

    def is_stale(self, found):
        return found.ede in ([STALE_ANSWER], [STALE_NXDOMAIN_ANSWER]) and found.least_ttl == 30

    def test_rfc8767_4_a_stale_answer_when_the_upstream_is_gone(self):
        self.start(
            lambda asked: address(asked, ttl=1)
            if asked.rdtype == A
            else nxdomain(asked, "zone.example. 600 IN SOA n.example. h.example. 1 2 3 4 1"),
            failure_ttl="1s",
        )
        self.assertEqual(self.ask("www.zone.example").rdata(A), [b"\xc0\0\2\1"])
        self.assertEqual(self.ask("no.zone.example", MX).rcode, NXDOMAIN)
        self.upstream.refuse()
        stale = self.ask_until(self.is_stale, "a stale answer", "www.zone.example")
        self.assertEqual((stale.rdata(A), stale.ede), ([b"\xc0\0\2\1"], [STALE_ANSWER]))
        gone = self.ask_until(self.is_stale, "a stale NXDOMAIN", "no.zone.example", MX)
        self.assertEqual((gone.rcode, gone.ede), (NXDOMAIN, [STALE_NXDOMAIN_ANSWER]))
        self.assertEqual(self.ask("www.zone.example", edns=None).least_ttl, 30)
        self.upstream.script = lambda asked: address(asked, last=2)
        self.upstream.listen()
        back = self.ask_until(
            lambda found: not found.ede, "the fresh answer", "www.zone.example", seconds=60
        )
        self.assertEqual(back.rdata(A), [b"\xc0\0\2\2"])

    def test_rfc8767_4_servfail_does_not_take_a_stale_answers_place(self):
        self.start(lambda asked: address(asked, ttl=1))
        self.ask("www.zone.example")
        self.upstream.script = lambda asked: answer(asked, rcode=SERVFAIL)
        self.ask_until(self.is_stale, "a stale answer", "www.zone.example")

    def test_stale_answers_can_be_switched_off(self):
        self.start(lambda asked: address(asked, ttl=1), stale="0s")
        self.ask("www.zone.example")
        self.upstream.script = lambda asked: answer(asked, rcode=SERVFAIL)
        self.ask_until(lambda found: found.rcode == SERVFAIL, "SERVFAIL", "www.zone.example")

    # What people may do.

    def test_cache_flush(self):
        self.start(lambda asked: address(asked) if asked.rdtype == A else nodata(asked))
        names = ("www.zone.example", "ftp.zone.example", "www.other.example")
        for name in names:
            self.ask(name)
            self.ask(name, AAAA)
        self.assertEqual(self.upstream.count(), 6)
        counts = lambda: [self.upstream.count(name) for name in names]
        for arguments, expected in (
            (["WWW.zone.example"], [4, 2, 2]),
            (["zone.example", "--below"], [6, 4, 2]),
            ([], [8, 6, 4]),
        ):
            flushed = self.gateway.verb("cache", "flush", *arguments, "--json")
            self.assertEqual(flushed.returncode, 0, flushed.stderr)
            json.loads(flushed.stdout)
            for name in names:
                self.ask(name)
                self.ask(name, AAAA)
            self.assertEqual(counts(), expected, arguments)

    def test_cache_stats(self):
        self.start(address)
        for _ in range(5):
            self.ask("www.zone.example")
        stats = json.loads(self.gateway.verb("cache", "stats", "--json").stdout)
        self.assertEqual((stats["hits_fresh"], stats["misses"]), (4, 1), stats)


if __name__ == "__main__":
    unittest.main()
