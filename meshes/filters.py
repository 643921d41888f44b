"""What the lists of the inventory can be narrowed by, all of it in the URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q
from django.forms import HiddenInput
from django.utils.translation import gettext_lazy as _
from django_filters import CharFilter, ChoiceFilter, FilterSet

from accounts.selectors import signed_in
from clusters.models import Cluster
from clusters.selectors import WORST_FIRST
from meshes.adapters.registry import all_adapters
from meshes.models import Mesh, Namespace, Route, Service, Workload
from meshes.selectors import in_cluster, in_environment, split_now
from meshui.ui.statuses import HEALTH

if TYPE_CHECKING:
    from typing import Any

    from django.db.models import QuerySet


class ServiceFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """By name, namespace, cluster, and whether it is split now."""

    q = CharFilter(method="named", label=_("Service"))
    namespace = CharFilter(field_name="namespace", label=_("Namespace"))
    cluster = CharFilter(method="there", label=_("Cluster"))
    env = CharFilter(method="in_env", widget=HiddenInput)
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

    def in_env(self, rows: QuerySet[Service], _name: str, value: str) -> QuerySet[Service]:
        """It stands in a cluster of this environment."""
        return in_environment(rows, signed_in(self.request), value[:63])

    def split_now(self, rows: QuerySet[Service], _name: str, _value: str) -> QuerySet[Service]:
        """Some route splits it."""
        return split_now(rows, signed_in(self.request))


class GoneFilter(FilterSet):  # type: ignore[misc]  # as above
    """By name, and whether it is still there: what is gone is asked for by name."""

    q = CharFilter(method="named", label=_("Name"))
    state = ChoiceFilter(
        method="in_state",
        choices=[("gone", _("Gone")), ("all", _("There or gone"))],
        label=_("State"),
        empty_label=_("There now"),
    )

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Without what is gone, unless it is asked for."""
        rows: QuerySet[Any] = super().filter_queryset(queryset)
        return rows if self.form.cleaned_data.get("state") else rows.filter(gone_at=None)

    def named(self, rows: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """The name holds `value`."""
        return rows.filter(name__icontains=value[:100])

    def in_state(self, rows: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Gone alone, or all."""
        return rows.exclude(gone_at=None) if value == "gone" else rows


class GoneNamespaceFilter(GoneFilter):
    """Namespaces, by who gives their pods a proxy, too."""

    injection = ChoiceFilter(
        choices=[("injected", _("Get a proxy")), ("ambient", _("Ambient")), ("none", _("Get no proxy"))],
        label=_("New pods"),
        empty_label=_("All new pods"),
    )

    class Meta:
        model = Namespace
        fields: tuple[str, ...] = ()


class GoneServiceFilter(GoneFilter):
    """Services, by namespace, too."""

    namespace = CharFilter(field_name="namespace", label=_("Namespace"))

    class Meta:
        model = Service
        fields: tuple[str, ...] = ()


class GoneWorkloadFilter(GoneServiceFilter):
    """Workloads, by kind, too."""

    kind = ChoiceFilter(
        choices=[(kind, kind) for kind in ("Deployment", "StatefulSet", "DaemonSet")],
        label=_("Kind"),
        empty_label=_("All kinds"),
    )

    class Meta:
        model = Workload
        fields: tuple[str, ...] = ()


class GoneRouteFilter(GoneServiceFilter):
    """Routes, by what they do and how well they could be read, too."""

    show = ChoiceFilter(
        method="shown",
        choices=[("split", _("Split now")), ("odd", _("With problems")), ("unread", _("Could not be read"))],
        label=_("What"),
        empty_label=_("All routes"),
    )

    class Meta:
        model = Route
        fields: tuple[str, ...] = ()

    def shown(self, rows: QuerySet[Route], _name: str, value: str) -> QuerySet[Route]:
        """Those that split, those with problems, those that the model has no words for."""
        if value == "split":
            return rows.filter(is_split=True)
        return rows.filter(projection_hash="") if value == "unread" else rows.exclude(problems=[])


class MeshFilter(GoneFilter):
    """Meshes, by product and cluster; by name is by trust domain."""

    kind = ChoiceFilter(
        choices=lambda: [(adapter.kind, adapter.label) for adapter in all_adapters()],
        label=_("Product"),
        empty_label=_("All products"),
    )
    cluster = CharFilter(field_name="cluster__slug", label=_("Cluster"))
    env = CharFilter(field_name="cluster__environment", widget=HiddenInput)

    class Meta:
        model = Mesh
        fields: tuple[str, ...] = ()

    def named(self, rows: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """The trust domain holds `value`."""
        return rows.filter(trust_domain__icontains=value[:100])


class FleetFilter(FilterSet):  # type: ignore[misc]  # as above
    """Clusters with their meshes, by text, health, mesh and environment; `env`: the one that everything is narrowed to.

    `group` says how rows are shown and leaves none out.
    """

    q = CharFilter(method="by_text", label=_("Name, mesh or trust domain"))
    health = ChoiceFilter(
        choices=[(str(health), HEALTH[health].word) for health in WORST_FIRST],
        label=_("Health"),
        empty_label=_("Any health"),
    )
    mesh = ChoiceFilter(
        method="with_mesh",
        choices=lambda: [*((adapter.kind, adapter.label) for adapter in all_adapters()), ("none", _("No mesh found"))],
        label=_("Mesh"),
        empty_label=_("Any mesh"),
    )
    environment = CharFilter(field_name="environment", label=_("Environment"))
    group = ChoiceFilter(
        method="grouped",
        choices=[("environment", _("By environment")), ("mesh", _("By mesh"))],
        label=_("Grouped"),
        empty_label=_("Not grouped"),
    )
    env = CharFilter(field_name="environment", widget=HiddenInput)

    class Meta:
        model = Cluster
        fields: tuple[str, ...] = ()

    def by_text(self, rows: QuerySet[Cluster], _name: str, value: str) -> QuerySet[Cluster]:
        """A part of its name or short name, of the product or the trust domain of a mesh in it."""
        text = value[:100]
        kinds = [adapter.kind for adapter in all_adapters() if text.lower() in adapter.label.lower()]
        found = _present(Q(kind__in=kinds) | Q(trust_domain__icontains=text))
        return rows.filter(Q(name__icontains=text) | Q(slug__icontains=text) | found)

    def grouped(self, rows: QuerySet[Cluster], _name: str, _value: str) -> QuerySet[Cluster]:
        """All of them."""
        return rows

    def with_mesh(self, rows: QuerySet[Cluster], _name: str, value: str) -> QuerySet[Cluster]:
        """A mesh of this product is in it, or none at all."""
        return rows.filter(~_present(Q()) if value == "none" else _present(Q(kind=value)))


def _present(which: Q) -> Exists:
    return Exists(Mesh.objects.filter(which, cluster=OuterRef("pk"), gone_at=None))
