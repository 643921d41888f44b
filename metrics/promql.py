"""PromQL from templates: the only place where text becomes a query (docs/security.md, S15). No Django.

Values are names of Kubernetes or they are refused; they are quoted and, in a regex, escaped all the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from meshui.lib.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from meshes.types import Way
    from metrics.types import Wanted

NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z", re.ASCII)
"""A name of Kubernetes: what is in a label that queries are narrowed by."""
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}\Z")
FIXED: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?\Z")
MOST_NAMES: Final = 500
WINDOW: Final = range(15, 3601)


class UnsafeQueryError(InvalidError):
    """A value that may not stand in a query."""


def rate_query(
    way: Way, wanted: Wanted, *, window: int, good: bool = False, fixed: Mapping[str, str] | None = None
) -> str:
    """`sum by (…) (rate(metric{…}[60s]))` of one way; `fixed` are labels that every selector bears.

    Raises UnsafeQueryError: a value that is no name, none or more than 500 of them, a window not of 15 to 3600 s.
    """
    if window not in WINDOW:
        raise UnsafeQueryError(f"A window of {window} s is not one of {WINDOW.start} to {WINDOW.stop - 1} s.")
    conditions = ",".join((*_fixed(fixed or {}), *_constants(way, good=good), *_narrowed(way, wanted)))
    return f"sum by ({', '.join(way.labels)}) (rate({way.metric}{{{conditions}}}[{window}s]))"


def _fixed(labels: Mapping[str, str]) -> Iterator[str]:
    for label, value in labels.items():
        require_fixed(label, value)
        yield f"{label}={_quoted(value)}"


def require_fixed(label: str, value: str) -> None:
    """A label that every query bears, such as `cluster="eu-west"`. Raises UnsafeQueryError."""
    if not LABEL.match(label) or label == "__name__":
        raise UnsafeQueryError("The name of a label is not one.", mend="Use letters, digits and underscores.")
    if not FIXED.match(value):
        raise UnsafeQueryError("The value of a label is refused.", mend="Use letters, digits, dots, / and hyphens.")


def _constants(way: Way, *, good: bool) -> Iterator[str]:
    for match in (*way.matches, *(way.good if good else ())):
        yield f"{match.label}{match.op}{_quoted(match.value)}"


def _narrowed(way: Way, wanted: Wanted) -> Iterator[str]:
    for key, label in way.keys:
        if key in wanted:
            yield f"{label}{_one_of(wanted[key])}"


def _one_of(values: Collection[str]) -> str:
    names = sorted(set(values))
    if not 0 < len(names) <= MOST_NAMES:
        raise UnsafeQueryError(f"A query is narrowed to 1 to {MOST_NAMES} names, not {len(names)}.")
    for name in names:
        if not NAME.match(name):
            raise UnsafeQueryError("A name is refused in a query: it is none that Kubernetes would allow.")
    if len(names) == 1:
        return f"={_quoted(names[0])}"
    return f"=~{_quoted('|'.join(re.escape(name) for name in names))}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
