"""Which of the objects that one adapter reads bear on which others: so that what moved is read anew, and little else.

Pure, and as large as what it knows: ties of every object, and by mark who has it and who leans on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshes.adapters.base import Ties


class _Index:
    """Marks → uids; most marks have one."""

    def __init__(self) -> None:
        self._found: dict[int, str | list[str]] = {}

    def add(self, mark: int, uid: str) -> None:
        known = self._found.get(mark)
        if known is None:
            self._found[mark] = uid
        elif isinstance(known, str):
            self._found[mark] = [known, uid]
        else:
            known.append(uid)

    def remove(self, mark: int, uid: str) -> None:
        known = self._found[mark]
        if isinstance(known, str):
            del self._found[mark]
            return
        known.remove(uid)
        if not known:
            del self._found[mark]

    def of(self, marks: Iterable[int]) -> Iterator[str]:
        for mark in marks:
            known = self._found.get(mark, ())
            yield from (known,) if isinstance(known, str) else known


@dataclass
class Web:
    """The objects of one adapter. `wide`: those that every reading may depend on."""

    ties: dict[str, Ties] = field(default_factory=dict)
    wide: set[str] = field(default_factory=set)
    _marked: _Index = field(default_factory=_Index)
    _leaning: _Index = field(default_factory=_Index)

    def put(self, uid: str, ties: Ties) -> None:
        """Know an object as it is now."""
        self.drop(uid)
        self.ties[uid] = ties
        if ties.is_wide:
            self.wide.add(uid)
        for mark in set(ties.marks):
            self._marked.add(mark, uid)
        for mark in set(ties.leans):
            self._leaning.add(mark, uid)

    def drop(self, uid: str) -> None:
        """It is no longer there."""
        ties = self.ties.pop(uid, None)
        if ties is None:
            return
        self.wide.discard(uid)
        for mark in set(ties.marks):
            self._marked.remove(mark, uid)
        for mark in set(ties.leans):
            self._leaning.remove(mark, uid)

    def marks(self, uids: Iterable[str]) -> set[int]:
        """What these are known by."""
        return {mark for uid in uids if uid in self.ties for mark in self.ties[uid].marks}

    def depending(self, marks: Iterable[int]) -> set[str]:
        """What leans on these marks, and what leans on that."""
        first = set(self._leaning.of(marks))
        return first | set(self._leaning.of(self.marks(first)))

    def around(self, uids: Iterable[str]) -> set[str]:
        """What these lean on, what that leans on, and what bears on all."""
        first = set(self._marked.of(self._leans(uids)))
        return first | set(self._marked.of(self._leans(first))) | self.wide

    def _leans(self, uids: Iterable[str]) -> set[int]:
        return {mark for uid in uids for mark in self.ties[uid].leans}
