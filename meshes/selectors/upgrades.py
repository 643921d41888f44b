"""What is behind in a mesh: revisions older than its newest, and whom they still give their proxies. No query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meshes.types import Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshes.models import ControlPlane
    from meshes.selectors.proxies import ProxyLine

SKEW: Final = 1
"""Minor versions that proxies may be behind a control plane: Istio's and Linkerd's word for it."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A revision that is older than the newest one of its mesh. `is_too_far`: by more than is supported.

    `workloads` and `pods` still get their proxies from it.
    """

    plane: ControlPlane
    newest: ControlPlane
    workloads: int
    pods: int
    is_too_far: bool


def behind(planes: Sequence[ControlPlane], lines: Sequence[ProxyLine]) -> list[Behind]:
    """Of the control planes that are there those older than the newest, oldest first; not those of unknown version."""
    known = [(version, plane) for plane in planes if (version := Version.parse(plane.version)).major]
    if not known:
        return []
    known.sort(key=lambda each: _number(each[0]))
    newest, head = known[-1]
    older = [each for each in known if _number(each[0]) < _number(newest)]
    return [_behind(plane, head, lines, is_too_far=_is_too_far(version, newest)) for version, plane in older]


def _number(version: Version) -> tuple[int, int, int]:
    return version.major, version.minor, version.patch


def _is_too_far(version: Version, newest: Version) -> bool:
    return version.major != newest.major or newest.minor - version.minor > SKEW


def _behind(plane: ControlPlane, newest: ControlPlane, lines: Sequence[ProxyLine], *, is_too_far: bool) -> Behind:
    names = {plane.revision, *plane.tags}
    given = [line for line in lines if line.revision in names]
    workloads, pods = sum(line.workloads for line in given), sum(line.pods for line in given)
    return Behind(plane, newest, workloads, pods, is_too_far)
