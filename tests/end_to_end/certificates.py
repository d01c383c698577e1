"""Certificates for tests, good ones and bad ones: made at each run, kept nowhere."""

import datetime
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "upstream.example"


class Identity:
    """A chain and its key, in files."""

    def __init__(self, chain_file, key_file):
        self.chain_file = chain_file
        self.key_file = key_file

    def server_context(self, *, alpn=("dot",)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_file, self.key_file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


class Authority:
    """A certificate authority that lives in `folder`."""

    def __init__(self, folder, name="Test authority", *, file_name=None):
        self.folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issued = 0
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            self._builder(
                self._name,
                self._key,
                now - datetime.timedelta(days=1),
                now + datetime.timedelta(days=30),
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{file_name or name.replace(' ', '-').lower()}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, key, begins, ends, issuer=None):
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )

    def issue(
        self,
        names=(NAME,),
        addresses=("127.0.0.1",),
        *,
        common_name=NAME,
        expired=False,
        valid=None,
        self_signed=False,
        signed_by=None,
        file_name=None,
    ):
        """A leaf for `names` and `addresses`, of the last ten days and the next twenty if nothing else
        is said; an expired one ended yesterday. `signed_by` is a leaf that poses as an authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        ends = now - datetime.timedelta(days=1) if expired else now + datetime.timedelta(days=20)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        issuer, signer, chain = self._name, self._key, b""
        if self_signed:
            issuer, signer = subject, key
        if signed_by:
            chain = signed_by.chain_file.read_bytes()
            issuer = x509.load_pem_x509_certificate(chain).subject
            signer = serialization.load_pem_private_key(signed_by.key_file.read_bytes(), None)
        begins, ends = valid or (now - datetime.timedelta(days=10), ends)
        builder = self._builder(subject, key, begins, ends, issuer).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        alternatives = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        if alternatives:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False
            )
        certificate = builder.sign(signer, hashes.SHA256())
        self._issued += 1
        stem = file_name or f"{self.file.stem}-leaf{self._issued}"
        identity = Identity(self.folder / f"{stem}.crt", self.folder / f"{stem}.key")
        identity.chain_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + chain)
        identity.key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return identity
