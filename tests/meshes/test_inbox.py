"""What lies between those that hear and the one that writes: the first at once, many together."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from meshes.services import inbox
from meshes.services.inbox import Inbox

if TYPE_CHECKING:
    import pytest

A_MINUTE = 60.0


def test_inbox__one_item_after_silence__taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "GATHER_SECONDS", A_MINUTE)
    monkeypatch.setattr("meshes.services.inbox.time.monotonic", lambda: 1000.0)
    box: Inbox[str] = Inbox()
    box.put("a")

    assert box.take(A_MINUTE) == ["a"]


def test_inbox__more_soon_after__waits_and_takes_them_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "GATHER_SECONDS", A_MINUTE)
    monkeypatch.setattr(inbox, "MOST_AT_ONCE", 2)
    box: Inbox[str] = Inbox()
    box.put("a")
    box.take(A_MINUTE)
    taken: list[list[str]] = []
    taking = threading.Thread(target=lambda: taken.append(box.take(A_MINUTE)))
    taking.start()
    for item in ("b", "c"):
        box.put(item)
    taking.join(A_MINUTE / 2)

    assert taken == [["b", "c"]]
