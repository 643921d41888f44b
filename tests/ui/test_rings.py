"""Rings and slots: with the position a reader was given, nothing is lost and nothing comes twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshui.ui.rings import BOX, RING, Mailbox, Ring, positions

# How many events come between two visits of a reader; a ring forgets what is more than RING events ago.
VISITS = st.lists(st.integers(0, RING * 2 // 3), min_size=1, max_size=8)


@given(VISITS)
def test_ring__reader_comes_and_goes__each_event_once_or_told_to_read_anew(visits: list[int]) -> None:
    ring, told, heard, number = Ring(0.0), [], [], 0
    position = ring.here
    for count in visits:
        for _ in range(count):
            number += 1
            told.append(ring.add(str(number), float(number)).token)
        missed = ring.since(position)
        assert missed is not None
        heard += [event.token for event in missed]
        position = ring.here

    assert heard == told


@given(st.integers(0, RING * 3), st.integers(0, RING * 3))
def test_ring__away_for_long__all_that_was_missed_or_none(before: int, after: int) -> None:
    ring = Ring(0.0)
    for number in range(before):
        ring.add("k", float(number))
    position = ring.here
    told = [ring.add("k", float(number)).token for number in range(after)]

    missed = ring.since(position)

    assert (missed is None) is (after > RING)
    assert missed is None or [event.token for event in missed] == told


@given(st.text(max_size=40))
def test_ring__forged_position__nobody_knows_it(text: str) -> None:
    ring = Ring(1e12)
    ring.add("k", 1e12)

    assert ring.since(text) is None


def test_ring__time_of_a_page__told_with_a_margin_unless_older_than_the_ring() -> None:
    ring = Ring(100.0)
    for second in (110, 120, 130):
        ring.add(str(second), float(second))

    assert [told.key for told in ring.since("@121000") or []] == ["120", "130"]
    assert ring.since("@101000") is None


@given(st.text(max_size=200))
def test_positions__any_header__never_fails(text: str) -> None:
    assert all(topic_position for topic_position in positions(text).values())


def test_mailbox__full__dropped_whole_and_said_once() -> None:
    box = Mailbox()
    for number in range(BOX + 1):
        box.put(b"%d" % number)
    box.replace("change-1", b"progress")

    assert box.is_overrun
    assert box.take() == (b"progress",)
    assert not box.is_overrun
