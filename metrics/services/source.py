"""Where the metrics of a cluster come from: set by who manages it. What opens a Prometheus is stored as credentials."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from audit.services import record, verb
from clusters.certificates import bundle_fault
from clusters.connect import forget
from clusters.endpoints import parse_service_url
from clusters.secrets import Opened, Secret, header_fault
from clusters.services.credentials import store_for_metrics
from clusters.services.gate import managed
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.errors import DeniedError, InvalidError
from meshui.lib.queue import enqueue
from meshui.lib.rights import may
from metrics.models import Collector, Point, ProxyScrape, Series, Source, SourceKind, Watched
from metrics.promql import NAME, require_fixed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from audit.types import Actor
    from clusters.models import Cluster

TENANT_HEADERS: Final = frozenset({"X-Scope-OrgID", "THANOS-TENANT"})
TENANT: Final = re.compile(r"[A-Za-z0-9!._*'()-]{1,150}\Z")
MOST_LABELS: Final = 5
TEXTS: Final = ("url", "auth", "tenant_header", "tenant", "namespace", "service")
Auth = Literal["", "bearer", "basic"]


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What is set. URL: `url`, and what opens it (`secret`: a token, or `user:password`), its CA (empty: public roots).

    SERVICE: namespace, service and port in the cluster. `labels`: conditions on every selector of every query, such as
    the cluster's label of a Prometheus for several.
    """

    kind: str
    url: str = ""
    auth: Auth = ""
    secret: Secret = field(default_factory=lambda: Secret(""))
    ca_pem: str = ""
    tenant_header: str = ""
    tenant: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    service: str = ""
    port: int = 9090


@verb("metrics.source.set")
def set_source(*, actor: Actor, cluster_id: UUID, wanted: SourceSettings) -> Source:
    """Metrics of the cluster come from there from now on; what opened the source before is erased.

    Raises MissingError, DeniedError (needs cluster.manage, for an address also cluster.credential), InvalidError.
    """
    cluster = managed(actor, cluster_id, "cluster.manage")
    if wanted.kind == SourceKind.URL and not may(actor, "cluster.credential", [cluster.place]):
        raise DeniedError("You may not bring credentials to this cluster.", mend="Ask an Access admin for that right.")
    _require_sound(wanted)
    source, _ = Source.objects.update_or_create(
        cluster=cluster,
        defaults={**_columns(wanted), "changed_at": read_db_now(), "changed_by_name": actor.name},
    )
    opened = _opened(wanted)
    store_for_metrics(cluster, wanted.auth or "ca", opened, actor)
    forget(cluster.pk)
    due = {"next_at": db_now(), "minute_at": db_now(), "found_again_at": None, "problem": ""}
    Collector.objects.filter(pk=cluster.pk).update(**due)
    record(
        "metrics.source.set",
        actor=actor,
        target=cluster,
        kind=wanted.kind,
        url=source.url or None,
        auth=source.auth or None,
        fingerprint=opened.fingerprint() if opened and opened.token else None,
        tenant=source.tenant or None,
        labels=dict(source.labels) or None,
        service=f"{source.namespace}/{source.service}:{source.port}" if source.service else None,
    )
    enqueue("metrics.tasks.collect_cluster", cluster.pk)
    return source


def _require_sound(wanted: SourceSettings) -> None:
    if wanted.kind not in SourceKind.values:
        raise InvalidError("There is no such source of metrics.")
    if len(wanted.labels) > MOST_LABELS:
        raise InvalidError(f"At most {MOST_LABELS} labels are taken.")
    for label, value in wanted.labels.items():
        require_fixed(label, value)
    if wanted.kind == SourceKind.SERVICE:
        _require_service(wanted)
    if wanted.kind == SourceKind.URL:
        parse_service_url(wanted.url)
        _require_opening(wanted)


def _require_service(wanted: SourceSettings) -> None:
    if not (NAME.match(wanted.namespace) and NAME.match(wanted.service)):
        raise InvalidError("The namespace or the Service is no name that Kubernetes would allow.")
    if not 0 < wanted.port < 65_536:
        raise InvalidError("The port is none.", mend="Prometheus listens on 9090 by default.")


def _require_opening(wanted: SourceSettings) -> None:
    if bool(wanted.auth) != bool(wanted.secret):
        raise InvalidError("Give both how to sign in and what with, or neither.")
    if wanted.auth not in {"", "bearer", "basic"}:
        raise InvalidError("Prometheus is signed in to by bearer or basic.")
    if wanted.auth and (fault := header_fault(wanted.secret, is_pair=wanted.auth == "basic")):
        raise InvalidError(f"The credential {fault}")
    if wanted.ca_pem and (fault := bundle_fault(wanted.ca_pem)):
        raise InvalidError(f"The CA {fault}")
    if bool(wanted.tenant_header) != bool(wanted.tenant):
        raise InvalidError("Give both the header of the tenant and the tenant, or neither.")
    if wanted.tenant and not (wanted.tenant_header in TENANT_HEADERS and TENANT.match(wanted.tenant)):
        raise InvalidError("The tenant is refused.", mend=f"Headers are {' and '.join(sorted(TENANT_HEADERS))}.")


def _columns(wanted: SourceSettings) -> dict[str, object]:
    """Only what belongs to the kind: nothing of another one stays behind."""
    blank: dict[str, object] = dict.fromkeys(TEXTS, "")
    blank |= {"kind": wanted.kind, "labels": {}, "port": 9090}
    names = {
        SourceKind.URL.value: ("url", "auth", "tenant_header", "tenant"),
        SourceKind.SERVICE.value: ("namespace", "service", "port"),
    }.get(wanted.kind, ())
    values = {name: getattr(wanted, name) for name in names}
    return blank | values | ({"labels": dict(wanted.labels)} if names else {})


def _opened(wanted: SourceSettings) -> Opened | None:
    if wanted.kind != SourceKind.URL or not (wanted.secret or wanted.ca_pem):
        return None
    return Opened(wanted.secret, "", Secret(""), wanted.ca_pem, skips_tls_verification=False)


def put_away(cluster: Cluster) -> None:
    """It is being removed: nothing of its metrics stays."""
    Point.objects.filter(series__cluster=cluster).delete()
    for model in (Series, ProxyScrape, Watched, Collector, Source):
        model.objects.filter(cluster=cluster).delete()
