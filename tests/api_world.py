"""What the walks through the whole API stand on: the same things of one team, of another one, and of nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.models import Grant
from accounts.tokens import NewToken, make_token
from audit.selectors import list_events
from clusters.models import Cluster
from meshes.models import Mesh
from meshui.lib.clock import now
from tests.clusters.makers import register
from tests.people import as_actor
from tests.traffic.factories import checkout_route, in_review, make_managed, make_route

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from accounts.models import User

NOWHERE = "00000000-0000-0000-0000-000000000007"
ROLES = ("viewer", "author", "approver", "executor", "cluster_admin", "access_admin", "auditor", "policy_admin")


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster with a mesh, a route and a change in review; what stands in addresses and bodies for them."""

    slug: str
    number: int
    mesh: str
    seq: int
    etag: str
    person: str = NOWHERE
    grant: str = NOWHERE
    token: str = NOWHERE
    drift: str = NOWHERE

    def path(self) -> dict[str, object]:
        """Parameter → value."""
        return {
            "slug": self.slug, "scope": self.slug, "namespace": "shop", "name": "checkout", "number": self.number,
            "pk": self.mesh, "id": self.mesh, "seq": self.seq, "user_id": self.person, "grant_id": self.grant,
            "token_id": self.token, "drift_id": self.drift,
        }  # fmt: skip

    def names(self) -> tuple[str, ...]:
        """What an answer may hold of it only because the request said it."""
        return (self.slug, self.mesh, self.drift, f"#{self.number}", f"/{self.number}/", self.etag.strip('"'))


NOTHING = Place("nowhere", 999_999, NOWHERE, 999_999, '"1-"')


def make_place(slug: str, author: User) -> Place:
    """A place of its own environment."""
    cluster = register(slug, environment=f"{slug}-env", writes=True)
    Cluster.objects.filter(pk=cluster.pk).update(health="healthy")
    cluster.refresh_from_db()
    route = make_route(cluster)
    change = in_review(author, [route])
    read = {"content_hash": "", "read_at": now()}
    mesh = Mesh.objects.create(cluster=cluster, kind="istio", trust_domain="cluster.local", **read)
    seq = list_events(action="traffic.change.proposed")[0].seq
    token = make_token(actor=as_actor(author), new=NewToken(slug, [], timedelta(days=1))).token
    grant = Grant.objects.filter(user=author)[0]
    who = (str(author.pk), str(grant.pk), str(token.pk))
    drift = make_managed(make_route(cluster, checkout_route(6000, 4000), name="drifted"), change_number=change.number)
    return Place(slug, change.number, str(mesh.pk), seq, change.etag, *who, str(drift.pk))


def known_values(*places: Place) -> Mapping[str, list[Any]]:
    """Name of a field or parameter → values that mean something here."""
    found: dict[str, list[Any]] = {
        "clusters": [["all"], *([place.slug] for place in places)],
        "namespace": ["shop"],
        "name": ["checkout"],
        "shares": [{"v1": 7500, "v2": 2500}, {"v1": 10000, "v2": 0}],
        "rule": ["primary"],
        "backend": ["v2", "v1"],
        "backend_key": ["shop/checkout#v2"],
        "slug": [place.slug for place in places] + ["new"],
        "environment": [f"{places[0].slug}-env"],
        "change": [place.number for place in places],
        "If-Match": [place.etag for place in places],
        "cursor": [""],
    }
    return found


def undone() -> AbstractContextManager[None]:
    """What is done inside is undone: the next request finds the same world. Verbs may be durable in it."""
    return _Savepoint()


class _Savepoint:
    def __init__(self) -> None:
        self._block = transaction.atomic()
        self._block._from_testcase = True  # type: ignore[attr-defined]  # as Django's own TestCase says it

    def __enter__(self) -> None:
        self._block.__enter__()

    def __exit__(self, *error: object) -> None:
        transaction.set_rollback(True)
        self._block.__exit__(*error)  # type: ignore[arg-type]  # three values
