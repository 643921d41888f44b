"""The diff viewer: what it shows, and that nothing foreign gets through it."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from meshui.ui import diffs

BEFORE = "".join(f"line{n}: {n}\n" for n in range(40)) + "weight: 90\nend: x\n"
AFTER = BEFORE.replace("weight: 90", "weight: 75")


def plain(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def test_render_diff__one_value__marks_the_value_alone() -> None:
    html = diffs.render_diff(BEFORE, AFTER)

    assert '<mark><span class="m">90</span></mark>' in html
    assert '<mark><span class="m">75</span></mark>' in html
    assert html.count("<mark>") == 2
    assert diffs.counts(BEFORE, AFTER) == (1, 1)


def test_render_diff__long_unchanged_run__is_folded_and_still_there() -> None:
    html = diffs.render_diff(BEFORE, AFTER)

    assert "Show 36 unchanged lines" in html
    assert "line0" in html


def test_render_diff__split__has_both_sides() -> None:
    html = diffs.render_diff(BEFORE, AFTER, "split")

    assert 'class="del"' in html
    assert 'class="add"' in html


def test_render_diff__created__is_all_added() -> None:
    assert diffs.counts("", AFTER) == (42, 0)
    assert '<tr class="del">' not in diffs.render_diff("", AFTER)


def test_render_diff__hostile_text__is_escaped_and_shown() -> None:
    html = diffs.render_diff("", 'a: "<script>alert(1)</script>\u202e"\n', caption='"><script>')

    assert "<script" not in html
    assert "⟨U+202E⟩" in html


def test_render_yaml__every_token__is_kept() -> None:
    text = 'a: 1\nb: "x"  # note\nc:\n- true\n- [d, {e: f}]\n'

    html = diffs.render_yaml(text)

    assert plain(html).replace("&quot;", '"') == text.rstrip("\n")
    assert '<span class="nt">a</span>' in html


@settings(max_examples=60, deadline=None)
@given(st.text(), st.text())
def test_diff_blocks__any_two_texts__keep_every_line(before: str, after: str) -> None:
    rows = [row for block in diffs.diff_blocks(before, after) for row in block.rows]

    old = ["".join(text for _, text in left.pieces) for left, _ in rows if left]
    new = ["".join(text for _, text in right.pieces) for _, right in rows if right]
    assert len(old) == len(before.splitlines())
    assert new == after.splitlines()
