"""The program under test: its configuration, its process, its verbs, its metrics."""

import http.client
import json
import re
import subprocess

from clients import connect
from harness import BINARY, PATIENCE, Server
from messages import query

# What `sallyport` ends with.
OK, FAILED, USAGE, BAD_CONFIGURATION, UNREACHABLE = 0, 1, 2, 3, 4

URL_SCHEMES = ("udp", "tcp", "tls", "https")


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else json.dumps(str(value))


def toml(tables):
    """{"server": {...}, "upstream": [{...}, {...}]} as text."""
    lines = []
    for name, content in tables.items():
        for table in content if isinstance(content, list) else [content]:
            lines.append(f"[[{name}]]" if isinstance(content, list) else f"[{name}]")
            lines += [f"{key} = {toml_value(value)}" for key, value in table.items()]
            lines.append("")
    return "\n".join(lines)


class Sallyport(Server):
    """One gateway on loopback ports, with two workers if nothing else is said. `upstreams` are
    tables as in [[upstream]], or URLs; `settings` are tables that are laid over ours: cache={"size":
    "1 MiB"}.
    """

    name = "sallyport"

    def __init__(self, folder, upstreams, *, listen=URL_SCHEMES, ipv6=False, **settings):
        super().__init__(folder)
        self.upstreams = [{"url": item} if isinstance(item, str) else item for item in upstreams]
        self.settings = settings
        self.listen = listen
        self.hosts = ("127.0.0.1", "::1") if ipv6 else ("127.0.0.1",)
        self.state = self.folder / "state"
        self.authority = (
            self.state / "ca.pem"
        )  # that signed the certificate which it makes for itself
        self.config = self.folder / "sallyport.toml"
        self.admin_port = 0
        self._ports = {}

    def configure(self):
        plain, encrypted, web, clear, self.admin_port = (self.ports.take() for _ in range(5))
        of_scheme = {"tls": encrypted, "quic": encrypted, "https": web, "h3": web, "http": clear}
        self._ports = {scheme: of_scheme.get(scheme, plain) for scheme in self.listen}
        self.write_config()

    def write_config(self):
        self.config.write_text(toml(self.tables()))

    def tables(self):
        urls = [
            f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
            for scheme, port in self._ports.items()
            for host in self.hosts
        ]
        tables = {
            "server": {
                "name": "gateway.example",
                "listen": urls,
                "workers": 2,
                "state_directory": self.state,
            },
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "cache": {"save": False},  # what one gateway of a test learnt is not for the next
            "upstream": self.upstreams,
        }
        for name, table in self.settings.items():
            tables[name] = {**tables.get(name, {}), **table} if isinstance(table, dict) else table
        return tables

    def arguments(self):
        return [BINARY, "run", "--config", self.config]

    def is_ready(self):
        return self.healthz()[0] == 200

    # Asking it.

    def address(self, transport, host="127.0.0.1"):
        return (host, self._ports[transport.removesuffix("-get")])

    def connect(self, transport, host="127.0.0.1"):
        return connect(transport, self.address(transport, host), self.authority)

    def ask(self, transport, name, rdtype=1, *, seconds=None, **how):
        """One query over a new connection; the answer's octets."""
        with self.connect(transport) as flow:
            return flow.ask(query(name, rdtype, number=how.pop("number", 4711), **how), seconds)

    # Its admin listener and its verbs.

    def get(self, path):
        """(status, headers, text), or (0, {}, why) when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, {}, str(error)
        finally:
            connection.close()

    def healthz(self):
        status, _, text = self.get("/healthz")
        return status, text

    def metrics(self):
        status, _, text = self.get("/metrics")
        if status != 200:
            raise AssertionError(f"/metrics: {status} {text}")
        return Metrics(text)

    def verb(self, *arguments, seconds=None):
        """`sallyport ARGUMENTS --config ours`, to its end."""
        return run(*arguments, "--config", self.config, seconds=seconds)

    def reload(self):
        """By the control socket: a file that has errors does not say where that is."""
        return run("reload", "--json", "--socket", self.state / "control.sock")


def run(*arguments, seconds=None):
    return subprocess.run(
        [BINARY, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds or PATIENCE,
        stdin=subprocess.DEVNULL,
    )


class Metrics:
    """Prometheus text format 0.0.4, read strictly: what does not belong in it is an error."""

    SAMPLE = re.compile(
        r"([a-zA-Z_:][a-zA-Z0-9_:]*)"
        r'(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? '
        r"([+-]?(?:Inf|[0-9.]+(?:e[+-]?[0-9]+)?)|NaN)$"
    )
    LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')

    def __init__(self, text):
        if not text.endswith("\n"):
            raise ValueError("the last line has no end")
        self.kinds, self.helps, self.samples = {}, {}, {}
        family = None
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family, _, sentence = line[7:].partition(" ")
                if family in self.helps or not sentence:
                    raise ValueError(f"HELP twice or empty: {line}")
                self.helps[family] = sentence
            elif line.startswith("# TYPE "):
                name, _, kind = line[7:].partition(" ")
                if (
                    name != family
                    or name in self.kinds
                    or kind not in ("counter", "gauge", "histogram")
                ):
                    raise ValueError(f"TYPE out of place: {line}")
                self.kinds[name] = kind
            elif line:
                self._sample(family, line)

    def _sample(self, family, line):
        match = self.SAMPLE.match(line)
        if not match:
            raise ValueError(f"not a sample: {line}")
        name, labels, value = match.groups()
        of_histogram = {f"{family}_bucket", f"{family}_sum", f"{family}_count"}
        if name not in (of_histogram if self.kinds.get(family) == "histogram" else {family}):
            raise ValueError(f"a sample outside its family {family}: {line}")
        key = (name, frozenset(self.LABEL.findall(labels or "")))
        if key in self.samples:
            raise ValueError(f"the same sample twice: {line}")
        self.samples[key] = float(value)

    def total(self, name, **labels):
        """The sum of all samples of that name that have these labels."""
        wanted = set(labels.items())
        return sum(
            value for (of, has), value in self.samples.items() if of == name and wanted <= has
        )
