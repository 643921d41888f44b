"""What the list of clusters can be narrowed by, all of it in the URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q
from django.forms import HiddenInput
from django.utils.translation import gettext_lazy as _
from django_filters import CharFilter, ChoiceFilter, FilterSet

from clusters.models import Cluster, Health

if TYPE_CHECKING:
    from django.db.models import QuerySet


class ClusterFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """By name, environment and health."""

    q = CharFilter(method="named", label=_("Name"))
    environment = CharFilter(field_name="environment", label=_("Environment"))
    env = CharFilter(field_name="environment", widget=HiddenInput)
    health = ChoiceFilter(choices=Health.choices, label=_("Health"), empty_label=_("Any health"))

    class Meta:
        model = Cluster
        fields: tuple[str, ...] = ()

    def named(self, rows: QuerySet[Cluster], _name: str, value: str) -> QuerySet[Cluster]:
        """Name or short name holds `value`."""
        return rows.filter(Q(name__icontains=value[:100]) | Q(slug__icontains=value[:100]))
