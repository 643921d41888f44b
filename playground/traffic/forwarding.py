"""Where a rule sends its requests, as an Envoy route action. Pure.

The share of a backend goes to its workloads by the number of their pods, so that each of Envoy's clusters is one
workload behind one Service, and what Envoy counts needs no guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING

from playground.traffic.model import Service, cluster_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from playground.apiserver.jsontypes import Json
    from playground.traffic.model import Directory

LARGEST_SUM = 2**32 - 1  # of the weights of one route


@dataclass(frozen=True)
class Backend:
    """A Service, or those of its pods that bear `labels`, with a weight; without a Service it is not there."""

    service: Service | None
    weight: int
    labels: Mapping[str, str] = field(default_factory=dict)
    is_known: bool = True  # a subset that no rule defines is not: nobody answers for it


def failing(status: int) -> Json:
    """Answer without a backend."""
    return {"direct_response": {"status": status}}


def forward(directory: Directory, backends: Sequence[Backend], **options: object) -> Json:
    """Share requests among `backends` by weight; `options` are more fields of Envoy's route action.

    The sum of the weights must not be 0.
    """
    shares: dict[str, Fraction] = {}
    for backend in backends:
        for name, share in _shares(directory, backend):
            shares[name] = shares.get(name, Fraction()) + share * backend.weight
    weights = _whole({name: share for name, share in shares.items() if share})
    if len(weights) == 1:
        return {"route": {"cluster": next(iter(weights)), **options}}
    entries = [{"name": name, "weight": weight} for name, weight in weights.items()]
    return {"route": {"weighted_clusters": {"clusters": entries}, **options}}


def _shares(directory: Directory, backend: Backend) -> list[tuple[str, Fraction]]:
    if backend.service is None:
        return [("unknown", Fraction(1))]
    workloads = directory.workloads(backend.service, backend.labels) if backend.is_known else {}
    pods = sum(len(found) for found in workloads.values())
    if not pods:
        return [(cluster_name(backend.service, ""), Fraction(1))]
    return [
        (cluster_name(backend.service, workload), Fraction(len(found), pods))
        for workload, found in sorted(workloads.items())
    ]


def _whole(shares: Mapping[str, Fraction]) -> dict[str, int]:
    """The smallest integers in the same proportion."""
    scale = lcm(*(share.denominator for share in shares.values()))
    weights = {name: int(share * scale) for name, share in shares.items()}
    common = gcd(*weights.values())
    weights = {name: weight // common for name, weight in weights.items()}
    total = sum(weights.values())
    return {
        name: max(1, weight * LARGEST_SUM // total) if total > LARGEST_SUM else weight
        for name, weight in weights.items()
    }
