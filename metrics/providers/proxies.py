"""A few proxies of each service, asked through the API server: no Prometheus, nothing to install, nothing to open.

Bounded: so many pods of a service, so many of a cluster a round, and none twice within 5 s however many look. What was
not asked is scaled up by the share of its ReplicaSet that was, and the share is told.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from clusters.clients import ClusterError, ForbiddenError
from meshes.adapters.natives import image_version
from meshes.types import Grain
from meshui.lib.clock import now
from metrics.providers.scrapes import Kept
from metrics.samples import BadSamplesError, SampledRates, Target, parse_samples
from metrics.signals import measure
from metrics.types import SHORT, Golden, Measurement, Name, ProxyCount, window_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from clusters.models import Cluster
    from clusters.proxied import Pod, Proxied
    from meshes.adapters.base import MeshAdapter
    from metrics.samples import History
    from metrics.types import Place

AT_ONCE: Final = 4
LATE: Final = "Some proxies were not asked: the others took too long."
PODS_WHEN_WATCHED: Final = 6
PODS_ELSE: Final = 2
MOST_A_ROUND: Final = 60
MOST_LISTS: Final = 60
ROUND_SECONDS: Final = 20.0
"""After so long no more lists and pages are begun."""
MEND: Final = "Apply the manifest with metrics (Clusters → Least rights), or set another source of its metrics."


@dataclass
class _Round:
    """What one round saw: pods by place, those chosen to be asked, and what went wrong."""

    pods: dict[tuple[str, str], tuple[Pod, ...]] = field(default_factory=dict)
    chosen: dict[str, Pod] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    lists: int = 0
    until: float = field(default_factory=lambda: time.monotonic() + ROUND_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether its time is."""
        return time.monotonic() > self.until


@dataclass
class ProxiesProvider:
    """Asks proxies of `cluster` of the meshes of `adapters`."""

    cluster: Cluster
    proxied: Proxied
    adapters: Sequence[MeshAdapter]
    window: int

    def measure(self, places: Sequence[Place], *, step: int) -> Measurement:
        """As Provider.measure. Raises ClusterError where no pod may be listed at all."""
        seen = _Round()
        self._choose(places, seen, PODS_WHEN_WATCHED if step <= SHORT else PODS_ELSE)
        kept = Kept(self.cluster, seen.chosen.values())
        self._ask(kept, seen)
        kept.save()
        found, usable = self._evaluate(kept, seen, places, window_of(step, self.window))
        shares = {key: share for key, pods in seen.pods.items() if (share := _share(pods, usable)) is not None}
        source = f"{len(usable)} of {len(_meshed(seen.pods.values()))} proxies"
        return Measurement(found, source, shares, tuple(dict.fromkeys(seen.problems)), self._versions(seen))

    def _versions(self, seen: _Round) -> tuple[ProxyCount, ...]:
        """The versions of the proxies of all pods that were listed, asked or not."""
        every = {pod.uid: pod for pods in seen.pods.values() for pod in pods}
        counted: Counter[tuple[str, str, str, str]] = Counter()
        for pod in every.values():
            adapter = self._adapter(pod)
            image = next((i for name, i in pod.images if adapter and name in adapter.proxy_page.containers), "")
            if adapter is not None and image:
                counted[adapter.kind, pod.namespace, pod.workload, image_version(image).text] += 1
        return tuple(ProxyCount(*key, pods=pods) for key, pods in sorted(counted.items()))

    def _choose(self, places: Sequence[Place], seen: _Round, pods_each: int) -> None:
        """List the pods of each place, and choose of each ReplicaSet some, as long as there is budget."""
        refused: ForbiddenError | None = None
        left_out = 0
        for place in places:
            if seen.lists >= MOST_LISTS or len(seen.chosen) >= MOST_A_ROUND or seen.is_over:
                left_out += 1
                continue
            try:
                pods = self._pods(place, seen)
            except ForbiddenError as error:
                refused = error
                seen.problems.append(f"Pods of {place.namespace} may not be listed. {MEND}")
                continue
            for pod in sampled(pods, pods_each):
                if len(seen.chosen) < MOST_A_ROUND:
                    seen.chosen.setdefault(pod.uid, pod)
        if left_out:
            bound = f"{ROUND_SECONDS:g} s" if seen.is_over else f"{MOST_A_ROUND} proxies"
            seen.problems.append(f"{left_out} services were not asked: a round has {bound}.")
        if refused is not None and not seen.pods:
            raise refused

    def _pods(self, place: Place, seen: _Round) -> tuple[Pod, ...]:
        """Its pods that have a proxy, and those of its backends that it does not select itself."""
        if not place.selector:
            seen.problems.append(f"{place.namespace}/{place.service} selects no pods.")
            return ()
        seen.lists += 1
        found = self.proxied.pods(place.namespace, dict(place.selector))
        known = {pod.uid for pod in found}
        found = (*found, *(pod for pod in self._beside(place, seen) if pod.uid not in known))
        pods = tuple(pod for pod in found if self._adapter(pod) is not None)
        if len(pods) < len(found):
            seen.problems.append(f"{len(found) - len(pods)} pods of {place.namespace}/{place.service} have no proxy.")
        seen.pods[place.namespace, place.service] = pods
        return pods

    def _beside(self, place: Place, seen: _Round) -> Iterator[Pod]:
        """Pods of backends that are Services of their own; those that may not be listed are a problem."""
        own = set(place.selector)
        others = {(b.namespace, b.selector): None for b in place.backends if b.selector}
        for namespace, selector in others:
            if namespace == place.namespace and own <= set(selector):
                continue
            seen.lists += 1
            try:
                yield from self.proxied.pods(namespace, dict(selector))
            except ForbiddenError:
                seen.problems.append(f"Pods of {namespace} may not be listed. {MEND}")

    def _adapter(self, pod: Pod) -> MeshAdapter | None:
        return next((a for a in self.adapters if pod.containers & set(a.proxy_page.containers)), None)

    def _ask(self, kept: Kept, seen: _Round) -> None:
        """Ask those that were not asked just now, four at a time."""
        due = [seen.chosen[uid] for uid in kept.claim() if uid in seen.chosen]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scrape") as pool:
            answers = pool.map(lambda pod: LATE if seen.is_over else self._scrape(pod), due)
            for pod, told in zip(due, answers, strict=True):
                if isinstance(told, str):
                    seen.problems.append(told)
                    kept.failed(pod.uid, told)
                else:
                    kept.add(pod.uid, *told)

    def _scrape(self, pod: Pod) -> tuple[float, dict[str, float]] | str:
        """(when, samples), or why not."""
        adapter = self._adapter(pod)
        if adapter is None:
            return f"{pod.name} has no proxy."
        page = adapter.proxy_page
        try:
            text = self.proxied.pod_text(pod.namespace, pod.name, page.port, page.path)
            return now().timestamp(), parse_samples(text, metrics_of(adapter))
        except ForbiddenError as error:
            return f"Proxies may not be asked: {error.message} {MEND}"
        except (ClusterError, BadSamplesError) as error:
            return f"{pod.namespace}/{pod.name} did not tell its metrics: {error}"

    def _evaluate(
        self, kept: Kept, seen: _Round, places: Sequence[Place], window: int
    ) -> tuple[dict[Name, Golden], frozenset[str]]:
        """What the samples say, and the uids of the pods that had enough of them."""
        at = now().timestamp()
        histories = {uid: kept.history(uid) for uid in seen.chosen}
        usable = frozenset(uid for uid, history in histories.items() if _is_enough(history, at - window, at))
        every = {pod.uid: pod for pods in seen.pods.values() for pod in pods}
        whole = Counter(_group(pod) for pod in every.values())
        asked = Counter(_group(every[uid]) for uid in usable)
        found: dict[Name, Golden] = {}
        for adapter in self.adapters:
            targets = [
                Target(_labels(every[uid]), histories[uid], whole[_group(every[uid])] / asked[_group(every[uid])])
                for uid in usable
                if self._adapter(every[uid]) is adapter
            ]
            if targets:
                found |= measure(adapter.signals, SampledRates(targets, at, window), places)
        told = {(pod.namespace, pod.workload) for uid, pod in every.items() if uid in usable}
        return found | dict.fromkeys(_idle(places, found, told), Golden(0.0)), usable


def _idle(places: Sequence[Place], found: Mapping[Name, Golden], told: Collection[tuple[str, str]]) -> Iterator[Name]:
    """Backends whose own proxies told their metrics, and no request among them, while their service gets some.

    `told`: namespace and name of the workloads of those that did. Of all others without requests nothing is known.
    """
    for place in places:
        if Name(place.namespace, place.service, Grain.SERVICE) not in found:
            continue
        for backend in place.backends:
            name = Name(place.namespace, place.service, Grain.BACKEND, backend.key)
            if name not in found and any((backend.namespace, each) in told for each in backend.workloads):
                yield name


def metrics_of(adapter: MeshAdapter) -> frozenset[str]:
    """The metrics that its signals are made of."""
    return frozenset(way.metric for spec in adapter.signals.values() for ways in spec.ways.values() for way in ways)


def sampled(pods: Sequence[Pod], most: int) -> list[Pod]:
    """At most `most` of `pods`, but one of each ReplicaSet; the same ones each round, as rates need two of each."""
    groups: dict[str, list[Pod]] = defaultdict(list)
    for pod in sorted(pods, key=lambda pod: pod.name):
        groups[pod.owner].append(pod)
    turns = max(map(len, groups.values()), default=0)
    ordered = [group[turn] for turn in range(turns) for group in groups.values() if turn < len(group)]
    return ordered[: max(most, len(groups))]


def _meshed(groups: Iterable[tuple[Pod, ...]]) -> frozenset[str]:
    return frozenset(pod.uid for pods in groups for pod in pods)


def _group(pod: Pod) -> tuple[str, str]:
    return pod.namespace, pod.owner


def _labels(pod: Pod) -> Mapping[str, str]:
    """What a collector would add."""
    return {"namespace": pod.namespace, "pod": pod.name, "deployment": pod.workload}


def _is_enough(history: History, start: float, end: float) -> bool:
    return sum(start <= at <= end for at, _ in history.scrapes) >= 2


def _share(pods: Sequence[Pod], usable: frozenset[str]) -> float | None:
    """Which part of these pods the numbers rest on; None: on none."""
    known = sum(pod.uid in usable for pod in pods)
    return known / len(pods) if known else None
