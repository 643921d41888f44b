"""The two ways in that need no kubeconfig: an address with CA and token, and the cluster that MeshUI itself runs in.

Both give what clusters.kubeconfig gives, checked by the same rules; faults are its findings, named after the fields.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from clusters.certificates import bundle_fault
from clusters.kubeconfig import MAX_TOKEN, TOKEN, Finding, KubeconfigError, ParsedKubeconfig, parse_kubeconfig
from clusters.manifests import HOME, READER
from clusters.secrets import Secret

ACCOUNT_FOLDER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts the token of a pod's own account: fixed, never from a person."""
MAX_FILE: Final = 256 * 1024
FIELDS: Final = {
    "clusters[c].cluster.server": ("server", "Write https://host:port, as `kubectl cluster-info` says it."),
    "clusters[c].cluster.certificate-authority-data": (
        "ca",
        "Paste the CA as PEM, from -----BEGIN CERTIFICATE----- on; leave it empty for a certificate of a public CA.",
    ),
    "clusters[c].cluster.tls-server-name": ("tls_name", "Leave it empty, or write the name in the certificate."),
    "users[c].user.token": ("token", f"Make one: kubectl -n {HOME} create token {READER} --duration=8760h"),
    "users[c].user": ("token", f"Make one: kubectl -n {HOME} create token {READER} --duration=8760h"),
}
"""Where the parser of kubeconfigs sees a fault → the field of the form, and how to mend it there."""

WORDS: Final = {
    ("token", "must hold either a token or a client certificate with its key."): "is missing.",
    ("ca", "is not base64 of PEM."): "is not PEM.",
    ("ca", "is missing or longer than 64 KiB."): "is longer than 48 KiB.",
}
"""(field, what is said of a kubeconfig) → what is said of the field."""


class InClusterError(ValueError):
    """MeshUI does not run in a pod with an account of its own; the text says what is missing."""


def parse_direct(*, server: str, ca_pem: str, token: str, tls_name: str = "") -> ParsedKubeconfig:
    """A connection from its parts; an empty CA means public roots. Raises KubeconfigError (all faults at once)."""
    cluster = {"server": server.strip(), "tls-server-name": tls_name.strip()}
    if ca_pem.strip():
        cluster["certificate-authority-data"] = base64.b64encode(ca_pem.strip().encode()).decode()
    parts = {"clusters": ("cluster", cluster), "users": ("user", {"token": token.strip()})}
    document = {"apiVersion": "v1", "kind": "Config", "current-context": "c"}
    whole: dict[str, object] = {plural: [{"name": "c", one: content}] for plural, (one, content) in parts.items()}
    whole["contexts"] = [{"name": "c", "context": {"cluster": "c", "user": "c"}}]
    try:
        return parse_kubeconfig(json.dumps(document | whole).encode())
    except KubeconfigError as error:
        raise KubeconfigError([_as_field(finding) for finding in error.findings]) from None


def _as_field(finding: Finding) -> Finding:
    field, mend = FIELDS.get(finding.path, (finding.path, finding.mend))
    return Finding(field, WORDS.get((field, finding.message), finding.message), mend)


def is_in_cluster() -> bool:
    """Whether MeshUI runs in a pod with an account: address, CA and token are there. Reads no secret."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and all(
        (ACCOUNT_FOLDER / name).is_file() for name in ("token", "ca.crt")
    )


def in_cluster_connection() -> ParsedKubeconfig:
    """The cluster around this process, by its own account. Raises InClusterError."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    port = os.environ.get("KUBERNETES_SERVICE_PORT_HTTPS") or os.environ.get("KUBERNETES_SERVICE_PORT") or "443"
    if not host:
        raise InClusterError("MeshUI does not run in a pod: KUBERNETES_SERVICE_HOST is not set.")
    ca_pem = _read("ca.crt")
    if fault := bundle_fault(ca_pem):
        raise InClusterError(f"{ACCOUNT_FOLDER / 'ca.crt'} {fault}")
    in_cluster_token()
    empty = Secret("")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    made = ParsedKubeconfig(
        "in-cluster", server, ca_pem, "", skips_tls_verification=False, token=empty, certificate_pem="", key_pem=empty
    )
    return replace(made, is_in_cluster=True)


def in_cluster_token() -> Secret:
    """The token as it is now: Kubernetes writes a new one long before the old one ends. Raises InClusterError."""
    token = _read("token").strip()
    if len(token) > MAX_TOKEN or not TOKEN.fullmatch(token):
        raise InClusterError(f"{ACCOUNT_FOLDER / 'token'} holds no token.")
    return Secret(token)


def _read(name: str) -> str:
    path = ACCOUNT_FOLDER / name
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        mend = "Give the pod a ServiceAccount and let its token be mounted."
        raise InClusterError(f"{path} cannot be read. {mend}") from error
