"""/api/v1/services/<cluster>/<namespace>/<name>/alignment/: what people correct of a service of one cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_framework.response import Response

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from meshes import selectors
from meshes.bodies import BackendBody, LinkBody, SaidBody, VersionBody
from meshes.selectors.members import EVERYWHERE
from meshes.serializers import AlignmentSerializer
from meshes.services.alignment import (
    CORRECT,
    ServiceAt,
    clear_correction,
    correct_version,
    exclude_cluster,
    include_cluster,
    link_service,
    unlink_service,
)
from meshui.lib import rights
from meshui.lib.errors import MissingError
from meshui.lib.rights import Place
from meshui.rest.views import ApiDetailView, ApiView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rest_framework.request import Request

    from accounts.models import User
    from audit.types import Actor
    from meshes.models import BackendVersion, ServiceLink
    from meshes.selectors import AlignedCluster


@dataclass(frozen=True, slots=True)
class BackendFace:
    """One backend, which version it is by what, and what was said of it."""

    key: str
    version: str
    source: str
    correction: BackendVersion | None


@dataclass(frozen=True, slots=True)
class AlignmentFace:
    """What may be corrected of a service of one cluster."""

    cluster: str
    namespace: str
    name: str
    can_correct: bool
    backends: Sequence[BackendFace]
    link: ServiceLink | None


def alignment_of(user: User, slug: str, namespace: str, name: str) -> AlignmentFace:
    """As its page shows it. Raises MissingError."""
    found = selectors.aligned(user, namespace, name, scope=slug)
    here = found.cluster(slug)
    if here is None:
        raise MissingError("There is no such service.")
    place = Place(here.cluster.environment, cluster=slug, namespace=namespace, service=name)
    may = rights.may(user, CORRECT, [place])
    return AlignmentFace(slug, namespace, name, may, list(_backends(here)), here.at.link)


def _backends(here: AlignedCluster) -> Iterator[BackendFace]:
    """A line for each different backend of all routes there."""
    seen: set[str] = set()
    for route in here.routes:
        for key in (backend.key for backend in route.backends):
            if key not in seen:
                seen.add(key)
                found = route.found[key]
                yield BackendFace(key, found.version, found.source, route.corrections.get(key))


class ServiceAlignmentView(ApiDetailView):
    """/api/v1/services/<cluster>/<namespace>/<name>/alignment/: The versions of its backends, and what people said."""

    needs = READ
    tag = "services"
    serializer_class = AlignmentSerializer

    def get_object(self, **kwargs: Any) -> AlignmentFace:
        """The service of the URL."""
        return alignment_of(signed_in(self.request), kwargs["scope"], kwargs["namespace"], kwargs["name"])


class AlignmentVerbView(ApiView):
    """POST …/alignment/…: something is said, or taken back; how it is then."""

    needs = CORRECT
    tag = "services"
    serializer_class = AlignmentSerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Out of scope and missing both answer 404, before what was sent is looked at; else the verb decides."""
        user, (slug, namespace, name) = signed_in(request), (kwargs[part] for part in ("scope", "namespace", "name"))
        found = selectors.members_of(user, namespace, name, scope=slug).here
        if slug == EVERYWHERE or not found:
            raise MissingError("There is no such service.")
        self.act(actor_of(request), ServiceAt(found[0].cluster.pk, namespace, name), self.body_of(request))
        return Response(AlignmentSerializer(alignment_of(user, slug, namespace, name)).data)

    def act(self, actor: Actor, at: ServiceAt, data: dict[str, Any]) -> None:
        """The verb."""
        raise NotImplementedError


class VersionCorrectView(AlignmentVerbView):
    """POST /api/v1/services/<cluster>/<namespace>/<name>/alignment/version/: A backend is this version."""

    body_class = VersionBody

    def act(self, actor: Actor, at: ServiceAt, data: dict[str, Any]) -> None:
        """Whatever labels, selectors and names say."""
        correct_version(actor=actor, at=at, **data)


class VersionClearView(AlignmentVerbView):
    """POST /api/v1/services/<cluster>/<namespace>/<name>/alignment/version/clear/: Take back what was said of one."""

    body_class = BackendBody

    def act(self, actor: Actor, at: ServiceAt, data: dict[str, Any]) -> None:
        """It is what it was found to be."""
        clear_correction(actor=actor, at=at, **data)


class ServiceLinkView(AlignmentVerbView):
    """POST /api/v1/services/<cluster>/<namespace>/<name>/alignment/link/: Show it in the row of another name."""

    body_class = LinkBody

    def act(self, actor: Actor, at: ServiceAt, data: dict[str, Any]) -> None:
        """As the same service in another cluster."""
        link_service(actor=actor, at=at, **data)


class ServiceUnlinkView(AlignmentVerbView):
    """POST /api/v1/services/<cluster>/<namespace>/<name>/alignment/unlink/: Show it under its own name again."""

    def act(self, actor: Actor, at: ServiceAt, data: dict[str, Any]) -> None:
        """What was linked."""
        unlink_service(actor=actor, at=at)


class ClusterExcludeView(AlignmentVerbView):
    """POST /api/v1/services/<cluster>/<namespace>/<name>/alignment/exclude/: It is no longer one with its namesakes."""

    body_class = SaidBody

    def act(self, actor: Actor, at: ServiceAt, data: dict[str, Any]) -> None:
        """It has a row of its own then."""
        exclude_cluster(actor=actor, at=at, **data)


class ClusterIncludeView(AlignmentVerbView):
    """POST /api/v1/services/<cluster>/<namespace>/<name>/alignment/include/: It is the same service again."""

    def act(self, actor: Actor, at: ServiceAt, data: dict[str, Any]) -> None:
        """What was excluded."""
        include_cluster(actor=actor, at=at)
