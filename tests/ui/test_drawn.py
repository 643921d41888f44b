"""What is drawn once for the same values: never for others, and never from more than those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, TemplateSyntaxError, engines
from django.utils import timezone, translation
from django.utils.safestring import SafeString

from clusters.models import Cluster
from meshes.selectors import MeshLine
from meshui.ui.templatetags.drawn import MOST, DrawnOnceNode

if TYPE_CHECKING:
    from django.template.base import Template

NAMED = "{% drawn_once name=name %}{{ name }}{% enddrawn_once %}"


def made(source: str) -> tuple[Template, DrawnOnceNode]:
    """The template, and its one block."""
    template: Template = engines["django"].engine.from_string("{% load drawn i18n ui %}" + source)  # type: ignore[attr-defined]  # DjangoTemplates
    (node,) = template.nodelist.get_nodes_by_type(DrawnOnceNode)
    assert isinstance(node, DrawnOnceNode)
    return template, node


def drawn(template: Template, **values: Any) -> str:
    """As a reader is shown it."""
    return str(template.render(Context(values)))


def test_drawn_once__same_values__drawn_once_and_others_anew() -> None:
    template, node = made(NAMED)

    with mock.patch.object(node, "_draw", wraps=node._draw) as draw:
        said = [drawn(template, name=name, reader=reader) for reader, name in enumerate(("box", "box", "bell", "box"))]

    assert said == ["box", "box", "bell", "box"]
    assert draw.call_count == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [("<b>", SafeString("<b>")), (1, True), (("<b>",), (SafeString("<b>"),)), (1, 1.0), (None, False)],
)
def test_drawn_once__equal_values_of_other_kinds__told_apart(one: object, other: object) -> None:
    shown = "{{ value.0 }}" if isinstance(one, tuple) else "{{ value }}"
    source = "{% drawn_once value=value %}" + shown + "{% enddrawn_once %}"
    template, _ = made(source)
    alone, _ = made(source)
    drawn(template, value=one)

    assert drawn(template, value=other) == drawn(alone, value=other)
    assert drawn(template, value=one) != drawn(template, value=other)


def test_drawn_once__language_and_zone__are_part_of_the_key() -> None:
    template, node = made(NAMED)

    with mock.patch.object(node, "_draw", wraps=node._draw) as draw:
        for language, zone in (("en", "UTC"), ("de", "UTC"), ("en", "Europe/Berlin"), ("en", "UTC")):
            with translation.override(language), timezone.override(ZoneInfo(zone)):
                drawn(template, name="box")

    assert draw.call_count == 3


def test_drawn_once__what_is_no_value_of_it__is_not_seen() -> None:
    template, _ = made("{% drawn_once name=name %}{% firstof reader user name %}{% enddrawn_once %}")

    assert drawn(template, name="box", user="maria", reader="secret") == "box"


@pytest.mark.parametrize(
    "inside",
    [
        "{% ago moment %}",
        "{% now 'H:i' %}",
        "{% include 'parts/toast.html' %}",
        "{% query_with after='' %}",
        "{% if name %}{% ago moment %}{% endif %}",
        "{% field name %}",
    ],
)
def test_drawn_once__more_than_values_inside__does_not_compile(inside: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="more than the values"):
        made("{% drawn_once name=name %}" + inside + "{% enddrawn_once %}")


def test_drawn_once__model__refused_because_it_equals_itself_whatever_it_says() -> None:
    template, _ = made(NAMED)

    with pytest.raises(TypeError, match="plain values, not Cluster"):
        drawn(template, name=Cluster(slug="eu-west"))


def test_drawn_once__frozen_values__told_apart_by_what_they_hold() -> None:
    template, _ = made("{% drawn_once mesh=mesh %}{{ mesh.versions.0 }}{% enddrawn_once %}")
    said = [drawn(template, mesh=MeshLine("istio", "Istio", "", (version,), is_ready=True)) for version in ("1", "2")]

    assert said == ["1", "2"]


def test_drawn_once__many_values__keeps_no_more_than_so_many() -> None:
    template, node = made(NAMED)
    for number in range(MOST + 10):
        drawn(template, name=number)

    assert len(node._kept) <= MOST
