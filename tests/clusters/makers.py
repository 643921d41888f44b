"""Kubeconfigs and clusters for tests, made by the product's own verbs."""

from __future__ import annotations

import base64
import datetime as dt
import json
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from accounts.models import User
from clusters.kubeconfig import ParsedKubeconfig, parse_kubeconfig
from clusters.models import Cluster
from clusters.services import NewCluster, add_cluster, check_cluster
from meshui.lib import clock
from tests.people import as_actor, make_person

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
TOKEN = "canary-token"  # noqa: S105 - looked for in every answer
SERVER = "https://127.0.0.1:6443"


def b64(data: bytes) -> str:
    """As kubeconfigs hold it."""
    return base64.b64encode(data).decode()


def pair(name: str = "meshui", *, days: int = 30, kind: str = "ec") -> tuple[bytes, bytes]:
    """A self-signed certificate that is in date (`days` negative: over), and its key of `kind`; the same each time."""
    return _pair(name, days, kind)


@cache
def _pair(name: str, days: int, kind: str) -> tuple[bytes, bytes]:
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if kind == "ec":
        key = ec.generate_private_key(ec.SECP256R1())
    elif kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    end = moment + dt.timedelta(days=36_500) if days > 0 else moment + dt.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(moment).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = builder.sign(key, None if kind == "ed25519" else hashes.SHA256())
    return (
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def document(
    *, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, server: str = SERVER
) -> dict[str, Any]:
    """A kubeconfig with one context `c`; `user` takes the place of the token, `cluster` is added to it."""
    inside = {"server": server, "certificate-authority-data": b64(pair("ca")[0])} | (cluster or {})
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "k", "cluster": inside}],
        "users": [{"name": "u", "user": {"token": TOKEN} if user is None else user}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "current-context": "c",
    }


def kubeconfig(**parts: Any) -> str:
    """`document` as text."""
    return json.dumps(document(**parts))


def without_context(text: str) -> str:
    """A file with two contexts, `good` and `bad` (its user runs a command)."""
    whole = json.loads(text)
    whole["users"].append({"name": "x", "user": {"exec": {"command": "id"}}})
    whole["contexts"] = [
        {"name": "good", "context": {"cluster": "k", "user": "u"}},
        {"name": "bad", "context": {"cluster": "k", "user": "x"}},
    ]
    return json.dumps(whole)


def parsed(text: str | None = None) -> ParsedKubeconfig:
    """`text` (default: `kubeconfig()`), parsed."""
    return parse_kubeconfig((text or kubeconfig()).encode())


def registrar() -> User:
    """A Cluster admin who is nobody of a test."""
    return User.objects.filter(username="registrar").first() or make_person("registrar", ["cluster_admin"])


def register(
    slug: str,
    *,
    environment: str = "staging",
    writes: bool = False,
    text: str | None = None,
    namespaces: tuple[str, ...] = (),
) -> Cluster:
    """A cluster added by the verb."""
    new = NewCluster(f"Cluster {slug}", slug, environment, parsed(text), writes, namespaces)
    return add_cluster(actor=as_actor(registrar()), new=new)


def checked(cluster: Cluster) -> Cluster:
    """The row after a connection test, with all rights asked anew."""
    Cluster.objects.filter(pk=cluster.pk).update(next_check_at=clock.db_now(), access_checked_at=None)
    check_cluster(cluster.pk)
    cluster.refresh_from_db()
    return cluster
