"""Picks the client for a cluster: the only place that opens stored credentials, inside tasks, never in a page.

Pools are kept per cluster and credential, and dropped when either moves. Every new pool resolves and checks again.
"""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from clusters.access import Inspector
from clusters.certificates import fingerprint
from clusters.endpoints import (
    PRIVATE,
    BoundedSocket,
    PinnedPool,
    Policy,
    nets,
    parse_endpoint,
    parse_service_url,
    resolve,
)
from clusters.intake import InClusterError, in_cluster_token
from clusters.kube import KubeWriter
from clusters.kube_lists import KubeReader
from clusters.models import Credential, Health
from clusters.proxied import SECONDS as PROXIED_SECONDS
from clusters.proxied import Proxied
from clusters.scoped import ScopedReader
from clusters.secrets import CredentialUnreadableError, Opened, Secret, open_sealed, seal
from clusters.transport import Transport
from meshui.lib.clock import now
from meshui.lib.errors import GoneError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clusters.clients import Lister, Writer
    from clusters.models import Cluster

USED_STEP = timedelta(minutes=1)
PROBE_CONNECT, PROBE_READ = 1.0, 2.0
IN_CLUSTER = "in-cluster"
NOTHING = Opened(Secret(""), "", Secret(""), "", skips_tls_verification=False)
_lock = threading.Lock()
_transports: dict[tuple[str, str, str], Transport] = {}


def policy(*, in_cluster: bool = False) -> Policy:
    """What the operator allows; the cluster around this process may be private, and never what nobody may call."""
    allowed = nets(settings.ALLOWED_CIDRS)
    return Policy((*allowed, *PRIVATE) if in_cluster else allowed, settings.ALLOW_LOOPBACK)


def reader_for(cluster: Cluster) -> Lister:
    """Reads `cluster`. Touches no network: the reader's first call does, and says what is wrong there.

    Raises UnavailableError (no credential, no key for it), EndpointRefusedError (the form of the address).
    """
    transport = _transport(cluster, "reader")
    return ScopedReader(transport, cluster.read_namespaces) if cluster.read_namespaces else KubeReader(transport)


def writer_for(cluster: Cluster) -> Writer:
    """Writes `cluster`. Raises as reader_for; GoneError where MeshUI only observes, or it is another cluster now."""
    cluster.refresh_from_db(fields=["is_observe_only", "health"])
    if cluster.is_observe_only:
        mend = "A Cluster admin can allow writes on its page."
        raise GoneError(f"MeshUI only observes {cluster.slug}.", mend=mend)
    if cluster.health == Health.IDENTITY_CHANGED:
        mend = "Look at its page: a Cluster admin adopts it, or registers it as another one."
        raise GoneError(f"{cluster.slug} is another cluster than before: nothing is written to it.", mend=mend)
    return KubeWriter(_transport(cluster, "writer"), field_manager=settings.FIELD_MANAGER)


def inspector_for(cluster: Cluster, role: str) -> Inspector:
    """Asks what a connection test asks. Raises as reader_for; of the writer it asks also while nothing is written."""
    return Inspector(_transport(cluster, role))


def prober_for(cluster: Cluster) -> Inspector:
    """Asks over a connection of its own, that takes 1 s to be made and 2 s to answer at most; close it.

    Only making it needs the database. Raises as reader_for.
    """
    credential = Credential.objects.filter(cluster=cluster, role="reader").first()
    if credential is None:
        raise _no_credential(cluster, "reader")
    opened = _opened(credential)
    return Inspector(_open(cluster, opened, connect=PROBE_CONNECT, read=PROBE_READ, socket_class=_ProbeSocket))


def proxied_for(cluster: Cluster) -> Proxied:
    """Reads what stands behind the API server, over connections of its own: 5 s for an answer, four at once.

    Raises as reader_for.
    """
    return Proxied(_transport(cluster, "reader", use="proxied"))


def metrics_transport(
    cluster: Cluster, url: str, *, auth: str = "", headers: Mapping[str, str] | None = None
) -> tuple[Transport, str]:
    """Calls the Prometheus of `cluster` at `url` with what is stored for it, and the path below which it stands.

    `auth`: bearer, basic or empty. 5 s for an answer, four at once. Raises EndpointRefusedError, UnavailableError (the
    credential that `auth` needs is gone, or no key opens it). One query.
    """
    credential = Credential.objects.filter(cluster=cluster, role="metrics").first()
    if auth and credential is None:
        raise UnavailableError("The credential of its Prometheus is gone.", mend="Set the source of its metrics again.")
    endpoint, path = parse_service_url(url)
    which = f"{credential.fingerprint if credential else ''}:{url}:{auth}:{sorted((headers or {}).items())}"
    key = (str(cluster.pk), "metrics", hashlib.sha256(which.encode()).hexdigest())
    with _lock:
        found = _transports.get(key)
    if found is None:
        opened = _opened(credential) if credential else NOTHING
        context = tls_context(opened)

        def open_pool() -> PinnedPool:
            checked = resolve(endpoint, policy())
            pool = PinnedPool(endpoint, checked, context, connect=settings.CONNECT_TIMEOUT, read=PROXIED_SECONDS)
            context.sslsocket_class = ProxiedSocket
            return pool

        found = _kept(key, Transport(endpoint, open_pool, {**(headers or {}), **_authorization(auth, opened)}))
    return found, path


def _authorization(auth: str, opened: Opened) -> dict[str, str]:
    secret = opened.token.reveal()
    if auth == "basic":
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    return {"Authorization": f"Bearer {secret}"} if auth == "bearer" else {}


def forget(cluster_id: object) -> None:
    """Drop the pools of a cluster: its credential or address moved."""
    with _lock:
        for key in [key for key in _transports if key[0] == str(cluster_id)]:
            _transports.pop(key).close()


def forget_all() -> None:
    """Close every pool of this process."""
    with _lock:
        while _transports:
            _transports.popitem()[1].close()


def resealed(credential: Credential) -> bytes:
    """Its content under the first key. Raises UnavailableError where no key opens it."""
    opened = _opened(credential)
    return seal(opened, cluster_id=str(credential.cluster_id), role=credential.role, keys=settings.CREDENTIAL_KEYS)


def _transport(cluster: Cluster, role: str, *, use: str = "") -> Transport:
    """One for each role and `use`. Raises UnavailableError, EndpointRefusedError.

    One query, and one more at most once a minute.
    """
    credential = Credential.objects.filter(cluster=cluster, role=role).first()
    if credential is None:
        raise _no_credential(cluster, role)
    token = _own_token() if credential.kind == IN_CLUSTER else None
    rotated = hashlib.sha256(token.reveal().encode()).hexdigest() if token else ""
    key = (str(cluster.pk), role + use, f"{credential.pk}:{credential.fingerprint}:{cluster.server}:{rotated}")
    with _lock:
        found = _transports.get(key)
    if found is None:
        opened = _opened(credential)
        found = _kept(key, _proxied(cluster, opened) if use else _plain(cluster, opened))
    moment = now()
    if credential.last_used_at is None or moment - credential.last_used_at > USED_STEP:
        Credential.objects.filter(pk=credential.pk).update(last_used_at=moment)
    return found


def _plain(cluster: Cluster, opened: Opened) -> Transport:
    return _open(cluster, opened, connect=settings.CONNECT_TIMEOUT, read=settings.READ_TIMEOUT)


def _proxied(cluster: Cluster, opened: Opened) -> Transport:
    return _open(cluster, opened, connect=settings.CONNECT_TIMEOUT, read=PROXIED_SECONDS, socket_class=ProxiedSocket)


def _kept(key: tuple[str, str, str], made: Transport) -> Transport:
    """The first one made for `key`; those of earlier credentials of the role are closed."""
    with _lock:
        for old in [other for other in _transports if other[:2] == key[:2] and other != key]:
            _transports.pop(old).close()
        return _transports.setdefault(key, made)


def _opened(credential: Credential) -> Opened:
    owner = {"cluster_id": str(credential.cluster_id), "role": credential.role}
    try:
        return open_sealed(bytes(credential.ciphertext), **owner, keys=settings.CREDENTIAL_KEYS)
    except CredentialUnreadableError as error:
        mend = "Replace the credential on its page, or put the key it was stored with back into MESHUI_CREDENTIAL_KEYS."
        raise UnavailableError(f"The {credential.role} credential cannot be read: {error}", mend=mend) from error


def _own_token() -> Secret:
    """The token of this pod's account, read anew: a pool is made for each one that Kubernetes puts there."""
    try:
        return in_cluster_token()
    except InClusterError as error:
        raise UnavailableError(str(error), mend="Replace the credential on the cluster's page.") from error


def _no_credential(cluster: Cluster, role: str) -> UnavailableError:
    return UnavailableError(f"{cluster.slug} has no {role} credential.", mend="Upload one on its page.")


class _ProbeSocket(BoundedSocket):
    """The whole answer of a probe within PROBE_READ, however it drips."""

    def begin(self) -> None:
        """A request goes out now."""
        super().begin()
        self._deadline = time.monotonic() + PROBE_READ


class ProxiedSocket(BoundedSocket):
    """The whole answer of something behind an API server within 5 s, however it drips."""

    def begin(self) -> None:
        """A request goes out now."""
        super().begin()
        self._deadline = time.monotonic() + PROXIED_SECONDS


def _open(
    cluster: Cluster,
    opened: Opened,
    *,
    connect: float,
    read: float,
    socket_class: type[BoundedSocket] = BoundedSocket,
) -> Transport:
    endpoint = parse_endpoint(cluster.server, tls_name=cluster.tls_name)
    context = tls_context(opened)
    rules = policy(in_cluster=opened.is_in_cluster)
    token = (_own_token() if opened.is_in_cluster else opened.token).reveal()

    def open_pool() -> PinnedPool:
        pool = PinnedPool(endpoint, resolve(endpoint, rules), context, connect=connect, read=read)
        context.sslsocket_class = socket_class
        return pool

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Transport(endpoint, open_pool, headers, ca_fingerprint=fingerprint(opened.ca_pem))


def tls_context(opened: Opened) -> ssl.SSLContext:
    """TLS 1.2 or newer, the host name checked against the given CA (empty: public roots).

    Made by hand: create_default_context would write session keys to the file that SSLKEYLOGFILE names.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if opened.ca_pem:
        context.load_verify_locations(cadata=opened.ca_pem)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate may be the anchor, as in Go
    else:
        context.load_default_certs()
    if opened.skips_tls_verification and settings.ALLOW_INSECURE_TLS:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if opened.certificate_pem:
        _load_pair(context, f"{opened.certificate_pem}\n{opened.key_pem.reveal()}")
    return context


def _load_pair(context: ssl.SSLContext, pem: str) -> None:
    """OpenSSL takes keys from files only: one in memory where the system has memfd, else 0600 in a private folder."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("meshui-key"), "w") as file:
            file.write(pem)
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        return
    with tempfile.TemporaryDirectory(prefix="meshui-key-") as folder:
        path = Path(folder) / "pair.pem"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(pem)
        context.load_cert_chain(path)
