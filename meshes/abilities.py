"""What each mesh can hold, found out by asking its adapter to write it: nothing here knows any mesh. Pure.

A feature is a route that needs it. It can: the adapter renders it. It loses something: rendered, with a loss. It
cannot: refused, with the reason. So the table of abilities never says other than what a plan would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from meshes.types import (
    FULL,
    Around,
    Backend,
    HeaderMatch,
    Match,
    PathMatch,
    QueryMatch,
    Root,
    Route,
    Rule,
    WeightedBackend,
)

if TYPE_CHECKING:
    from meshes.adapters.base import MeshAdapter

ROOT: Final = Root("web", "probe", port=80, hosts=("web",))
SERVED: Final = frozenset(
    {
        "networking.istio.io/v1",
        "gateway.networking.k8s.io/v1",
        "policy.linkerd.io/v1beta3",
        "linkerd.io/v1alpha2",
    }
)
"""Every group whose kinds an adapter may write, as of the newest versions."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that may be wanted: id, group, what it is (English, translated at the page), a route that needs it."""

    id: str
    group: str
    label: str
    probe: Route


@dataclass(frozen=True, slots=True)
class Ability:
    """What a mesh makes of one feature. `answer`: can, loses, cannot; `reasons` of the two last."""

    feature: Feature
    answer: str
    reasons: tuple[str, ...] = ()


def abilities_of(adapter: MeshAdapter) -> tuple[Ability, ...]:
    """What `adapter` makes of every feature, where a split is started in a cluster that serves all of its kinds."""
    return tuple(_asked(adapter, feature) for feature in FEATURES)


def _asked(adapter: MeshAdapter, feature: Feature) -> Ability:
    rendered = adapter.render(feature.probe, None, _around())
    reasons = tuple(dict.fromkeys(loss.reason for loss in rendered.losses))
    if not rendered.objects or any(loss.moves_requests for loss in rendered.losses):
        return Ability(feature, "cannot", reasons)
    return Ability(feature, "loses" if reasons else "can", reasons)


def _around() -> Around:
    services = {
        ("probe", name): {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "probe", "uid": name},
            "spec": {
                "clusterIP": "10.0.0.1",
                "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
                "selector": {"app": name},
            },
        }
        for name in ("web", "web-v1", "web-v2")
    }
    return Around(services=services, served=SERVED)  # type: ignore[arg-type]  # JSON, spelled out


def _split(*shares: int, match: Match | None = None, kind: str = "service") -> Rule:
    names = [f"v{number}" for number in range(1, len(shares) + 1)]
    return Rule("primary", (match,) if match else (), tuple(map(_weighted, names, shares, [kind] * len(names))))


def _weighted(version: str, share: int, kind: str) -> WeightedBackend:
    if kind == "subset":
        labels = (("version", version),)
        return WeightedBackend(Backend("subset", "web", "probe", 80, version, labels), share)
    return WeightedBackend(Backend("service", f"web-{version}", "probe", 80), share)


def _route(*rules: Rule) -> Route:
    return Route(ROOT, rules)


def _matching(feature: str, label: str, match: Match) -> Feature:
    probe = _route(_split(9000, 1000, match=match), replace(_split(FULL, 0), name="rest"))
    return Feature(feature, "matches", label, probe)


FEATURES: Final = (
    Feature("split-services", "splits", "Split between Services", _route(_split(9000, 1000))),
    Feature(
        "split-subsets", "splits", "Split between subsets of one Service", _route(_split(9000, 1000, kind="subset"))
    ),
    Feature("weight-fine", "splits", "Shares as fine as 0.01 %", _route(_split(9999, 1))),
    Feature("weight-zero", "splits", "A backend that gets nothing yet", _route(_split(FULL, 0))),
    Feature("grpc", "splits", "Split of gRPC", replace(_route(_split(9000, 1000)), protocol="grpc")),
    Feature("tcp", "splits", "Split of TCP", replace(_route(_split(9000, 1000)), protocol="tcp")),
    _matching("path-exact", "By exact path", Match(path=PathMatch("exact", "/cart"))),
    _matching("path-segments", "By path, whole segments", Match(path=PathMatch("segments", "/cart"))),
    _matching("path-prefix", "By path, beginning of the text", Match(path=PathMatch("prefix", "/cart"))),
    _matching("path-regex", "By path, regular expression", Match(path=PathMatch("regex", "/cart/[0-9]+"))),
    _matching("method", "By method", Match(methods=("GET",))),
    _matching("header-exact", "By header, exact value", Match(headers=(HeaderMatch("x-user", "exact", "ada"),))),
    _matching("header-prefix", "By header, beginning", Match(headers=(HeaderMatch("x-user", "prefix", "a"),))),
    _matching("header-regex", "By header, regular expression", Match(headers=(HeaderMatch("x-user", "regex", "a.*"),))),
    _matching("header-present", "By header that is there", Match(headers=(HeaderMatch("x-user", "present"),))),
    _matching(
        "header-not",
        "By header that is not so",
        Match(headers=(HeaderMatch("x-user", "exact", "a", is_inverted=True),)),
    ),
    _matching("query-exact", "By query parameter, exact value", Match(query=(QueryMatch("beta", "exact", "1"),))),
    _matching(
        "query-regex", "By query parameter, regular expression", Match(query=(QueryMatch("beta", "regex", "1|2"),))
    ),
)
