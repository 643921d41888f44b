"""What is measured and what is said of it: frozen values between providers, services and who asks. No Django."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping

    from meshes.types import Grain, Key, Side, Way

    Wanted = Mapping[Key, Collection[str]]
    Sums = dict[tuple[str, ...], float]


SHORT: Final = 15
LONG: Final = 60
"""Seconds between two rounds: of what somebody looks at, of all else."""
LOOKED_BACK: Final = 2.5
"""Rounds that a rate by the minute looks back over, where proxies are asked themselves: it needs two samples."""


def window_of(step: int, window: int) -> int:
    """Over how many seconds a rate of proxies looks back that are asked every `step` s; `window`: the shortest."""
    return window if step <= SHORT else max(window, round(LOOKED_BACK * step))


class Rates(Protocol):
    """Where rates come from: Prometheus, or samples of the proxies themselves."""

    @property
    def order(self) -> tuple[Side, ...]:
        """Whose proxies to believe first; empty: as the mesh's specification has it."""

    def sums(self, way: Way, wanted: Wanted, *, good: bool = False) -> Sums:
        """Requests a second by the values of `way.labels`, where the labels of `wanted`'s keys have one of its values.

        `good`: only those that went well. What is not there is not in it: nothing is 0 because it is not known.
        """


@dataclass(frozen=True, slots=True)
class BackendPlace:
    """One backend of a route, and by what proxies know it. `key` as Backend.key.

    `version`: of a subset that is chosen by the label `version` alone; else its `workloads` tell it.
    `selector`: of its pods; empty: not known.
    """

    key: str
    namespace: str
    service: str
    is_subset: bool = False
    version: str = ""
    workloads: frozenset[str] = frozenset()
    selector: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A service to measure, the workloads behind it, the selector of its pods, the backends of its routes."""

    namespace: str
    service: str
    workloads: frozenset[str] = frozenset()
    selector: tuple[tuple[str, str], ...] = ()
    backends: tuple[BackendPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class Golden:
    """Golden signals at one moment: requests/s, the fraction that went well, ms. None: no data, never 0."""

    rate: float
    success: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


class Name(NamedTuple):
    """What signals are of. `part`: empty of a service, a backend's key, or `namespace/workload` of a source."""

    namespace: str
    service: str
    grain: Grain
    part: str = ""


class ProxyCount(NamedTuple):
    """How many pods of a workload have a proxy of one version. `version`: the tag of its image."""

    mesh: str
    namespace: str
    workload: str
    version: str
    pods: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one round of one cluster found. `shares`: of a sampled service, which fraction of its proxies was asked.

    `source`: in words, who was asked. `problems`: what could not be read, in words, each once. `proxies`: of all pods
    that were listed on the way; none where nobody had to list pods.
    """

    found: Mapping[Name, Golden]
    source: str
    shares: Mapping[tuple[str, str], float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    proxies: tuple[ProxyCount, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """The last `minutes` until `at`; None: until now. One minute until now are the latest values themselves."""

    minutes: int = 1
    at: dt.datetime | None = None

    @property
    def is_latest(self) -> bool:
        """Whether it is what was measured last."""
        return self.at is None and self.minutes == 1


State = Literal["live", "stale", "none"]


@dataclass(frozen=True, slots=True)
class Reading:
    """Golden signals as they are shown: what they are, as of when, from whom.

    `state`: live, stale (nothing came for a while: `at` says since when), none (nothing was ever measured). `share`
    below 1: scaled up from that fraction of the proxies. `age_seconds` None with none.
    """

    name: Name
    golden: Golden | None
    state: State
    at: dt.datetime | None = None
    age_seconds: float | None = None
    source: str = ""
    share: float = 1.0

    @property
    def is_of_proxies(self) -> bool:
        """Whether proxies were asked themselves: `source` counts them."""
        return "proxies" in self.source

    @property
    def is_live(self) -> bool:
        """Whether it is of now: only then a decision may rest on it."""
        return self.state == "live" and self.golden is not None


@dataclass(frozen=True, slots=True)
class ServiceSignals:
    """One service of one cluster: itself, its backends by key, whoever calls it. `why`: why there is no data."""

    cluster: str
    service: Reading
    backends: Mapping[str, Reading]
    edges: tuple[Reading, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A chart's line: seconds since 1970 on a fixed raster, and a value for each; None is a gap, drawn as one."""

    name: Name
    step_seconds: int
    times: tuple[int, ...]
    rate: tuple[float | None, ...]
    success: tuple[float | None, ...]
    p50_ms: tuple[float | None, ...]
    p95_ms: tuple[float | None, ...]
    p99_ms: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class FleetSignals:
    """Sums over what is live: requests/s, the fraction that went well weighted by requests, the slowest p99.

    `live` of `known` services have data of now. None: of none of them is it known.
    """

    rate: float | None
    success: float | None
    slowest: Reading | None
    live: int
    known: int
    oldest_at: dt.datetime | None = None
    worst_p99_ms: float | None = None


RowState = Literal["live", "stale", "none", "off"]


@dataclass(frozen=True, slots=True)
class RowSignals:
    """One service over clusters, for a row of a list: sums over the `live` of its `places` that have data of now.

    `state`: live; stale (nothing came for a while: `at` says since when); none (never measured in any place); off (no
    place of it has a source). `at`: of the oldest value that is counted. `p99_ms`: of the slowest place, as quantiles
    cannot be added. `line`: requests/s together, by the minute; None is a gap.
    """

    state: RowState
    places: int
    live: int = 0
    rate: float | None = None
    success: float | None = None
    p99_ms: float | None = None
    at: dt.datetime | None = None
    line: tuple[float | None, ...] = ()
