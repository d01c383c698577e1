"""What the tests of operation share: a gateway over TCP to an upstream that does as it is told."""

from certificates import Authority
from fake_upstream import FakeUpstream
from gateway import Sallyport
from harness import EndToEndTest
from messages import NOERROR, read


class OperationTest(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.upstream = self.enter(FakeUpstream(identity=self.authority.issue()))

    def start(self, **settings):
        return self.enter(self.prepare(**settings))

    def prepare(self, **settings):
        return Sallyport(
            self.folder, [{"url": self.upstream.url("tcp"), "timeout": "10s"}], **settings
        )

    def assert_serves(self, gateway, name="www.zone.example", transports=("udp", "tcp", "tls")):
        for transport in transports:
            self.assertEqual(read(gateway.ask(transport, name)).rcode, NOERROR, transport)
