"""What is behind in a mesh: revisions older than its newest, and whom they still give their proxies. No query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meshes.adapters.registry import adapter_for
from meshes.types import Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshes.models import ControlPlane
    from meshes.selectors.proxies import ProxyLine

SKEW: Final = 1
"""Minor versions that proxies may be behind their control plane: Istio's and Linkerd's word for it."""
BEHIND: Final = ("behind", "too_far")


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


def behind(kind: str, planes: Sequence[ControlPlane], lines: Sequence[ProxyLine]) -> list[Behind]:
    """Of the control planes that are there those older than the newest, oldest first; not those of unknown version."""
    known = sorted((each for each in planes if Version.parse(each.version).major), key=_number)
    return [
        _behind(kind, each, known[-1], lines)
        for each in known
        if standing(kind, each.version, known[-1].version) in BEHIND
    ]


def standing(kind: str, mine: str, theirs: str) -> str:
    """How version `mine` stands to `theirs` of the same mesh: same, behind, too_far, ahead, unknown.

    too_far: by more than one minor version. Where two are named in different ways, by date and by number, their minor
    versions are compared.
    """
    one, other = Version.parse(mine), Version.parse(theirs)
    if mine == theirs:
        return "same" if mine else "unknown"
    if not one.major or not other.major:
        return "unknown"
    adapter = adapter_for(kind)
    minors = adapter.minor_of(one), adapter.minor_of(other)
    if one.major == other.major:
        order = _compared(one, other)
    elif minors[0] is None or minors[1] is None or minors[0] == minors[1]:
        return "unknown"
    else:
        order = minors[0] - minors[1]
    if order >= 0:
        return "ahead" if order else "same"
    is_too_far = minors[0] is not None and minors[1] is not None and minors[1] - minors[0] > SKEW
    return "too_far" if is_too_far else "behind"


def _compared(one: Version, other: Version) -> int:
    mine, theirs = (one.major, one.minor, one.patch), (other.major, other.minor, other.patch)
    return (mine > theirs) - (mine < theirs)


def _number(plane: ControlPlane) -> tuple[int, int, int]:
    version = Version.parse(plane.version)
    return version.major, version.minor, version.patch


def _behind(kind: str, plane: ControlPlane, newest: ControlPlane, lines: Sequence[ProxyLine]) -> Behind:
    names = {plane.revision, *plane.tags}
    given = [line for line in lines if line.revision in names]
    workloads, pods = sum(line.workloads for line in given), sum(line.pods for line in given)
    return Behind(plane, newest, workloads, pods, standing(kind, plane.version, newest.version) == "too_far")
