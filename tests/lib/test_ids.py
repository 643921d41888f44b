"""meshui/lib/ids.py."""

from __future__ import annotations

import time
import uuid

from meshui.lib.ids import new_id


def test_new_id__many__are_distinct_version_7() -> None:
    made = {new_id() for _ in range(1000)}

    assert len(made) == 1000
    assert {value.version for value in made} == {7}
    assert {value.variant for value in made} == {uuid.RFC_4122}


def test_new_id__read_back__begins_with_unix_milliseconds() -> None:
    before = time.time_ns() // 1_000_000

    value = new_id()

    assert before <= value.int >> 80 <= time.time_ns() // 1_000_000
