"""Bring what is known of a kind up to date: whole pages at first, later names and versions, and what differs alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clusters.clients import ClusterError, ExpiredError
from meshes.services.stock import number
from meshui.lib.quiet import collect_sometimes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from clusters.clients import Head, Lister, Slim
    from meshes.services.stock import KindStock

    Kept = Callable[[Sequence[Slim]], None]
    """Called with what is new on a page, as soon as it is known."""

FEW = 4
"""As many single reads as are under way at once: never worth whole pages."""
MOST_SHARE = 0.05
"""More than this differs: whole pages cost less than single reads."""
TRIES = 2


@dataclass
class Moved:
    """What is new of one kind. `altered`: sound objects whose content is new; `touched`: those, and new versions."""

    touched: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    is_fresh: bool = False

    def __bool__(self) -> bool:
        return bool(self.touched or self.gone or self.is_fresh)

    def end(self, uid: str) -> None:
        """It is no longer there, whatever was new of it."""
        self.touched.discard(uid)
        self.altered.discard(uid)
        self.gone.add(uid)


def refresh(lister: Lister, kind: KindStock, moved: Moved, kept: Kept, on_page: Callable[[], None]) -> None:
    """List `kind` and know it; what is new of it stands in `moved`, also what was read before an error.

    `on_page` is called at each part, and may raise. Raises ClusterError: then nothing is gone that was not seen to be,
    and a kind that was never listed whole is not known at all.
    """
    moved.is_fresh = not kind.is_listed
    try:
        _refresh(lister, kind, moved, kept, on_page)
    except ClusterError:
        if moved.is_fresh:
            kind.clear()
        raise


def _refresh(lister: Lister, kind: KindStock, moved: Moved, kept: Kept, on_page: Callable[[], None]) -> None:
    if kind.is_listed:
        heads = lister.list_metadata(kind.resource)
        on_page()
        differing = [head for head in heads.items if _differs(kind, head)]
        if len(differing) <= max(FEW, MOST_SHARE * len(heads.items)):
            _put(kind, lister.get_slims(kind.resource, differing), moved, kept)
            _finish(kind, {head.uid for head in heads.items}, heads.resource_version, moved)
            return
    _whole(lister, kind, moved, kept, on_page)


def _whole(lister: Lister, kind: KindStock, moved: Moved, kept: Kept, on_page: Callable[[], None]) -> None:
    """All pages; where one expired all of them again, once: what was seen counts for nothing."""
    for left in reversed(range(TRIES)):
        seen: set[str] = set()
        version = ""
        try:
            for turn, page in enumerate(lister.list_pages(kind.resource)):
                on_page()
                collect_sometimes(turn)
                _put(kind, page.items, moved, kept)
                seen |= {slim.head.uid or f"?{slim.head.namespace}/{slim.head.name}" for slim in page.items}
                version = page.resource_version
        except ExpiredError:
            if not left:
                raise
            continue
        _finish(kind, seen, version, moved)
        return


def _differs(kind: KindStock, head: Head) -> bool:
    """Whether the list knows another version than we do. A list of a server that lags behind tells nothing new."""
    known = kind.known(head.uid)
    if known == head.resource_version and known:
        return False
    if known is None or not number(known) or not number(head.resource_version):
        return known != head.resource_version
    return number(head.resource_version) > number(known)


def _put(kind: KindStock, slims: Iterable[Slim], moved: Moved, kept: Kept) -> None:
    fresh = [found for slim in slims if (found := put(kind, slim, moved)) is not None]
    if fresh:
        kept(fresh)


def put(kind: KindStock, slim: Slim, moved: Moved) -> Slim | None:
    """Know one object; None where nothing is new of it for its row. Raises BadAnswerError (it sends too much)."""
    before = kind.held.get(slim.head.uid)
    found = kind.put(slim)
    after = kind.held.get(slim.head.uid)
    if found is None:
        if before is not None and after is None:
            moved.end(slim.head.uid)
        return None
    moved.gone.discard(slim.head.uid)
    moved.touched.add(slim.head.uid)
    if before is None or after is None or not after.content or before.content != after.content:
        moved.altered.add(slim.head.uid)
    return found


def _finish(kind: KindStock, seen: set[str], version: str, moved: Moved) -> None:
    """The whole list was read: what is known and was not seen is gone."""
    for uid in kind.uids() - seen:
        if kind.forget(uid):
            moved.end(uid)
    kind.listed_at(version)
