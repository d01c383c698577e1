"""What the README says to nginx, Caddy and HAProxy, taken from there word for word and run with the real
programs: their clients get answers, and `allow` counts for whom they serve. RFC 7239, RFC 9113 §3.3,
HAProxy's proxy-protocol.txt."""

import contextlib
import re
import signal
import socket
import textwrap
import unittest

from certificates import NAME, Authority
from clients import Dot, ask_many
from doh import VERSIONS
from harness import PEERS, SOURCE, Server, peer, temporary_folder
from http_clients import Doh, Http1, Http2
from messages import A, NOERROR, REFUSED, query, read
from rfc import ADDRESS, RfcTest, few

ALLOWED, OTHER = "127.0.0.3", "127.0.0.4"
README = (SOURCE / "README.md").read_text()


def recipe(pattern):
    """The one place of the README that matches; what the parentheses enclose, if there are any."""
    found = re.findall(pattern, README, re.MULTILINE)
    assert len(found) == 1, (pattern, found)
    return found[0]


class Front(Server):
    """A program between the client and the gateway, serving on `self.port`. `rules` is the README's
    text, in which `there` is where the gateway is said to be."""

    def __init__(self, folder, identity, rules, there, gateway):
        super().__init__(folder)
        self.identity, self.port = identity, 0
        assert there in rules, rules
        self.rules = rules.replace(there, "{}:{}".format(*gateway))

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def write(self, text):
        self.port = self.ports.take()
        self.file = self.folder / f"{self.name}.conf"
        self.file.write_text(textwrap.dedent(text(self.port)))

    def is_ready(self):
        with contextlib.suppress(OSError), socket.create_connection(self.address, 1):
            return True
        return False


class Nginx(Front):
    name = "nginx"

    def head(self):
        return (
            f"daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log stderr warn;\n"
            "events { worker_connections 256; }\n"
        )

    def configure(self):
        upstream, rest = self.rules.split("\n", 1)
        temporary = " ".join(
            f"{kind}_temp_path {self.folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self.write(
            lambda port: self.head()
            + f"http {{ access_log off; {temporary}\n{upstream}\n"
            + f"server {{ listen 127.0.0.1:{port} ssl; http2 on; keepalive_requests 100000;\n"
            + f"ssl_certificate {self.identity.chain_file};\n"
            + f"ssl_certificate_key {self.identity.key_file};\n{rest}\n}} }}\n"
        )

    def arguments(self):
        return [peer("nginx"), "-p", self.folder, "-e", "stderr", "-c", self.file]


class NginxStream(Nginx):
    def configure(self):
        module = next(PEERS.glob("usr/lib/nginx/modules/ngx_stream_module.so"))
        self.write(
            lambda port: f"load_module {module};\n{self.head()}"
            + f"stream {{ server {{ listen 127.0.0.1:{port}; {self.rules} }} }}\n"
        )


class Caddy(Front):
    name = "caddy"

    def configure(self):
        self.write(
            lambda port: f"""\
            {{
              admin off
              auto_https off
            }}
            https://:{port} {{
              bind 127.0.0.1
              tls {self.identity.chain_file} {self.identity.key_file}
              {self.rules}
            }}
            """
        )

    def arguments(self):
        return [peer("caddy"), "run", "--adapter", "caddyfile", "--config", self.file]

    def environment(self):
        return {"HOME": str(self.folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}


class HaProxy(Front):
    name = "haproxy"

    def configure(self):
        self.write(
            lambda port: f"""\
            defaults
              mode tcp
              timeout connect 10s
              timeout client 60s
              timeout server 60s
            listen dns
              bind 127.0.0.1:{port}
              {self.rules}
            """
        )

    def arguments(self):
        return [peer("haproxy"), "-db", "-f", self.file]

    def stop(self):
        if self.process:
            process, self.process = self.process, None
            process.stop(expected=(-signal.SIGTERM,))  # the signal goes on to itself


class RecipesTest(RfcTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(temporary_folder())
        cls.authority = Authority(folder)
        cls.identity = cls.authority.issue()

    def front(self, kind, rules, there, scheme, identity=None):
        return self.enter(
            kind(self.folder, identity or self.identity, rules, there, self.gateway.address(scheme))
        )

    def assert_all_answered(self, flow, count, zone):
        answers = {}
        lost = ask_many(
            [(flow, ((n, query(f"n{n}.{zone}.example")) for n in range(count)))],
            lambda _, n, __, reply: answers.__setitem__(n, read(reply).rdata(A)),
            window=20,
        )
        self.assertEqual(lost, [])
        self.assertEqual({tuple(found) for found in answers.values()}, {(ADDRESS,)})


class ReverseProxies(RecipesTest):
    settings = {
        "listen": ("udp", "http"),
        "server": {"allow": [ALLOWED]},
        "proxy": {"reverse_proxies": ["127.0.0.1"], "field": "x-forwarded-for"},
    }
    there = "127.0.0.1:8053"

    def assert_works(self, front):
        for version in VERSIONS:
            client = Http2 if version == "h2" else Http1
            for source, rcode in ((ALLOWED, NOERROR), (OTHER, REFUSED)):
                with self.subTest(version=version, source=source):
                    with client(front.address, self.authority.file, source=source) as asking:
                        for method in ("GET", "POST"):
                            response = asking.ask(query(f"{version[:2]}.example"), method)
                            self.assertEqual(response.status, 200, response)
                            self.assertEqual(read(response.body).rcode, rcode)
                            spoofed = (("x-forwarded-for", ALLOWED),)
                            response = asking.ask(query("spoofed.example"), method, fields=spoofed)
                            self.assertEqual(read(response.body).rcode, rcode)
        for method in ("GET", "POST"):
            with Doh(front.address, self.authority.file, method, source=ALLOWED) as flow:
                self.assert_all_answered(flow, few(500), f"{method}.{front.name}".lower())

    def test_nginx(self):
        rules = recipe(r"^    (upstream sallyport (?:.*\n    )+\})\n")
        self.assert_works(self.front(Nginx, rules, self.there, "http"))

    def test_caddy(self):
        rules = recipe(r"^Caddy: `(.*)`\.$")
        self.assert_works(self.front(Caddy, rules, self.there, "http"))


class Balancers(RecipesTest):
    settings = {
        "listen": ("udp", "tcp", "tls"),
        "server": {"allow": [ALLOWED]},
        "proxy": {"balancers": ["127.0.0.1"]},
        "limits": {"sessions_per_client": 100},
    }
    there = "10.0.0.53:853"

    def assert_works(self, front):
        for source, rcode in ((ALLOWED, NOERROR), (OTHER, REFUSED)):
            with contextlib.closing(
                Dot(front.address, self.gateway.authority, source=source)
            ) as flow:
                self.assertEqual(read(flow.ask(query("balanced.example"))).rcode, rcode)
                if rcode == NOERROR:
                    self.assert_all_answered(flow, few(500), front.name)

    def test_haproxy(self):
        self.assert_works(self.front(HaProxy, recipe(r"^HAProxy: `(.*?)`"), self.there, "tls"))

    def test_nginx(self):
        rules = recipe(r"nginx, in `stream \{ server \{ … \} \}`: `(.*?)`")
        self.assert_works(self.front(NginxStream, rules, self.there, "tls"))


if __name__ == "__main__":
    unittest.main()
