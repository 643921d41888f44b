"""Numbers, times and foreign text as people read them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils.safestring import SafeString

from meshui.ui import wording

NOW = dt.datetime(2026, 11, 23, 8, 47, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("basis_points", "text"),
    [(7500, "75 %"), (3333, "33.33 %"), (9950, "99.5 %"), (0, "0 %"), (10_000, "100 %"), (-1, "\u22120.01 %")],
)
def test_percent__basis_points__are_never_rounded(basis_points: int, text: str) -> None:
    assert wording.percent(basis_points) == text.replace(" ", wording.NARROW)


@pytest.mark.parametrize(("value", "text"), [(1907, "1,907"), (34_120, "34.1k"), (0, "0"), (2_400_000, "2.4M")])
def test_number__from_ten_thousand__is_short(value: int, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2, "just now"),
        (9, "9 s ago"),
        (360, "6 min ago"),
        (7300, "2 h ago"),
        (-120, "in 2 min"),
        (40 * 86_400, "14 Oct, 08:47"),
    ],
)
def test_relative__within_a_day__counts_and_then_is_a_date(seconds: int, text: str) -> None:
    said = wording.relative(NOW - dt.timedelta(seconds=seconds), NOW)

    assert said.replace(wording.NARROW, " ") == text


def test_absolute__other_zone__is_utc() -> None:
    berlin = NOW.astimezone(dt.timezone(dt.timedelta(hours=1)))

    assert wording.absolute(berlin) == "2026-11-23 08:47:12 UTC"


def test_visible__direction_and_control_characters__are_shown() -> None:
    assert wording.visible("a\u202eb\x07c\u200bd") == "a⟨U+202E⟩b⟨U+0007⟩c⟨U+200B⟩d"
    assert wording.visible("Jana Kovář, ok") == "Jana Kovář, ok"


@pytest.mark.parametrize(("name", "text"), [("M. Okafor", "MO"), ("jana", "JA"), ("svc-deploy", "SD"), ("", "?")])
def test_initials__of_a_name__are_two(name: str, text: str) -> None:
    assert wording.initials(name) == text


def test_visible__text_that_somebody_held_for_safe__is_plain_again() -> None:
    assert type(wording.visible(SafeString("<b>"))) is str


def test_grouped__numbers_that_have_to_add_up__keep_every_digit() -> None:
    assert [wording.grouped(value) for value in (7, 1_907, 45_600)] == ["7", "1,907", "45,600"]
