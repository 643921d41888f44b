"""Routes as a user may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.types import READ
from meshes.models import Route
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from meshes.types import LiveRoute


def get_route(user: User, pk: UUID) -> Route:
    """One route with its cluster, gone or not. Raises MissingError, also where out of scope. One query."""
    route = in_scope(Route.objects.filter(pk=pk), user, READ).select_related("cluster").first()
    if route is None:
        raise MissingError("There is no such route.")
    return route


def routes_for_service(user: User, namespace: str, name: str, *, cluster: str = "") -> QuerySet[Route]:
    """The routes whose root is this service, in one cluster (its slug) or in all. One query."""
    routes = Route.objects.filter(root_namespace=namespace, root_service=name, gone_at__isnull=True)
    if cluster:
        routes = routes.filter(cluster__slug=cluster)
    return in_scope(routes, user, READ).select_related("cluster").order_by("cluster__slug", "namespace", "name")


def get_live(route: Route) -> LiveRoute:
    """The route as it was last read, masked. Raises MissingError where the model has no words for it. No query."""
    live = route.live
    if live is None:
        raise MissingError(f"What {route} does cannot be said: see what could not be read of it.")
    return live
