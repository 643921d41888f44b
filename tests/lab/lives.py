"""The life of one route on a real server, step by step, and the wishes that move it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from lab.waiting import until
from meshes.types import Backend, Match, Root, Route, Rule, WeightedBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from clusters.clients import ObjectRef
    from lab.cluster import Cluster
    from meshes.adapters.base import MeshAdapter, Verification
    from meshes.types import LiveRoute, Rendered
    from tests.lab.worlds import Hands


class Life:
    """One route in a namespace of its own: every step is rendered from what the server gives, sent and read again."""

    def __init__(self, adapter: MeshAdapter, hands: Hands, cluster: Cluster, namespace: str) -> None:
        self.adapter, self.hands, self.cluster, self.namespace = adapter, hands, cluster, namespace
        self.ref: ObjectRef | None = None

    def live(self) -> LiveRoute | None:
        """As it is now."""
        body = self.hands.reader.get_object(self.ref) if self.ref else None
        return self.adapter.live(body) if body else None

    def shown(self) -> Route:
        """As people see it, with what its companions say."""
        live = self.live()
        assert live is not None
        return self.adapter.seen(live, self.adapter.around(self.hands.reader, live.route, live.ref)).route

    def render(self, desired: Route | None) -> Rendered:
        """What would be written."""
        live = self.live()
        route = desired or (live.route if live else None)
        assert route is not None
        around = self.adapter.around(self.hands.reader, route, live.ref if live else None)
        return self.adapter.render(desired, live, around)

    def step(self, desired: Route | None) -> list[str]:
        """Bring it about: `op Kind name` of each write, in order; what was read back is what was wished."""
        rendered = self.render(desired)
        assert [loss.reason for loss in rendered.losses] == []
        for write in rendered.objects:
            self.hands.send(write)
        live = self.live()
        assert self.adapter.verify(desired, live).answer in {"verified", "waiting", "cannot be observed"}
        assert self.render(desired).objects == () if desired else live is None
        return [f"{write.op} {write.ref.resource.kind} {write.ref.name}" for write in rendered.objects]

    def start(self, desired: Route) -> list[str]:
        """The first split."""
        self.ref = self.adapter.new_ref(desired, self.hands.reader.api_groups())
        return self.step(desired)

    def change(self, how: Callable[[Route], Route]) -> list[str]:
        """From what people see to what they wish."""
        return self.step(how(self.shown()))

    def refused(self, desired: Route | None) -> str:
        """Why it is not done."""
        rendered = self.render(desired)
        assert rendered.objects == ()
        assert all(loss.moves_requests for loss in rendered.losses)
        return " ".join(loss.reason for loss in rendered.losses)

    def told(self, level: str) -> Verification:
        """Its mesh's word, once it has been spoken."""
        found: list[Verification] = []

        def has_told() -> bool:
            live = self.live()
            assert live is not None
            found[:] = [self.adapter.verify(live.route, live)]
            return found[0].answer != "waiting"

        until(has_told, seconds=20, what="the mesh's word")
        assert found[0].level == level, found
        return found[0]

    def shares(self) -> list[dict[str, int]]:
        """Rule by rule, as it is stored."""
        live = self.live()
        assert live is not None
        return [{b.backend.name: b.weight_bp for b in rule.backends} for rule in live.route.rules]

    def spec(self) -> Any:
        """Of the stored object."""
        live = self.live()
        assert live is not None
        return live.body["spec"]


def subset(namespace: str, version: str) -> Backend:
    """Of Service web, with the labels that define it."""
    return Backend("subset", "web", namespace, None, version, (("version", version),))


def of_service(namespace: str, version: str) -> Backend:
    """A Service for each version."""
    return Backend("service", f"web-{version}", namespace, 8080)


class Wishes:
    """What people ask for, step by step, in backends that `make` makes."""

    def __init__(self, namespace: str, make: Callable[[str, str], Backend]) -> None:
        self.namespace, self.make = namespace, make

    def split(self, **shares: int) -> tuple[WeightedBackend, ...]:
        """Backends by version."""
        return tuple(WeightedBackend(self.make(self.namespace, v), share) for v, share in shares.items())

    def first(self, protocol: Literal["http", "grpc"] = "http") -> Route:
        """All to v1, nothing to v2 yet."""
        port = self.make(self.namespace, "v1").port
        return Route(Root("web", self.namespace, port), (Rule("rule-1", (), self.split(v1=10_000, v2=0)),), protocol)

    def shares(self, **shares: int) -> Callable[[Route], Route]:
        """The last rule with other shares."""
        return lambda route: replace(
            route, rules=(*route.rules[:-1], replace(route.rules[-1], backends=self.split(**shares)))
        )

    def dark_launch(self, *matches: Match) -> Callable[[Route], Route]:
        """A rule before all others, for chosen callers."""
        rule = Rule("dark-launch", matches, self.split(v3=10_000))
        return lambda route: replace(route, rules=(rule, *route.rules))

    def named(self, **shares: int) -> dict[str, int]:
        """As `Life.shares` says it."""
        return {self.make(self.namespace, version).name: share for version, share in shares.items()}


def first_rule_for(*matches: Match) -> Callable[[Route], Route]:
    """The first rule for other callers."""
    return lambda route: replace(route, rules=(replace(route.rules[0], matches=matches), *route.rules[1:]))


def without_first(route: Route) -> Route:
    """The first rule goes."""
    return replace(route, rules=route.rules[1:])
