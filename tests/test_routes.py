"""Every URL of the product: who may, and that another team's objects answer as what does not exist (S6)."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from zeal import zeal_ignore

from accounts.models import Grant, SavedView
from accounts.tokens import NewToken, make_token
from accounts.types import ROLES
from audit.selectors import list_events
from meshes.models import Mesh
from meshui.lib.clock import now
from meshui.ui.needs import Needs
from tests.people import as_actor, make_person
from tests.traffic.factories import DIGEST, make_change, make_cluster, make_managed, make_plan, make_route

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.http import HttpResponse
    from django.test import Client

    from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.walks]

BEFORE_SIGN_IN = {"account_login", "accounts:first-administrator", "accounts:set-password", "ui:csp-report"}
OWN_BUSINESS = {"account_logout"}
"""What everybody who is signed in may do, and concerns nobody else."""
SHOWS_ALL = {"audit:event-list", "api:event-list", "ui:design", "accounts:tokens", "api:person-list"}
"""Auditors read all of history, Access admins see all tokens; the page of components has examples of its own."""
NOWHERE = UUID(int=7)
MESHES = ("meshes:mesh-detail", "meshes:mesh-capabilities", "traffic:mesh-history", "api:mesh-detail")
"""URLs of one mesh."""
WORDS = {
    "comment": "Fine.",
    "reason": "Because.",
    "version": "1",
    "digest": DIGEST,
    "name": "v2",
    "title": "Shift",
    "viewed": "1",
}
"""What forms ask for, so that the verb behind is reached."""
NOISE = re.compile(
    r"\b[A-Za-z0-9]{64}\b|Request <code>[^<]+</code>|(?<=for=\")[^\"]+|(?<=\"instance\":\")[^\"]+|(?<=live-at=\")\d+"
)
"""Tokens against forged forms, the id of the request, and when the page was made."""


@pytest.fixture(autouse=True)
def _many_requests(repeated_queries: None) -> Iterator[None]:
    """These tests send the same request for each URL: no loop that zeal looks for."""
    with zeal_ignore():
        yield


def routes() -> Iterator[tuple[str, URLPattern]]:
    """(name to reverse, pattern) of every URL."""

    def walk(patterns: list[Any], space: str) -> Iterator[tuple[str, URLPattern]]:
        for each in patterns:
            if isinstance(each, URLResolver):
                yield from walk(each.url_patterns, each.namespace or space)
            else:
                yield (f"{space}:{each.name}" if space else str(each.name)), each

    yield from walk(get_resolver().url_patterns, "")


ROUTES = dict(routes())


class Place:
    """What stands in URLs: of one team, of another one, or of nobody."""

    def __init__(self, slug: str, service: str, number: int, ids: Mapping[str, Any]) -> None:
        self.slug, self.service, self.number, self.ids = slug, service, number, ids

    def url(self, name: str) -> str:
        """The URL of that name here."""
        wanted = ROUTES[name].pattern.converters
        known: dict[str, Any] = {
            "slug": self.slug,
            "scope": self.slug,
            "namespace": self.service,
            "name": "checkout",
            "number": self.number,
            "token": "no-such-token",
            "target": "no-such-target",
            "mark": "no-such-mark",
            "operation": "change_list",
        }
        known |= {key: value for key, value in self.ids.items() if "/" not in key}
        return reverse(name, kwargs={key: known[key] if key in known else self.ids[f"{name}/{key}"] for key in wanted})


def ids_of(**given: Any) -> dict[str, Any]:
    """Of what is known by an id, in URLs: by the name of the part, where it says all, else by that of the URL, too."""
    names = {
        "mesh": [
            "meshes:mesh-detail/pk",
            "meshes:mesh-capabilities/pk",
            "metrics:mesh-proxies/pk",
            "traffic:mesh-history/pk",
            "api:mesh-detail/pk",
        ],
        "route": ["meshes:route-detail/pk"],
        "managed": ["traffic:drift-diff/pk", "api:drift-detail/drift_id"],
        "user": ["user_id"],
        "session": ["session_id"],
        "grant": ["grant_id"],
        "token": ["token_id"],
        "view": ["view_id"],
        "seq": ["audit:event-detail/seq", "api:event-detail/seq"],
    }
    return {name: value for key, value in given.items() for name in names[key]}


def place(slug: str, author: User) -> Place:
    """A cluster with a mesh, a route and a change that waits for its approval."""
    cluster = make_cluster(slug)
    route = make_route(cluster)
    mesh = Mesh.objects.create(
        cluster=cluster, kind="istio", trust_domain="cluster.local", content_hash="", read_at=now()
    )
    change = make_change(author, [route])
    make_plan(change)
    grant = Grant.objects.filter(user=author)[0]
    lasts = dt.timedelta(days=1)
    token = make_token(actor=as_actor(author), new=NewToken(slug, [], lasts, scope={"cluster": [slug]})).token
    seq = list_events(action="traffic.change.proposed")[0].seq
    view = SavedView.objects.create(user=author, name="Broken", path=f"/clusters/{slug}/")
    known = {"token": token.pk, "session": NOWHERE, "view": view.pk, "managed": make_managed(route).pk}
    ids = ids_of(mesh=mesh.pk, route=route.pk, user=author.pk, grant=grant.pk, seq=seq, **known)
    return Place(slug, "shop", change.number, ids)


@pytest.fixture
def ours(author: User) -> Place:
    """Of the team of the readers."""
    return place("eu-west", author)


@pytest.fixture
def theirs(author: User) -> Place:
    """Of another team."""
    return place("us-east", author)


@pytest.fixture
def nothing() -> Place:
    """What is nowhere."""
    unknown = dict.fromkeys(("mesh", "route", "managed", "user", "grant", "token", "session", "view"), NOWHERE)
    return Place("nowhere", "shop", 999, ids_of(**unknown, seq=999_999))


def ask(client: Client, method: str, url: str) -> Any:
    """Send the words along, but where a query that is not known is refused."""
    is_strict = method == "get" and url.startswith("/api/")
    return getattr(client, method)(url, {} if is_strict else WORDS)


def without_names(response: HttpResponse, where: Place) -> str:
    """The answer, without what differs from one request to the next and what the URL itself said."""
    text = NOISE.sub("…", response.content.decode())
    ids = [str(each) for each in where.ids.values() if isinstance(each, UUID)]
    for own in (where.slug, *ids, f"#{where.number}", f"/{where.number}/"):
        text = text.replace(own, "…")
    return text


def concerns_an_object(name: str) -> bool:
    """Whether the URL names a cluster, a change or another object with a place."""
    return bool(set(ROUTES[name].pattern.converters) & {"slug", "scope", "number", "pk", "view_id"})


def test_routes__every_one__declares_who_may() -> None:
    undeclared = []
    for name, pattern in ROUTES.items():
        view = getattr(pattern.callback, "view_class", None)
        declares = isinstance(view, type) and issubclass(view, Needs) and bool(view.needs) is not view.is_open
        if not declares and name not in BEFORE_SIGN_IN | OWN_BUSINESS:
            undeclared.append(name)

    assert undeclared == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_routes__nobody_signed_in__nothing_but_the_way_in(client: Client, ours: Place, method: str) -> None:
    answers = {name: ask(client, method, ours.url(name)) for name in ROUTES if name not in BEFORE_SIGN_IN}

    asked = {name: (answer.status_code, answer.headers.get("Location", "")) for name, answer in answers.items()}
    pages = {name: found for name, found in asked.items() if not name.startswith("api:")}
    assert [name for name, (status, to) in pages.items() if status != 302 or not to.startswith("/sign-in/")] == []
    assert {asked[name][0] for name in asked.keys() - pages.keys()} == {401}


@pytest.mark.parametrize("method", ["get", "post"])
def test_routes__no_grant_at_all__no_page_of_an_object(
    client: Client, stranger: User, ours: Place, method: str
) -> None:
    client.force_login(stranger)

    answers = {name: ask(client, method, ours.url(name)) for name in ROUTES if concerns_an_object(name)}

    assert {name for name, answer in answers.items() if answer.status_code not in {403, 404, 405, 422}} == set()
    assert [name for name, answer in answers.items() if "checkout-v" in answer.content.decode()] == []


@pytest.mark.parametrize("role", sorted(ROLES))
@pytest.mark.parametrize("method", ["get", "post"])
def test_s06_route__other_scope__answers_as_what_is_not_there(
    client: Client, ours: Place, theirs: Place, nothing: Place, role: str, method: str
) -> None:
    client.force_login(make_person("reader", [role], scope={"cluster": [ours.slug]}))
    differs = []

    for name in filter(concerns_an_object, ROUTES):
        there = ask(client, method, theirs.url(name))
        nowhere = ask(client, method, nothing.url(name))
        same = (there.status_code, without_names(there, theirs)) == (
            nowhere.status_code,
            without_names(nowhere, nothing),
        )
        if not same or there.status_code in {200, 302}:
            differs.append((name, there.status_code, nowhere.status_code))

    assert differs == []


@pytest.mark.parametrize("role", sorted(ROLES))
def test_s06_lists__other_scope__neither_rows_nor_counts(client: Client, ours: Place, theirs: Place, role: str) -> None:
    client.force_login(make_person("reader", [role], scope={"cluster": [ours.slug]}))
    lists = [name for name, pattern in ROUTES.items() if not pattern.pattern.converters and name not in BEFORE_SIGN_IN]

    answers = {name: client.get(ours.url(name)) for name in lists}

    shown = {name: answer.content.decode() for name, answer in answers.items() if answer.status_code == 200}
    assert "clusters:cluster-list" in shown
    assert [name for name, text in shown.items() if theirs.slug in text and name not in SHOWS_ALL] == []


def test_routes__null_in_the_path__nothing_is_there(client: Client, author: User) -> None:
    client.force_login(author)
    named = [name for name, pattern in ROUTES.items() if "name" in pattern.pattern.converters]

    answers = {name: client.get(Place("all", "shop", 1, {}).url(name).replace("checkout", "%00")) for name in named}

    assert {answer.status_code for answer in answers.values()} <= {404, 405}
    assert answers["meshes:service-detail"].status_code == 404
