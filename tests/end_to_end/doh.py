"""What the tests of the DoH listeners share: one gateway for each class of them, and its clients."""

from http_clients import PATH, Http1, Http2, Response, asking, request_fields
from messages import A, NOERROR, query, read
from rfc import ADDRESS, RfcTest
from test_doh3 import DATA, HEADERS, Doh3Client, frame

VERSIONS = ("h2", "http/1.1")
IN_THE_CLEAR = ("h2c", "http/1.1 in the clear")  # as from a reverse proxy


class Http3:
    """Requests as over the other versions. The connection is the caller's to close."""

    def __init__(self, connection):
        self._connection = connection

    def request(self, fields, body=None):
        octets = [(name.encode(), value.encode("latin-1")) for name, value in fields]
        head = frame(HEADERS, self._connection.encoder.encode(0, octets)[1])
        return self._connection.request(head + (frame(DATA, body) if body else b""))

    def response(self, stream, seconds=None):
        found = self._connection.response(stream, seconds)
        if isinstance(found, int):
            raise AssertionError(f"stream {stream}: reset with {found:#x}")
        fields = {name: value for name, value in found.fields.items() if name != ":status"}
        return Response(found.status, fields, found.body, True)

    def ask(self, wire, method="POST", path=PATH, seconds=None, fields=()):
        asked, body = asking(wire, method, path)
        return self.response(self.request([*asked, *fields], body), seconds)

    def get(self, path, *fields, method="GET"):
        return self.response(self.request(request_fields(method, path, *fields)))


class DohTest(RfcTest):
    """`settings` are the gateway's, laid over ours."""

    settings = {"listen": ("udp", "https")}

    def connect(self, version, scheme, **how):
        where = self.gateway.address(scheme)
        return self.enterContext(version(where, self.gateway.authority, **how))

    def h2(self, **how):
        return self.connect(Http2, "https", **how)

    def h1(self, **how):
        return self.connect(Http1, "https", **how)

    def client(self, version):
        if version == "h3":
            return Http3(self.connect(Doh3Client, "h3"))
        if version in IN_THE_CLEAR:
            return self.connect(Http2 if version == "h2c" else Http1, "http", secure=False)
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
