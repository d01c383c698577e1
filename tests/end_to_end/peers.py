"""Real servers for the gateway to ask: Knot DNS, which has the zone, and Unbound in front of it."""

from certificates import NAME
from clients import Udp
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
    """What both have: ports for plain DNS and DoT, and URLs as the configuration names them."""

    def __init__(self, folder, identity):
        super().__init__(folder)
        self.identity = identity
        self.port = self.tls_port = 0

    def url(self, scheme):
        return (
            f"tls://127.0.0.1:{self.tls_port}#{NAME}"
            if scheme == "tls"
            else f"{scheme}://127.0.0.1:{self.port}"
        )

    def address(self, scheme):
        return ("127.0.0.1", self.tls_port if scheme == "tls" else self.port)


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
        self.port, self.tls_port = self.ports.take(), self.ports.take()
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
  tls-port: {self.tls_port}
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
