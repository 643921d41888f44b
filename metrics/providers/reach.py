"""How a Prometheus is reached: by its address through the guard of addresses, or through the API server's proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clusters.connect import metrics_transport, proxied_for

if TYPE_CHECKING:
    from clusters.models import Cluster
    from metrics.models import Source
    from metrics.providers.prometheus import Ask

ANSWER_BYTES: Final = 8 * 1024 * 1024


def by_address(source: Source) -> Ask:
    """Asks the Prometheus at the address of `source`; no network yet. Raises EndpointRefusedError, UnavailableError."""
    headers = {source.tenant_header: source.tenant} if source.tenant_header else {}
    transport, path = metrics_transport(source.cluster, source.url, auth=source.auth, headers=headers)
    return lambda asked: transport.get(path + asked, limit=ANSWER_BYTES)


def in_cluster(cluster: Cluster, namespace: str, service: str, port: int) -> Ask:
    """Asks a Prometheus behind a Service of `cluster` through its API server. Raises UnavailableError."""
    proxied = proxied_for(cluster)
    return lambda asked: proxied.service_bytes(namespace, service, port, asked)
