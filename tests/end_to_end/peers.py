"""Real servers for the gateway to ask: Knot DNS, which has the zone, Unbound and dnsdist in front of it."""

import contextlib

from certificates import NAME
from clients import Stream, Udp
from harness import Server, peer
from messages import SOA, query, read


def answers(port, name):
    """Whether a server on that port gives a SOA record for the name."""
    try:
        with Udp(("127.0.0.1", port)) as flow:
            reply = read(flow.ask(query(name, SOA, number=1), seconds=0.3))
        return reply.rcode == 0 and bool(reply.sections[0])
    except TimeoutError:
        return False


class Upstream(Server):
    """What all have: ports for plain DNS, DoT and DoH, as far as they speak these, and URLs as the
    configuration names them."""

    def __init__(self, folder, identity):
        super().__init__(folder)
        self.identity = identity
        self.port = self.tls_port = self.https_port = 0

    def url(self, scheme):
        host, port = self.address(scheme)
        path = "/dns-query" if scheme == "https" else ""
        name = f"#{NAME}" if scheme in ("tls", "https") else ""
        return f"{scheme}://{host}:{port}{path}{name}"

    def address(self, scheme):
        ports = {"tls": self.tls_port, "https": self.https_port}
        return ("127.0.0.1", ports.get(scheme, self.port))


class Knot(Upstream):
    """An authoritative server. `zones` are (name, file)."""

    name = "knotd"

    def __init__(self, folder, identity, zones):
        super().__init__(folder, identity)
        self.zones = zones

    def configure(self):
        self.port, self.tls_port = self.ports.take(), self.ports.take()
        (self.folder / "knot").mkdir(exist_ok=True)
        zones = "".join(f"- domain: {name}\n  file: {file}\n" for name, file in self.zones)
        (self.folder / "knot.conf").write_text(
            f"""\
server:
  rundir: {self.folder}/knot
  listen: 127.0.0.1@{self.port}
  listen-tls: 127.0.0.1@{self.tls_port}
  cert-file: {self.identity.chain_file}
  key-file: {self.identity.key_file}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {self.folder}/knot
log:
- target: stderr
  any: warning
template:
- id: default
  zonefile-load: whole
  zonefile-sync: -1
  journal-content: none
  semantic-checks: off
zone:
{zones}"""
        )

    def arguments(self):
        return [peer("knotd"), "-c", self.folder / "knot.conf"]

    def is_ready(self):
        return answers(self.port, self.zones[0][0])


class Unbound(Upstream):
    """A recursive server, which forwards everything to `behind` and keeps what it hears."""

    name = "unbound"

    def __init__(self, folder, identity, behind, zone):
        super().__init__(folder, identity)
        self.behind = behind
        self.zone = zone

    def configure(self):
        self.port, self.tls_port, self.https_port = (self.ports.take() for _ in range(3))
        (self.folder / "unbound.conf").write_text(
            f"""\
server:
  directory: "{self.folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  verbosity: 0
  num-threads: 1
  module-config: "iterator"
  do-daemonize: no
  interface: 127.0.0.1@{self.port}
  interface: 127.0.0.1@{self.tls_port}
  interface: 127.0.0.1@{self.https_port}
  tls-port: {self.tls_port}
  https-port: {self.https_port}
  http-endpoint: "/dns-query"
  tls-service-key: "{self.identity.key_file}"
  tls-service-pem: "{self.identity.chain_file}"
  do-not-query-localhost: no
  msg-cache-size: 128m
  rrset-cache-size: 256m
  incoming-num-tcp: 200
  max-udp-size: 4096
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{self.behind.port}
"""
        )

    def arguments(self):
        return [peer("unbound"), "-d", "-c", self.folder / "unbound.conf"]

    def is_ready(self):
        return answers(self.port, self.zone)


class Dnsdist(Upstream):
    """A balancer, which asks one server: `server` is what newServer() is given. With an identity it is
    a DoH server, too; it keeps nothing."""

    name = "dnsdist"

    def __init__(self, folder, server, identity=None):
        super().__init__(folder, identity)
        self.server = server

    def configure(self):
        self.port, self.https_port = self.ports.take(), self.ports.take()
        doh = self.identity and (
            f'addDOHLocal("127.0.0.1:{self.https_port}", "{self.identity.chain_file}",'
            f' "{self.identity.key_file}", {{"/dns-query"}})'
        )
        (self.folder / "dnsdist.conf").write_text(
            f"""\
setLocal("127.0.0.1:{self.port}")
setSecurityPollSuffix("")
{doh or ""}
newServer({{{self.server}, healthCheckMode="up"}})
"""
        )

    def arguments(self):
        config = self.folder / "dnsdist.conf"
        return [peer("dnsdist"), "--supervised", "--disable-syslog", "-C", config]

    def is_ready(self):
        with contextlib.suppress(OSError):
            Stream(("127.0.0.1", self.port), 1).close()
            return True
        return False
