"""What the list of services can be narrowed by, all of it in the URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from django_filters import CharFilter, ChoiceFilter, FilterSet

from accounts.selectors import signed_in
from meshes.models import Service
from meshes.selectors import in_cluster, split_now

if TYPE_CHECKING:
    from django.db.models import QuerySet


class ServiceFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """By name, namespace, cluster, and whether it is split now."""

    q = CharFilter(method="named", label=_("Service"))
    namespace = CharFilter(field_name="namespace", label=_("Namespace"))
    cluster = CharFilter(method="there", label=_("Cluster"))
    split = ChoiceFilter(
        method="split_now",
        choices=[("now", _("Split now"))],
        label=_("Split"),
        empty_label=_("Split or not"),
    )

    class Meta:
        model = Service
        fields: tuple[str, ...] = ()

    def named(self, rows: QuerySet[Service], _name: str, value: str) -> QuerySet[Service]:
        """The name holds `value`."""
        return rows.filter(name__icontains=value[:100])

    def there(self, rows: QuerySet[Service], _name: str, value: str) -> QuerySet[Service]:
        """It stands in the cluster with this short name."""
        return in_cluster(rows, signed_in(self.request), value[:63])

    def split_now(self, rows: QuerySet[Service], _name: str, _value: str) -> QuerySet[Service]:
        """Some route splits it."""
        return split_now(rows, signed_in(self.request))
