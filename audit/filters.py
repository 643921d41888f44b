"""What the list of events can be narrowed by, all of it in the URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from django_filters import CharFilter, ChoiceFilter, FilterSet, NumberFilter

from audit.models import EventIndex
from audit.types import SUFFIX, known_actions

if TYPE_CHECKING:
    from django.http import QueryDict


def _actions() -> list[tuple[str, str]]:
    return [(action, action) for action in known_actions()]


class EventFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """By who, what, how it ended, on what, and for which change."""

    actor = CharFilter(field_name="actor_name", label=_("Actor"))
    object = CharFilter(field_name="object_name", lookup_expr="icontains", label=_("Object"))
    change = NumberFilter(field_name="change_number", label=_("Change number"))
    action = ChoiceFilter(choices=_actions, label=_("Action"), empty_label=_("All actions"))
    outcome = ChoiceFilter(choices=[(name, name) for name in SUFFIX], label=_("Outcome"), empty_label=_("All outcomes"))

    class Meta:
        model = EventIndex
        fields: tuple[str, ...] = ()


def filters_of(query: QueryDict) -> dict[str, str]:
    """The filters in `query` that narrow, as text: what a read of the log says about itself."""
    names = [name for name in EventFilter.base_filters if query.get(name)]
    return {name: str(query[name])[:200] for name in names}
