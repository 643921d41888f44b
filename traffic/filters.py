"""Filters of lists of traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django_filters
from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy

from meshes.adapters.registry import all_adapters
from meshes.models import ManagedRoute
from meshui.ui.statuses import CHANGE, DRIFT
from traffic import inbox, selectors
from traffic.types import State

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from traffic.models import Change

STATES = [
    ("open", gettext_lazy("Open")),
    ("ended", gettext_lazy("Ended")),
    *((state.value, CHANGE[state.value].word) for state in State),
]


WAITS = [
    ("review", gettext_lazy("To approve or reject")),
    ("start", gettext_lazy("To start")),
    ("held", gettext_lazy("To resume or roll back")),
    ("mine", gettext_lazy("My own, to mend")),
]


class InboxFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    """What waits, by text, place and what for; the words of the URL are q, where, need."""

    q = django_filters.CharFilter(label=gettext_lazy("Title, author, service or #number"), method="by_text")
    where = django_filters.CharFilter(label=gettext_lazy("Cluster or environment"), method="by_place")
    need = django_filters.ChoiceFilter(
        label=gettext_lazy("What for"), choices=WAITS, empty_label=gettext_lazy("For anything"), method="by_need"
    )

    def by_text(self, queryset: QuerySet[Change], name: str, value: str) -> QuerySet[Change]:
        """A part of the title, author or service, or a number."""
        return selectors.about(queryset, value)

    def by_place(self, queryset: QuerySet[Change], name: str, value: str) -> QuerySet[Change]:
        """A part of the name of a cluster or environment of a target."""
        return inbox.in_place(queryset, value)

    def by_need(self, queryset: QuerySet[Change], name: str, value: str) -> QuerySet[Change]:
        """What the reader is waited for."""
        return inbox.in_group(queryset, value)


class ChangeFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    """Change requests; the words of the URL are q, author, service, cluster, env, state, mine."""

    q = django_filters.CharFilter(label=gettext_lazy("Title, author, service or #number"), method="by_text")
    author = django_filters.CharFilter(label=gettext_lazy("Author"), field_name="author_name", lookup_expr="icontains")
    service = django_filters.CharFilter(label=gettext_lazy("Service"), method="by_target")
    cluster = django_filters.CharFilter(label=gettext_lazy("Cluster"), method="by_target")
    env = django_filters.CharFilter(method="by_env", widget=forms.HiddenInput)
    state = django_filters.ChoiceFilter(
        label=gettext_lazy("State"), choices=STATES, empty_label=gettext_lazy("Any state"), method="by_state"
    )
    mine = django_filters.ChoiceFilter(
        label=gettext_lazy("Mine"),
        choices=[("1", gettext_lazy("Mine"))],
        empty_label=gettext_lazy("By anybody"),
        method="by_mine",
        widget=forms.Select,
    )

    def by_env(self, queryset: QuerySet[Change], name: str, value: str) -> QuerySet[Change]:
        """Those that concern an environment."""
        return selectors.in_environment(queryset, value[:63])

    def by_text(self, queryset: QuerySet[Change], name: str, value: str) -> QuerySet[Change]:
        """A part of the title, author or service, or a number."""
        return selectors.about(queryset, value)

    def by_target(self, queryset: QuerySet[Change], name: str, value: str) -> QuerySet[Change]:
        """A part of the name of a service, cluster or environment of a target."""
        return selectors.with_target(queryset, name, value)

    def by_state(self, queryset: QuerySet[Change], name: str, value: str) -> QuerySet[Change]:
        """One state, or all open or ended."""
        return selectors.in_state(queryset, value)

    def by_mine(self, queryset: QuerySet[Change], name: str, value: Any) -> QuerySet[Change]:
        """Those that the reader wrote."""
        return queryset.filter(author=self.request.user)


class DriftFilter(django_filters.FilterSet):  # type: ignore[misc]  # as above
    """Drifted routes by service or object, namespace, cluster, environment, mesh, and what was done to them."""

    q = django_filters.CharFilter(label=gettext_lazy("Service or object"), method="by_text")
    namespace = django_filters.CharFilter(label=gettext_lazy("Namespace"), field_name="namespace")
    cluster = django_filters.CharFilter(label=gettext_lazy("Cluster"), field_name="cluster__slug")
    environment = django_filters.CharFilter(label=gettext_lazy("Environment"), field_name="cluster__environment")
    mesh = django_filters.ChoiceFilter(
        label=gettext_lazy("Mesh"),
        choices=lambda: [(adapter.kind, adapter.label) for adapter in all_adapters()],
        empty_label=gettext_lazy("Any mesh"),
        field_name="mesh_kind",
    )
    drift = django_filters.ChoiceFilter(
        label=gettext_lazy("Drift"),
        choices=[(kind, look.word) for kind, look in DRIFT.items()],
        empty_label=gettext_lazy("Whatever was done"),
    )

    class Meta:
        model = ManagedRoute
        fields: tuple[str, ...] = ()

    def by_text(self, queryset: QuerySet[ManagedRoute], name: str, value: str) -> QuerySet[ManagedRoute]:
        """A part of the service's or the object's name."""
        text = value[:100]
        return queryset.filter(Q(root_service__icontains=text) | Q(name__icontains=text))
