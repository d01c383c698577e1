"""A browser that knows names from us alone: Chromium with this gateway as its secure DNS server, over
HTTP/2, loads a page whose name nobody else has."""

import base64
import hashlib
import http.server
import json
import shutil
import threading
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from doh import DohTest
from harness import PATIENCE, Ports, Process
from messages import A
from rfc import reply_to, rr

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LOOPBACK = bytes([127, 0, 0, 1])
HOST = "page.only-here.example"


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"<title>a page</title><p id=here>served to {self.headers['host']}</p>".encode()
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def loopback(asked):
    """Our name is on this machine; of the names that the browser asks for itself there are none."""
    if asked.name.rstrip(".").lower() != HOST or asked.rdtype != A:
        return reply_to(asked)
    return reply_to(asked, rr(A, LOOPBACK))


def key_hash(certificates):
    """Of the public key of the first of them, as Chromium names it."""
    key = x509.load_pem_x509_certificate(certificates).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    octets = key.public_bytes(serialization.Encoding.DER, form)
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()


@unittest.skipUnless(CHROMIUM, "chromium is not installed")
class Browser(DohTest):
    def setUp(self):
        super().setUp()
        self.upstream.script = loopback
        self.page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.addCleanup(self.page.server_close)
        threading.Thread(target=self.page.serve_forever, daemon=True).start()
        self.addCleanup(self.page.shutdown)

    def browse(self, template):
        """What the browser shows of the page, and its log of the network."""
        profile = self.folder / "profile"
        profile.mkdir()
        secure_dns = {"dns_over_https": {"mode": "secure", "templates": template}}
        (profile / "Local State").write_text(json.dumps(secure_dns))
        log = self.folder / "network.json"
        trusted = key_hash(self.certificate())
        with open(self.folder / "dom", "w+b") as dom:
            browser = Process(
                "chromium",
                [
                    CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-features=HttpsUpgrades,OptimizationHints", "--disable-dev-shm-usage",
                    f"--user-data-dir={profile}", f"--log-net-log={log}", "--timeout=15000",
                    f"--ignore-certificate-errors-spki-list={trusted}", "--dump-dom",
                    f"http://{HOST}:{self.page.server_port}/",
                ],
                self.folder,
                stdout=dom,
            )  # fmt: skip
            try:
                browser.wait(PATIENCE * 3)
            finally:
                browser.kill()
            dom.seek(0)
            return dom.read().decode(), json.loads(log.read_text())

    def certificate(self):
        with self.h2() as client:
            der = client.flow.tls.getpeercert(binary_form=True)
        certificate = x509.load_der_x509_certificate(der)
        return certificate.public_bytes(serialization.Encoding.PEM)

    def test_a_page_whose_name_only_we_know(self):
        host, port = self.gateway.address("https")
        before = self.metric("sallyport_queries_total", transport="doh")
        dom, log = self.browse(f"https://{host}:{port}/dns-query")
        self.assertIn(f"served to {HOST}:{self.page.server_port}", dom)
        self.assertGreater(self.metric("sallyport_queries_total", transport="doh"), before)
        http2 = log["constants"]["logEventTypes"]["HTTP2_SESSION"]
        sessions = [event.get("params", {}) for event in log["events"] if event["type"] == http2]
        self.assertIn(f"{host}:{port}", [session.get("host") for session in sessions])

    def test_and_nobody_else_knows_it(self):
        nobody = self.enterContext(Ports()).take()
        dom, _ = self.browse(f"https://127.0.0.1:{nobody}/dns-query")
        self.assertNotIn("served to", dom)


if __name__ == "__main__":
    unittest.main()
