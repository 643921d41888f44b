"""Golden signals from rates, by a mesh's specification: the same arithmetic whoever gave the rates. No Django.

A ratio needs requests to be one, a quantile buckets with requests in them: else there is no data (None), never 0.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from meshes.types import Grain, Signal
from metrics.promql import NAME
from metrics.types import Golden, Name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from meshes.types import Side, SignalSpec, Way
    from metrics.types import BackendPlace, Place, Rates, Wanted

    Row = Mapping[str, str]
    Bounds = dict[float, float]
    Owners = Callable[[Row], Iterator[Name]]
    Read = Callable[[Rates, Way, Wanted], Iterator[tuple[Row, Any]]]

QUANTILES: Final = (0.5, 0.95, 0.99)
MOST_PARTS: Final = 100
UNKNOWN: Final = frozenset({"", "unknown"})


def measure(specs: Mapping[Signal, SignalSpec], rates: Rates, places: Sequence[Place]) -> dict[Name, Golden]:
    """The golden signals of `places`, their backends and their callers, as far as `rates` knows them.

    Of each place the first side that has data answers a grain, alone. Raises what `rates` raises.
    """
    found: dict[Name, Golden] = {}
    for grain in Grain:
        found |= measure_grain(specs, rates, grain, places)
    return found


def measure_grain(
    specs: Mapping[Signal, SignalSpec], rates: Rates, grain: Grain, places: Sequence[Place]
) -> dict[Name, Golden]:
    """Those of one grain alone: the rate decides whose proxies are believed of a place, all signals come from them."""
    concerned = [place for place in places if grain is not Grain.BACKEND or place.backends]
    return _of_grain(specs, rates, grain, concerned) if concerned else {}


def quantile(q: float, buckets: Mapping[float, float]) -> float | None:
    """As Prometheus' histogram_quantile: `buckets` are cumulative, by upper bound, `inf` among them; else None.

    Within a bucket requests are spread evenly; above the last finite bound it is that bound.
    """
    bounds = sorted(buckets)
    if len(bounds) < 2 or bounds[-1] != math.inf:
        return None
    counts, highest = [], 0.0
    for bound in bounds:  # rates of single buckets are not exact: a sum must not fall
        highest = max(highest, buckets[bound])
        counts.append(highest)
    total = counts[-1]
    if not total > 0 or math.isinf(total):
        return None
    rank = q * total
    index = next(i for i, count in enumerate(counts) if count >= rank or i == len(counts) - 1)
    if index == len(bounds) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    return start + (bounds[index] - start) * (rank - below) / (counts[index] - below)


def _of_grain(
    specs: Mapping[Signal, SignalSpec], rates: Rates, grain: Grain, places: Sequence[Place]
) -> dict[Name, Golden]:
    """The rate decides whose proxies are believed of a place: its other signals come from the same ones."""
    question = _Question(rates, grain, {(place.namespace, place.service): place for place in places})
    counted = _counted(question, specs[Signal.REQUEST_RATE], _read_rate)
    ratios = _counted(question, specs[Signal.SUCCESS_RATE], _read_ratio)
    latencies = _counted(question, specs[Signal.LATENCY], _read_buckets)
    return {
        name: Golden(sum(parts), _ratio(ratios.get(name, ())), *_latency(latencies.get(name, ())))
        for name, parts in _busiest(counted)
    }


def _busiest(counted: Mapping[Name, Sequence[float]]) -> Iterator[tuple[Name, Sequence[float]]]:
    """At most 100 parts of a service, the busiest: whoever counts may name callers without end."""
    taken: Counter[tuple[str, str]] = Counter()
    for name, parts in sorted(counted.items(), key=lambda one: -sum(one[1])):
        taken[name.namespace, name.service] += 1
        if taken[name.namespace, name.service] <= MOST_PARTS:
            yield name, parts


@dataclass
class _Question:
    """What is asked of one grain. `sides`: whose proxies knew a place, once that is known."""

    rates: Rates
    grain: Grain
    places: dict[tuple[str, str], Place]
    sides: dict[tuple[str, str], Side] | None = None


def _counted(question: _Question, spec: SignalSpec, read: Read) -> dict[Name, list[Any]]:
    """What was read, by what it is of. A place that one side knew is not asked of the next."""
    found: dict[Name, list[Any]] = defaultdict(list)
    sides: dict[tuple[str, str], Side] = {}
    for way in _in_order(spec.ways.get(question.grain, ()), question.rates.order):
        if question.sides is None:
            places = [place for key, place in question.places.items() if sides.get(key, way.side) == way.side]
        else:
            places = [question.places[key] for key, side in question.sides.items() if side == way.side]
        if not places:
            continue
        owners = _owners(question.grain, places)
        for row, value in read(question.rates, way, _wanted(way, question.grain, places)):
            for name in owners(row):
                found[name].append(value)
                sides[name.namespace, name.service] = way.side
    question.sides = sides if question.sides is None else question.sides
    return found


def _in_order(ways: Sequence[Way], order: Sequence[str]) -> Sequence[Way]:
    return sorted(ways, key=lambda way: order.index(way.side)) if order else ways


def _wanted(way: Way, grain: Grain, places: Sequence[Place]) -> Wanted:
    """What the query is narrowed to: services, or where proxies do not know them, workloads."""
    keys = {key for key, _ in way.keys}
    backends = [backend for place in places for backend in place.backends] if grain is Grain.BACKEND else []
    around: list[Place | BackendPlace] = [*places, *backends]
    namespaces = {one.namespace for one in around}
    if "service" in keys:
        return {"namespace": namespaces, "service": {one.service for one in around}}
    behind = backends or places
    return {"namespace": namespaces, "workload": {name for one in behind for name in one.workloads}}


def _rows(rates: Rates, way: Way, wanted: Wanted, *, good: bool = False) -> Iterator[tuple[Row, float, str]]:
    """Each group as a mapping by key, its rate, and of a histogram the bound."""
    if not all(wanted.values()):  # nothing could be asked: no workload of it is known
        return
    keys = [key for key, _ in way.keys]
    for values, rate in rates.sums(way, wanted, good=good).items():
        if math.isfinite(rate):
            yield dict(zip(keys, values, strict=False)), rate, values[-1]


def _read_rate(rates: Rates, way: Way, wanted: Wanted) -> Iterator[tuple[Row, float]]:
    return ((row, rate) for row, rate, _ in _rows(rates, way, wanted))


def _read_ratio(rates: Rates, way: Way, wanted: Wanted) -> Iterator[tuple[Row, tuple[float, float]]]:
    """(all, of them good); that none went well is known where there were any."""
    for row, rate, _ in _rows(rates, way, wanted):
        yield row, (rate, 0.0)
    for row, rate, _ in _rows(rates, way, wanted, good=True):
        yield row, (0.0, rate)


def _read_buckets(rates: Rates, way: Way, wanted: Wanted) -> Iterator[tuple[Row, tuple[float, float]]]:
    """(upper bound in ms, requests a second within it)."""
    for row, rate, bound in _rows(rates, way, wanted):
        try:
            yield row, (float(bound) * way.to_ms, rate)
        except ValueError:
            continue


def _ratio(parts: Sequence[tuple[float, float]]) -> float | None:
    whole, good = sum(part[0] for part in parts), sum(part[1] for part in parts)
    return min(1.0, good / whole) if whole > 0 else None


def _latency(parts: Sequence[tuple[float, float]]) -> tuple[float | None, ...]:
    buckets: Bounds = defaultdict(float)
    for bound, rate in parts:
        buckets[bound] += rate
    return tuple(quantile(q, buckets) for q in QUANTILES)


def _owners(grain: Grain, places: Sequence[Place]) -> Owners:
    """What a row is of: a workload may stand behind several services, so there may be several."""
    if grain is Grain.BACKEND:
        return _owners_of_backends(places)
    by_service = {(place.namespace, place.service): place for place in places}
    by_workload: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for place in places:
        for workload in place.workloads:
            by_workload[place.namespace, workload].append(place)

    def services(row: Row) -> Iterator[Name]:
        if "service" in row:
            found = [by_service.get((row["namespace"], row["service"]))]
        else:
            found = [*by_workload[row["namespace"], row["workload"]]]
        yield from (Name(place.namespace, place.service, grain) for place in found if place)

    def edges(row: Row) -> Iterator[Name]:
        place = by_service.get((row["namespace"], row["service"]))
        source = (row["source_namespace"], row["source_workload"])
        if place and all(map(NAME.match, source)):
            yield Name(place.namespace, place.service, grain, "/".join(source))

    return edges if grain is Grain.EDGE else services


def _owners_of_backends(places: Sequence[Place]) -> Owners:
    backends: dict[tuple[str, str], list[tuple[Place, BackendPlace]]] = defaultdict(list)
    for place in places:
        for backend in place.backends:
            backends[backend.namespace, backend.service].append((place, backend))
            for workload in backend.workloads:
                backends[backend.namespace, f"/{workload}"].append((place, backend))

    def owners(row: Row) -> Iterator[Name]:
        if "backend" in row:
            found = backends[row["backend_namespace"] or row["namespace"], row["backend"]]
            found = [(place, one) for place, one in found if _is_root(row, place)]
        elif "service" in row:
            behind = backends[row["namespace"], f"/{row.get('workload')}"]
            found = [(place, one) for place, one in behind if _is_sent_on(row, place, one)]
            taken = {(place.namespace, place.service) for place, _ in found}
            named = [pair for pair in backends[row["namespace"], row["service"]] if _is_named(row, pair[1])]
            found += [(p, one) for p, one in named if (p.namespace, p.service) not in taken or one.is_subset]
        else:
            found = backends[row["namespace"], f"/{row['workload']}"]
        names = (Name(place.namespace, place.service, Grain.BACKEND, one.key) for place, one in found)
        yield from dict.fromkeys(names)

    return owners


def _is_root(row: Row, place: Place) -> bool:
    return (row["namespace"], row["service"]) == (place.namespace, place.service)


def _is_sent_on(row: Row, place: Place, backend: BackendPlace) -> bool:
    """Whether a row tells what was asked for, and its workload where that went: to a Service of its own."""
    is_other = (backend.namespace, backend.service) != (place.namespace, place.service)
    return is_other and not backend.is_subset and _is_root(row, place)


def _is_named(row: Row, backend: BackendPlace) -> bool:
    """Whether the requests of a row for the backend's Service went to it: all of them, or those of its subset."""
    if not backend.is_subset:
        return True
    version = row.get("version", "")
    if backend.version and version not in UNKNOWN:
        return version == backend.version
    return row.get("workload") in backend.workloads
