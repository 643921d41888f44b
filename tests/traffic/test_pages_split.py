"""The split form: what it shows, keeps, previews and proposes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from meshui.lib.clock import now
from tests.traffic.factories import (
    checkout_route,
    in_review,
    in_state,
    make_change,
    make_cluster,
    make_plan,
    make_route,
)
from traffic.models import Change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from meshes.models import Route

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
URL = "/services/eu-west/shop/checkout/split/"


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def route(db: None) -> Route:
    """shop/checkout in eu-west: 90/10."""
    return make_route(make_cluster())


def flat(answer: Any) -> str:
    """The page with every run of white space as one space: how a template breaks its lines is its own affair."""
    return re.sub(r"[ \n]+", " ", answer.content.decode())


def filled(route: Route, **more: Any) -> dict[str, Any]:
    """The form as an author fills it: 75/25."""
    return {
        "r0-weight-0": "75",
        "r0-weight-1": "25",
        "title": "Shift checkout",
        "reason": "v2 was good for a day.",
        "ticket": "",
        "route": [str(route.pk)],
        **more,
    }


def test_split__author__live_values_and_targets(client: Client, author: User, route: Route) -> None:
    make_route(make_cluster("us-east"))
    client.force_login(author)

    text = flat(client.get(URL))

    assert 'name="r0-weight-0" value="90"' in text
    assert 'name="r0-weight-1" value="10"' in text
    assert "now 90\u202f%" in text
    assert "us-east" in text
    assert text.count('type="checkbox" name="route"') == 2
    assert f'value="{route.pk}" checked' in text


def test_split__route_that_nobody_changed_for_long__as_read_when_its_cluster_was(
    client: Client, author: User, route: Route
) -> None:
    type(route).objects.update(read_at=now() - timedelta(hours=3))
    type(route.cluster).objects.update(last_synced_at=now() - timedelta(minutes=2))
    client.force_login(author)

    header = flat(client.get(URL)).partition("as read")[2][:200]

    assert "2\u202fmin" in header.replace("\u00a0", "\u202f").replace(" min", "\u202fmin")


def test_split__post__proposed_planned_and_303(client: Client, author: User, route: Route) -> None:
    client.force_login(author)

    answer = client.post(URL, filled(route))

    change = Change.objects.get()
    assert answer.status_code == 303
    assert answer["Location"] == f"/changes/{change.number}/"
    assert change.state == State.PLANNING
    assert change.current_revision is not None
    assert [b.weight_bp for b in change.current_revision.route.rules[0].backends] == [7500, 2500]


def test_split__htmx_post__204_with_redirect(client: Client, author: User, route: Route) -> None:
    client.force_login(author)

    answer = client.post(URL, filled(route), headers=HTMX)

    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith("/changes/")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"r0-weight-0": "80"}, "Weights add up to 105.00 %"),
        ({"r0-weight-0": "many"}, "is not a number"),
        ({"r0-weight-0": "75.001", "r0-weight-1": "24.999"}, "At most two decimals"),
        ({"r0-weight-0": "-5"}, "between 0 and 100"),
        ({"r0-weight-0": ""}, "Write a percentage."),
        ({"r0-weight-0": "0", "r0-weight-1": "0"}, "Give at least one backend more than 0 %"),
        ({"title": " "}, "This field is required."),
        ({"reason": ""}, "This field is required."),
        ({"route": []}, "Choose at least one cluster"),
        ({"route": ["00000000-0000-0000-0000-000000000000"]}, "is not one of the available choices"),
    ],
)
@pytest.mark.parametrize("htmx", [True, False])
def test_split__invalid__422_and_everything_kept(
    client: Client, author: User, route: Route, wrong: dict[str, Any], said: str, *, htmx: bool
) -> None:
    client.force_login(author)

    answer = client.post(URL, filled(route, ticket="OPS-7") | wrong, headers=HTMX if htmx else {})

    text = flat(answer)
    assert answer.status_code == 422
    assert said in text
    assert 'value="OPS-7"' in text
    assert f'name="r0-weight-0" value="{wrong.get("r0-weight-0", "75")}"' in text
    assert ("<html" in text) is not htmx
    assert not Change.objects.exists()


def test_split__viewer__sees_and_previews_but_may_not_propose(client: Client, viewer: User, route: Route) -> None:
    client.force_login(viewer)

    page = flat(client.get(URL))
    answer = client.post(URL, filled(route))

    assert "No grant of yours lets you propose" in page
    assert answer.status_code in {403, 422}
    assert not Change.objects.exists()


def test_split__observe_only_and_other_shape__offered_with_the_reason(
    client: Client, author: User, route: Route
) -> None:
    make_route(make_cluster("watched", is_observe_only=True))
    other = checkout_route()
    make_route(make_cluster("other"), type(other)(root=other.root, rules=other.rules * 2))
    client.force_login(author)

    text = flat(client.get(URL))

    assert "MeshUI only observes this cluster." in text
    assert "Two rules are for the same requests: only the first of them decides." in text


@pytest.mark.parametrize("htmx", [True, False])
def test_preview__shares__diff_checks_and_nothing_kept(
    client: Client, author: User, route: Route, *, htmx: bool
) -> None:
    client.force_login(author)

    answer = client.post(f"{URL}preview/", filled(route, title="", reason=""), headers=HTMX if htmx else {})

    text = flat(answer)
    assert answer.status_code == 200
    assert "10\u202f% → <b>25\u202f%</b>" in text
    assert 'class="pm"' in text
    assert ("<html" in text) is not htmx
    assert not Change.objects.exists()


def test_preview__sum_is_wrong__422_says_so(client: Client, author: User, route: Route) -> None:
    client.force_login(author)

    answer = client.post(f"{URL}preview/", filled(route, **{"r0-weight-0": "80"}), headers=HTMX)

    assert answer.status_code == 422
    assert "Weights add up to 105.00 %" in flat(answer)


def test_preview__backend_had_nothing__warns(client: Client, author: User) -> None:
    route = make_route(make_cluster(), checkout_route(10000, 0))
    client.force_login(author)

    text = flat(client.post(f"{URL}preview/", filled(route), headers=HTMX))

    assert "TRF012" in text


def test_split__no_route__says_how_to_make_one(client: Client, author: User, route: Route) -> None:
    type(route).objects.all().delete()
    client.force_login(author)

    page = client.get(URL)

    assert page.status_code == 200
    assert "No split can start here" in flat(page)
    assert "No mesh was found there." in flat(page)


def test_split__second_route_of_the_service__is_the_one_proposed(client: Client, author: User, route: Route) -> None:
    second = make_route(route.cluster, checkout_route(5000, 5000), name="checkout-internal")
    client.force_login(author)

    page = flat(client.get(f"{URL}?route={second.pk}"))
    client.post(URL, filled(second, of=str(second.pk)))

    assert f'name="of" value="{second.pk}"' in page
    assert [target.name for target in Change.objects.get().targets.all()] == ["checkout-internal"]


def test_split__route_gone_meanwhile__404_and_no_other_is_taken(client: Client, author: User, route: Route) -> None:
    client.force_login(author)

    answer = client.post(URL, filled(route, of="00000000-0000-0000-0000-000000000000"))

    assert answer.status_code == 404
    assert not Change.objects.exists()


def test_split__out_of_scope_and_missing__404(
    client: Client, route: Route, person: Callable[..., User], author: User
) -> None:
    client.force_login(person("maria", ["author"], scope={"environment": ["production"]}))
    there = client.get(URL)
    client.force_login(author)
    missing = client.get("/services/eu-west/shop/nothing/split/")

    assert there.status_code == missing.status_code == 404


def test_split__names_with_script__inert(client: Client, author: User) -> None:
    make_route(make_cluster(), checkout_route(rule="<script>alert(1)</script>"), name="checkout")
    client.force_login(author)

    assert "<script>alert" not in flat(client.get(URL))


def test_edit__form__shows_what_the_change_wants(client: Client, author: User, route: Route) -> None:
    change = in_review(author, [route])
    client.force_login(author)

    text = flat(client.get(f"/changes/{change.number}/edit/"))

    assert 'name="r0-weight-0" value="75"' in text
    assert "v2 was good for a day." in text
    assert f'name="version" value="{change.version}"' in text


def test_edit__saved__new_revision_votes_void_planning(client: Client, author: User, route: Route) -> None:
    change = in_review(author, [route])
    client.force_login(author)
    data = filled(route, version=change.version, **{"r0-weight-0": "60", "r0-weight-1": "40"})

    answer = client.post(f"/changes/{change.number}/edit/", data)

    change.refresh_from_db()
    assert answer.status_code == 303
    assert change.state == State.PLANNING
    assert change.revisions.count() == 2


@pytest.mark.parametrize(("version", "status"), [("", 428), ("99", 412)])
def test_edit__version_absent_or_stale__refused_input_kept(
    client: Client, author: User, route: Route, version: str, status: int
) -> None:
    change = in_review(author, [route])
    client.force_login(author)
    data = filled(route, version=version, **{"r0-weight-0": "60", "r0-weight-1": "40"})

    answer = client.post(f"/changes/{change.number}/edit/", data)

    assert answer.status_code == status
    assert 'name="r0-weight-0" value="60"' in flat(answer)
    assert change.revisions.count() == 1


def test_edit__running__409(client: Client, author: User, route: Route) -> None:
    change = make_change(author, [route])
    make_plan(change)
    change = in_state(change, State.APPLYING)
    client.force_login(author)

    answer = client.post(f"/changes/{change.number}/edit/", filled(route, version=change.version))

    assert answer.status_code == 409


def test_edit__preview__diff(client: Client, author: User, route: Route) -> None:
    change = in_review(author, [route])
    client.force_login(author)

    answer = client.post(f"/changes/{change.number}/edit/preview/", filled(route), headers=HTMX)

    assert answer.status_code == 200
    assert 'id="preview"' in flat(answer)
