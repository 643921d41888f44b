"""A TLS server that answers whatever a test tells it to: for what no honest API server does."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FAR = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@dataclass
class Authority:
    """A CA that signs server certificates."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    name: str = "test CA"

    def __post_init__(self) -> None:
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = self._builder(self.subject, self.key, START, FAR).add_extension(constraints, critical=True)
        self.pem = self.certificate.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def issue(self, host: str = "127.0.0.1", *, end: dt.datetime = FAR) -> bytes:
        """Certificate and key for `host`, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        builder = self._builder(x509.Name([]), key, START, end)
        builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=True)
        certificate = builder.sign(self.key, hashes.SHA256())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM) + secret

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, start: dt.datetime, end: dt.datetime
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.subject).public_key(key.public_key())
        return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)


def server_context(pair: bytes, folder: Path) -> ssl.SSLContext:
    """A server's side of TLS with this certificate and key."""
    path = folder / "pair.pem"
    path.write_bytes(pair)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@dataclass
class RawServer:
    """Its port, and the first bytes of every request that reached it behind TLS."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """https, on loopback."""
        return f"https://127.0.0.1:{self.port}"


@contextmanager
def raw_server(context: ssl.SSLContext, answer: Callable[[ssl.SSLSocket, RawServer], None]) -> Iterator[RawServer]:
    """Serve until the block ends: each connection is given to `answer` once its request has been read."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(listener.getsockname()[1])

    def serve() -> None:
        while not server.stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                while head := tls.recv(65_536):
                    server.requests.append(head)
                    answer(tls, server)
        except OSError:
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server
    finally:
        server.stopping.set()
        _end(listener)


def _end(listener: socket.socket) -> None:
    """Closed, and nobody waits in its accept() any more."""
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
