"""Routes of one service as two meshes have them, for the tests of their alignment."""

from __future__ import annotations

from meshes.alignment import Side, versions_of
from meshes.types import Backend, HeaderMatch, Match, Root, Route, Rule, WeightedBackend

ROOT = Root("checkout", "shop")
JASON = (Match(headers=(HeaderMatch("x-user", "exact", "jason"),)),)
BETA = (Match(headers=(HeaderMatch("x-beta", "present"),)),)
ALL = ()
NAMED = "app.kubernetes.io/version"


def subset(name: str, **labels: str) -> Backend:
    """A subset of checkout, as Istio has it."""
    return Backend("subset", "checkout", "shop", None, name, tuple(labels.items()) or (("version", name),))


def service(name: str, port: int | None = 8080, namespace: str = "shop") -> Backend:
    """A Service, as Linkerd has it."""
    return Backend("service", name, namespace, port)


def rule(name: str, matches: tuple[Match, ...], *backends: tuple[Backend, int], **more: object) -> Rule:
    """A rule with (backend, basis points)."""
    weighted = tuple(WeightedBackend(backend, bp, str(bp)) for backend, bp in backends)
    return Rule(name, matches, weighted, **more)  # type: ignore[arg-type]  # extras and timeout_ms of a Rule


def route(*rules: Rule) -> Route:
    """A route of checkout."""
    return Route(ROOT, rules)


def side(found: Route, **extras: Backend) -> Side:
    """A side whose versions are told from the backends alone."""
    versions = {key: told.version for key, told in versions_of(found).items()}
    return Side(found, versions, extras)


V1, V2, V3 = subset("v1"), subset("v2"), subset("v3")
S1, S2, S3 = service("checkout-v1"), service("checkout-v2"), service("checkout-v3")
ISTIO = side(route(rule("jason", JASON, (V2, 10_000)), rule("rest", ALL, (V1, 9000), (V2, 1000))))
LINKERD = side(route(rule("rule-1", JASON, (S2, 10_000)), rule("rule-2", ALL, (S1, 7500), (S2, 2500))), v3=S3)
