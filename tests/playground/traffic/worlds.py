"""Small clusters as plain values: Services, pods and routes, and what a route does with a request."""

from __future__ import annotations

from typing import Any

from playground.traffic.model import Directory, Pod, Service

Json = dict[str, Any]


def pod(name: str, *, namespace: str = "shop", app: str = "checkout", version: str = "v1") -> Pod:
    """A pod of one version of an app."""
    labels = {"app": app, "version": version}
    return Pod(namespace, name, f"{app}-{version}", labels, "10.99.0.1", "default")


def service(name: str, *, namespace: str = "shop", app: str = "", version: str = "") -> Service:
    """The Service of an app, or of one version of it."""
    selector = {"app": app or name} | ({"version": version} if version else {})
    return Service(namespace, name, selector, 8080)


def directory(*, pods: dict[str, int] | None = None) -> Directory:
    """checkout with as many pods of each version, a Service for each version, and a caller in another namespace."""
    counts = pods or {"v1": 1, "v2": 1}
    made = [pod(f"{version}-{n}", version=version) for version, count in counts.items() for n in range(count)]
    made.append(pod("teller", namespace="bank", app="teller"))
    services = [
        service("checkout"),
        service("checkout-v1", app="checkout", version="v1"),
        service("checkout-v2", app="checkout", version="v2"),
        service("empty"),
    ]
    return Directory({each.key: each for each in services}, {each.key: each for each in made})


def weights(route: Json) -> dict[str, int]:
    """Envoy's clusters by weight; one alone has 1."""
    action = route["route"]
    if "cluster" in action:
        return {action["cluster"]: 1}
    return {each["name"]: each["weight"] for each in action["weighted_clusters"]["clusters"]}
