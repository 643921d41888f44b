"""The template tags, and that every template of the project can be compiled."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.template import Context, engines
from django.template.loader import get_template

from meshui.lib import clock
from meshui.lib.errors import StaleError
from meshui.ui.parts import SplitRow, Step, gathered
from meshui.ui.statuses import TABLES, UnknownStatusError, status_of

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(path.relative_to(ROOT / "templates").as_posix() for path in (ROOT / "templates").rglob("*.html"))
SPRITE = (ROOT / "static" / "icons.svg").read_text()


class OneForm(forms.Form):
    title = forms.CharField(help_text="What it is.")
    kind = forms.ChoiceField(widget=forms.RadioSelect, choices=[("a", "A"), ("b", "B")])
    is_on = forms.BooleanField(required=False)


def drawn(source: str, **context: Any) -> str:
    template = engines["django"].engine.from_string("{% load ui %}" + source)  # type: ignore[attr-defined]  # DjangoTemplates
    return str(template.render(Context(context)))


@pytest.mark.parametrize("name", TEMPLATES)
def test_template__of_the_project__compiles(name: str) -> None:
    assert get_template(name) is not None


@pytest.mark.parametrize("kind", TABLES)
def test_statuses__every_icon__stands_in_the_sprite(kind: str) -> None:
    for key, status in TABLES[kind].items():
        assert status.word, key
        assert not status.icon or f'<symbol id="{status.icon}"' in SPRITE, status.icon
        assert status.tone in {"", "ok", "warn", "crit", "info", "acc", "mut"}, key


def test_status__state_in_review__is_icon_word_and_colour() -> None:
    html = drawn('{% status "IN_REVIEW" "change" %}{% pill "in_review" "change" %}')

    assert html.count("Waiting for approval") == 2
    assert html.count("#user-check") == 2
    assert 'class="st acc"' in html


def test_status__not_in_the_table__is_an_error() -> None:
    with pytest.raises(UnknownStatusError, match="change: odd"):
        status_of("odd", "change")


def test_ago__an_hour__has_the_absolute_time_in_its_title() -> None:
    html = drawn("{% ago moment %}", moment=clock.now() - dt.timedelta(hours=1, minutes=5))

    assert "1\u202fh ago" in html
    assert "UTC" in html
    assert "<time datetime=" in html
    assert drawn("{% ago moment %}", moment=None) == '<span class="mut">\u2013</span>'


def test_split_bar__three_backends__widths_are_attributes() -> None:
    html = drawn(
        "{% split_bar live proposed %}", live=[("a", 9000), ("b", 600), ("c", 400)], proposed=[("a", 3333), ("b", 6667)]
    )

    assert 'width="90.00%"' in html
    assert 'x="33.33%" y="0" width="66.67%"' in html
    assert "66.67\u202f%" in html
    assert "style" not in html
    assert html.count('aria-hidden="true"') == 2


def test_split_bar__without_labels__live_above_proposed_else_what_it_is_told() -> None:
    bars = {"live": [("a", 9000), ("b", 1000)], "proposed": [("a", 5000), ("b", 5000)]}

    usual = drawn("{% split_bar live proposed %}", **bars)
    told = drawn('{% split_bar live proposed first="As left" last="Live now" %}', **bars)

    assert re.findall(r"<span>([^<]+)</span>", usual) == ["Live now", "Proposed"]
    assert re.findall(r"<span>([^<]+)</span>", told) == ["As left", "Live now"]


def test_split_bar__in_a_list__narrow_segments_hold_no_text() -> None:
    html = drawn("{% split_bar live %}", live=[("a", 8900), ("b", 1100)])

    assert ">89\u202f%<" in html
    assert "11\u202f%" not in html


def test_split_editor__rows__post_percent_text() -> None:
    rows = [SplitRow("v1", 9000, "66.67"), SplitRow("v2", 1000, "x", error="“x” is not a number.")]

    html = drawn('{% split_editor rows prefix="r0-" %}', rows=rows)

    assert 'name="r0-weight-0"' in html
    assert 'value="66.67"' in html
    assert 'name="r0-weight-1"' in html
    assert 'aria-describedby="r0-weight-1_error"' in html
    assert "is not a number" in html


def test_split_editor__hostile_name__is_escaped() -> None:
    html = drawn(
        "{% split_editor rows %}", rows=[SplitRow('"><script>', 5000, "50"), SplitRow("\u202eevil", 5000, "50")]
    )

    assert "<script" not in html
    assert "\u202e" not in html


def test_gathered__eight_backends__are_six_with_others_last() -> None:
    shares = [(f"v{n}", 1250) for n in range(8)]

    assert gathered(shares, "others") == [*shares[:5], ("others", 3750)]


def test_field__with_error__names_label_help_and_error() -> None:
    form = OneForm({"title": "", "kind": "a"})

    html = drawn("{% form_errors form %}{% for bound in form %}{% field bound %}{% endfor %}", form=form)

    assert '<label for="id_title">' in html
    assert 'id="id_title_helptext"' in html
    assert 'id="id_title_error"' in html
    assert 'href="#id_title"' in html
    assert "<fieldset" in html
    assert "field check" in html


def test_refusal__error__says_what_and_how_to_mend() -> None:
    html = drawn("{% refusal refused %}", refused=StaleError("It moved.", mend="Read it again."))

    assert 'role="alert"' in html
    assert "It moved." in html
    assert "Read it again." in html


def test_steps__current__is_marked_for_readers() -> None:
    html = drawn("{% steps items %}", items=[Step("Proposed", "08:55", "done"), Step("Approval", state="current")])

    assert 'aria-current="step"' in html
    assert "done" in html


def test_yaml__object__is_coloured_and_can_be_copied() -> None:
    html = drawn("{% yaml_block value|as_yaml %}", value={"kind": "VirtualService", "weight": 90})

    assert '<span class="nt">kind</span>' in html
    assert 'data-copy="kind: VirtualService' in html


@pytest.mark.parametrize(
    ("markup", "text"), [("{{ 7500|percent }}", "75\u202f%"), ('{{ "9f31c2e4a"|short }}', "9f31c2e")]
)
def test_filters__of_numbers_and_digests__write_them(markup: str, text: str) -> None:
    assert drawn(markup) == text


def test_empty__without_action__has_no_link() -> None:
    html = drawn('{% empty "Nothing" "Because." icon="server" %}')

    assert "Nothing" in html
    assert "<a" not in html
