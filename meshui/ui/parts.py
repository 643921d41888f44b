"""What pages hand to the shared parts: plain values, drawn by templates/parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from django.utils.translation import gettext_lazy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.utils.functional import _StrPromise

StepWord = Literal["todo", "current", "done", "bad"]
STEP_CSS: Final = MappingProxyType({"todo": "", "current": "cur", "done": "done", "bad": "bad"})
STEP_WORDS: Final = MappingProxyType(
    {
        "todo": gettext_lazy("to come"),
        "current": gettext_lazy("now"),
        "done": gettext_lazy("done"),
        "bad": gettext_lazy("stopped"),
    }
)
SERIES: Final = 6  # from the seventh backend on, the sixth colour is "others"
PRESETS: Final = (0, 5, 10, 25, 50, 100)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the ladder on top of a page; `state` is todo, current, done or bad."""

    label: str | _StrPromise
    note: str | _StrPromise = ""
    state: StepWord = "todo"

    @property
    def css(self) -> str:
        """The class of the step."""
        return STEP_CSS[self.state]

    @property
    def word(self) -> str | _StrPromise:
        """The state in a word, for those who do not see it."""
        return STEP_WORDS[self.state]


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One backend of a split form. `text` is what stands in its field; `live_bp` what the cluster has now.

    `remove`: what its remove button posts as `do`; empty: it has none. `new_words`: what is said of one that is new.
    """

    name: str
    live_bp: int
    text: str
    note: str = ""
    error: str = ""
    number: int = 0
    prefix: str = ""
    is_new: bool = False
    remove: str = ""
    new_words: str = ""

    @property
    def field(self) -> str:
        """Name and id of its field: `<prefix>weight-<n>`."""
        return f"{self.prefix}weight-{self.number}"

    @property
    def css(self) -> str:
        """The class that gives its colour, by place."""
        return series_class(self.number)

    @property
    def shown_bp(self) -> int:
        """What the slider shows: the field in basis points, or the live share where the field cannot be read."""
        try:
            value = round(float(self.text.replace("%", "").replace(",", ".").strip()) * 100)
        except ValueError:
            return self.live_bp
        return value if 0 <= value <= 10_000 else self.live_bp


def series_class(number: int) -> str:
    """c1 … c6: the colour of the backend at place `number`, counted from 0."""
    return f"c{min(number + 1, SERIES)}"


def numbered(rows: Sequence[SplitRow], prefix: str) -> list[SplitRow]:
    """The rows with their place and the prefix of their fields."""
    return [replace(row, number=number, prefix=prefix) for number, row in enumerate(rows)]


def gathered(shares: Sequence[tuple[str, int]], others: str) -> list[tuple[str, int]]:
    """At most six segments: from the sixth on, when there are more, they are one, named `others`."""
    if len(shares) <= SERIES:
        return list(shares)
    rest = sum(share for _, share in shares[SERIES - 1 :])
    return [*shares[: SERIES - 1], (others, rest)]
