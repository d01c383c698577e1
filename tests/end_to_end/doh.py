"""What the tests of the DoH listener share: one gateway for each class of them, and its clients."""

from http_clients import Http1, Http2
from messages import A, NOERROR, query, read
from rfc import ADDRESS, RfcTest

VERSIONS = ("h2", "http/1.1")


class DohTest(RfcTest):
    """`settings` are the gateway's, laid over ours."""

    settings = {"listen": ("udp", "https")}

    def h2(self, **how):
        return self.enterContext(
            Http2(self.gateway.address("https"), self.gateway.authority, **how)
        )

    def h1(self, **how):
        return self.enterContext(
            Http1(self.gateway.address("https"), self.gateway.authority, **how)
        )

    def client(self, version):
        return self.h2() if version == "h2" else self.h1()

    def assert_answer(self, response, rdata=(ADDRESS,)):
        """A DNS answer with these addresses; gives it."""
        self.assertEqual(response.status, 200, response)
        found = read(response.body)
        self.assertEqual((found.rcode, found.rdata(A)), (NOERROR, list(rdata)), found)
        return found

    def assert_serves(self, client):
        """The connection goes on."""
        self.assert_answer(client.ask(query("serves.example")))

    def metric(self, name, **labels):
        return self.gateway.metrics().total(name, **labels)
