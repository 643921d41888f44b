"""Guardrails: limits beside what is measured; too little to tell is inconclusive, and never a pass."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from meshes.types import Grain
from meshui.ui.statuses import TABLES
from metrics.types import Golden, Line, Name
from tests.traffic.factories import (
    checkout_route,
    in_review,
    in_state,
    make_change,
    make_cluster,
    make_plan,
    make_route,
)
from tests.traffic.measuring import V1, V2, draw, measure
from traffic.guardrails import MOST, Subject, guardrails_of, mean_of
from traffic.outlook import outlooks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster
    from traffic.models import Change

GOOD = Golden(10.0, 0.9969, p99_ms=246.0)


def verdicts(
    golden: Golden | None, requests: float = 300.0, *, usual: float | None = 200.0, trouble: str = ""
) -> list[str]:
    """Of success, p99 and enough requests."""
    return [
        rail.verdict for rail in guardrails_of([Subject("v2", golden, requests)], usual_p99_ms=usual, trouble=trouble)
    ]


def test_guardrails__all_within__pass_with_value_and_limit() -> None:
    rails = guardrails_of([Subject("v2", GOOD, 300.0)], usual_p99_ms=200.0)

    assert [(rail.title, rail.value, rail.limit, rail.verdict) for rail in rails] == [
        ("Success rate of v2", "99.69\u202f%", "min 99\u202f%", "pass"),
        ("p99 of v2", "246\u202fms", "max 300\u202fms", "pass"),
        ("Enough requests to v2", "300", "min 30", "pass"),
    ]


@pytest.mark.parametrize(
    ("golden", "found"),
    [
        (Golden(10.0, 0.98, p99_ms=246.0), ["fail", "pass", "pass"]),
        (Golden(10.0, 0.99, p99_ms=300.0), ["pass", "pass", "pass"]),
        (Golden(10.0, 0.9999, p99_ms=300.1), ["pass", "fail", "pass"]),
        (Golden(10.0, None, p99_ms=None), ["inconclusive", "inconclusive", "pass"]),
    ],
)
def test_guardrails__at_and_beyond_the_limits__judged(golden: Golden, found: list[str]) -> None:
    assert verdicts(golden) == found


def test_guardrails__limits_are_set__other_verdicts(settings: Any) -> None:
    settings.GUARDRAIL_SUCCESS, settings.GUARDRAIL_P99_FACTOR = 0.998, 1.2

    assert verdicts(GOOD) == ["fail", "fail", "pass"]


def test_guardrails__few_requests__inconclusive_however_good_or_bad() -> None:
    assert verdicts(GOOD, 29.0) == ["inconclusive"] * 3
    assert verdicts(Golden(1.0, 0.0, p99_ms=9_000.0), 29.0) == ["inconclusive"] * 3


def test_guardrails__nothing_measured__no_number_and_no_pass() -> None:
    rails = guardrails_of([Subject("v2", None, 0.0)], usual_p99_ms=200.0)

    assert {rail.verdict for rail in rails} == {"inconclusive"}
    assert {rail.value for rail in rails} == {"\u2013"}


def test_guardrails__source_could_not_be_read__error() -> None:
    assert verdicts(None, 0.0, trouble="Prometheus did not answer.") == ["error"] * 3
    assert verdicts(GOOD, trouble="2 services were not asked.") == ["pass"] * 3


def test_guardrails__nothing_to_hold_p99_against__inconclusive() -> None:
    assert verdicts(GOOD, usual=None) == ["pass", "inconclusive", "pass"]


def test_guardrails__many_backends__bounded() -> None:
    subjects = [Subject(f"v{n}", GOOD, 300.0) for n in range(MOST + 3)]

    assert len(guardrails_of(subjects, usual_p99_ms=200.0)) == 3 * MOST


def test_guardrails__every_verdict__has_word_icon_and_look() -> None:
    assert set(TABLES["verdict"]) == {"pass", "fail", "inconclusive", "error"}
    assert TABLES["verdict"]["inconclusive"].tone == ""


def test_mean__points_of_the_span_alone__weighted_by_requests() -> None:
    begin = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
    at = int(begin.timestamp())
    none = (None,) * 4
    line = Line(
        Name("shop", "checkout", Grain.BACKEND, V2),
        60,
        (at - 60, at, at + 60, at + 120),
        (99.0, 30.0, None, 10.0),
        (0.0, 1.0, None, 0.6),
        none,
        none,
        (9_000.0, 100.0, None, 300.0),
    )

    found = mean_of(line, begin, begin + dt.timedelta(minutes=2))

    assert found is not None
    assert found.success == pytest.approx(0.9)
    assert (found.rate, found.p99_ms, found.p50_ms) == (20.0, 150.0, None)
    assert mean_of(line, begin + dt.timedelta(minutes=5), begin + dt.timedelta(minutes=9)) is None


# --- before a write ---------------------------------------------------------------------------------------------------


@pytest.fixture
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def eu(several_requests: None, mid_minute: None) -> Cluster:
    """shop/checkout, 90/10."""
    cluster = make_cluster()
    make_route(cluster)
    return cluster


@pytest.fixture
def proposed(eu: Cluster, author: User) -> Change:
    """To 75/25, waiting for approval."""
    return in_review(author, [eu.routes.get()])


def page(client: Client, change: Change) -> str:
    return client.get(f"/changes/{change.number}/signals/").content.decode()


@pytest.mark.django_db
def test_outlook__v2_would_get_more__v2_alone_is_held_against_the_service(eu: Cluster, proposed: Change) -> None:
    draw(measure(eu, 10.0), [10.0] * 15)
    draw(measure(eu, 9.0, V1), [9.0] * 15)
    draw(measure(eu, 1.0, V2), [1.0] * 15)
    assert proposed.current_plan is not None

    (found,) = outlooks_of(proposed.current_plan.targets.select_related("cluster"))

    assert (found.cluster, found.service) == ("eu-west", "shop/checkout")
    assert found.rises == (("c2", "v2", 9000 - 8000, 2500),)
    assert [(rail.title, rail.value, rail.verdict) for rail in found.guardrails] == [
        ("Success rate of v2", "100.00\u202f%", "pass"),
        ("p99 of v2", "60\u202fms", "pass"),
        ("Enough requests to v2", "900", "pass"),
    ]


@pytest.mark.django_db
def test_outlook__sampled__only_what_was_counted_is_enough(eu: Cluster, proposed: Change) -> None:
    draw(measure(eu, 10.0, share=0.01), [10.0] * 15)
    draw(measure(eu, 1.0, V2), [1.0] * 15)
    assert proposed.current_plan is not None

    (found,) = outlooks_of(proposed.current_plan.targets.select_related("cluster"))

    assert {rail.verdict for rail in found.guardrails} == {"inconclusive"}


@pytest.mark.django_db
def test_page__waits_for_approval__guardrails_now(client: Client, eu: Cluster, proposed: Change, viewer: User) -> None:
    draw(measure(eu, 10.0), [10.0] * 15)
    draw(measure(eu, 1.0, V2, success=0.5), [1.0] * 15)
    client.force_login(viewer)

    shown = page(client, proposed)

    assert "Guardrails now" in shown
    assert "Success rate of v2" in shown
    assert 'data-topic="metric-eu-west"' in shown
    assert (
        f'hx-get="/changes/{proposed.number}/signals/"' in client.get(f"/changes/{proposed.number}/").content.decode()
    )


@pytest.mark.django_db
@pytest.mark.parametrize(("age", "words"), [(None, "not measured"), (600.0, "No data since")])
def test_page__never_or_long_ago_measured__said_and_nothing_passes(
    client: Client, eu: Cluster, proposed: Change, viewer: User, age: float | None, words: str
) -> None:
    if age is not None:
        measure(eu, 10.0, age=age)
    client.force_login(viewer)

    shown = page(client, proposed)

    assert words in shown
    assert "Inconclusive" in shown
    assert "Pass" not in shown


@pytest.mark.django_db
def test_page__ended_without_a_write__no_guardrails(client: Client, proposed: Change, viewer: User) -> None:
    in_state(proposed, "rejected")
    client.force_login(viewer)

    assert "Guardrails now" not in page(client, proposed)
    assert 'id="signals"' not in client.get(f"/changes/{proposed.number}/").content.decode()


@pytest.mark.django_db
def test_page__draft_without_a_plan__asks_for_nothing(client: Client, eu: Cluster, author: User) -> None:
    change = make_change(author, [eu.routes.get()])
    client.force_login(author)

    assert 'id="signals"' not in client.get(f"/changes/{change.number}/").content.decode()


@pytest.mark.django_db
def test_outlook__nothing_would_rise__says_so(client: Client, eu: Cluster, author: User, viewer: User) -> None:
    change = make_change(author, [eu.routes.get()], desired=checkout_route(9000, 1000))
    make_plan(change)
    client.force_login(viewer)

    assert "No backend would get more here." in page(client, change)
