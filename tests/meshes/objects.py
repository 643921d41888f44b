"""Istio's objects for tests of the adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshui.lib.jsontypes import JsonObject


def virtual_service(name: str = "web", namespace: str = "shop", *, created: str = "", **spec: Any) -> JsonObject:
    """A VirtualService of host `web`, 90/10, unless `spec` says otherwise."""
    route = [destination("web", "v1", 90), destination("web", "v2", 10)]
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "resourceVersion": "7"}
    if created:
        metadata["creationTimestamp"] = created
    body = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": metadata,
        "spec": {"hosts": ["web"], "http": [{"route": route}], **spec},
    }
    return cast("JsonObject", body)


def destination(host: str, subset: str = "", weight: int | None = None) -> dict[str, Any]:
    """One entry of a route."""
    found: dict[str, Any] = {"destination": {"host": host} | ({"subset": subset} if subset else {})}
    return found if weight is None else found | {"weight": weight}


def destination_rule(host: str, subsets: Sequence[str], namespace: str = "shop") -> JsonObject:
    """A DestinationRule with label version per subset."""
    body = {
        "metadata": {"name": "rule", "namespace": namespace, "uid": f"uid-{host}"},
        "spec": {"host": host, "subsets": [{"name": name, "labels": {"version": name}} for name in subsets]},
    }
    return cast("JsonObject", body)


def istiod(
    image: str,
    *,
    namespace: str = "istio-system",
    revision: str = "",
    ready: int = 1,
    labels: dict[str, str] | None = None,
) -> JsonObject:
    """A control plane's Deployment."""
    name = f"istiod-{revision}" if revision else "istiod"
    found = {"app": "istiod", "istio.io/rev": revision or "default", **(labels or {})}
    body = {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "labels": found},
        "spec": {"template": {"spec": {"containers": [{"name": "discovery", "image": image}]}}},
        "status": {"availableReplicas": ready} if ready else {},
    }
    return cast("JsonObject", body)


def namespace(name: str, **labels: str) -> JsonObject:
    """A namespace; `_` in a label's name is `-`."""
    found = {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}
    return cast("JsonObject", {"metadata": {"name": name, "uid": f"uid-{name}", "labels": found}})
