"""The diff viewer of a change: how it is shown, what a person has read of it, and its text as a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from django.db import IntegrityError, transaction
from zeal import zeal_ignore

from audit.selectors import list_events
from tests.people import as_actor, make_person
from tests.traffic.factories import DIGEST, in_review, make_cluster, make_plan, make_route
from traffic import selectors
from traffic.cards import cards_of
from traffic.errors import DeniedError, StalePlanError
from traffic.models import ViewedTarget
from traffic.services.viewed import mark_viewed
from traffic.types import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User
    from traffic.models import Change

pytestmark = pytest.mark.django_db
HTMX: Final = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def change(author: User) -> Change:
    """In review, on two clusters."""
    return in_review(author, [make_route(make_cluster(slug)) for slug in ("eu-west", "us-east")])


def slugs(change: Change) -> list[str]:
    """Of its targets, in order."""
    assert change.current_plan is not None
    return [card.slug for card in cards_of(selectors.list_plan_targets(change.current_plan), is_sound=True)]


def mark(client: Client, change: Change, slug: str, **words: str) -> object:
    """Post the mark, as the form does."""
    data = {"digest": DIGEST, "viewed": "1"} | words
    return client.post(f"/changes/{change.number}/diff/{slug}/viewed/?diff=split", data)


def text_of(client: Client, url: str) -> str:
    """The page as text."""
    return str(client.get(url).content.decode())


def test_viewed__marked__counted_for_that_person_alone(
    client: Client, change: Change, viewer: User, approver: User
) -> None:
    client.force_login(viewer)

    answer = mark(client, change, slugs(change)[1])

    assert answer.status_code == 303  # type: ignore[attr-defined]
    assert answer.url.endswith(f"?target={slugs(change)[1]}&diff=split#diff")  # type: ignore[attr-defined]
    assert "1 of 2 viewed" in text_of(client, f"/changes/{change.number}/")
    client.force_login(approver)
    assert "0 of 2 viewed" in text_of(client, f"/changes/{change.number}/")


def test_viewed__plan_changed__unticked(client: Client, change: Change, viewer: User) -> None:
    client.force_login(viewer)
    mark(client, change, slugs(change)[0])

    make_plan(change, digest="b" * 64)

    assert "0 of 2 viewed" in text_of(client, f"/changes/{change.number}/")


def test_viewed__taken_away_and_twice__stays_as_asked(client: Client, change: Change, viewer: User) -> None:
    client.force_login(viewer)
    slug = slugs(change)[0]

    for word in ("1", "1", "0", "0"):
        mark(client, change, slug, viewed=word)

    assert not ViewedTarget.objects.exists()
    events = list_events(action="traffic.target.viewed")
    assert [(event.outcome, event.change_number) for event in events] == [("success", change.number)] * 2


def test_viewed__old_digest__refused_with_the_new_page_and_recorded(
    client: Client, change: Change, viewer: User
) -> None:
    client.force_login(viewer)

    answer = mark(client, change, slugs(change)[0], digest="0" * 64)

    assert answer.status_code == 412  # type: ignore[attr-defined]
    assert not ViewedTarget.objects.exists()
    assert list_events(action="traffic.target.viewed").get().outcome == "denied"


def test_viewed__htmx__gets_the_diff_of_that_target(client: Client, change: Change, viewer: User) -> None:
    client.force_login(viewer)
    slug = slugs(change)[1]
    url = f"/changes/{change.number}/diff/{slug}/viewed/?diff=split"

    part = client.post(url, {"digest": DIGEST, "viewed": "1"}, headers=HTMX)

    text = part.content.decode()
    assert text.strip().startswith("<section")
    assert "1 of 2 viewed" in text
    assert re.search(r'aria-current="true"[^>]*>[^<]*<span[^>]*>Is</span> us-east', text)


def test_viewed__unknown_target_or_form__404_and_422(client: Client, change: Change, viewer: User) -> None:
    client.force_login(viewer)

    assert mark(client, change, "nothing").status_code == 404  # type: ignore[attr-defined]
    assert mark(client, change, slugs(change)[0], viewed="perhaps").status_code == 422  # type: ignore[attr-defined]


def test_mark_viewed__out_of_scope_or_stale__refused(change: Change) -> None:
    maria = make_person("maria", ["viewer"], scope={"cluster": ["eu-west"]})
    seen = Seen(change.pk, 0, DIGEST)

    with pytest.raises(DeniedError, match=r"inventory\.read"):
        mark_viewed(actor=as_actor(maria), seen=seen, target="x", is_viewed=True)
    with pytest.raises(StalePlanError):
        mark_viewed(
            actor=as_actor(make_person("otto", ["viewer"])), seen=Seen(change.pk, 0, "1"), target="x", is_viewed=True
        )


def test_viewed_target__same_mark_twice__the_database_refuses(change: Change, viewer: User) -> None:
    row = {"change": change, "digest": DIGEST, "target": "x", "viewer": viewer, "viewed_at": change.created_at}
    ViewedTarget.objects.create(**row)

    with pytest.raises(IntegrityError), transaction.atomic():
        ViewedTarget.objects.create(**row)


def test_timeline__marks_of_readers__left_out(client: Client, change: Change, viewer: User) -> None:
    client.force_login(viewer)
    mark(client, change, slugs(change)[0])

    assert "traffic.target.viewed" not in [event.action for event in selectors.timeline_of(change)]


def test_diff_fragment__each_target__its_own_url(client: Client, change: Change, viewer: User) -> None:
    client.force_login(viewer)
    slug = slugs(change)[1]

    part = client.get(f"/changes/{change.number}/diff/{slug}/?diff=split", headers=HTMX).content.decode()
    page = text_of(client, f"/changes/{change.number}/diff/{slug}/?diff=split")

    assert part.strip().startswith("<section")
    assert 'data-diff="split" aria-current="true"' in re.sub(r"\s+", " ", part)
    assert "<html" in page
    assert client.get(f"/changes/{change.number}/diff/nothing/").status_code == 404


def test_diff__target_and_mode__kept_by_every_link(client: Client, change: Change, viewer: User) -> None:
    client.force_login(viewer)

    text = text_of(client, f"/changes/{change.number}/?diff=split&target={slugs(change)[1]}")

    assert "target=us-east%2FVirtualService%2Fshop%2Fcheckout&amp;diff=neutral" in text or (
        "diff=neutral&amp;target=us-east%2FVirtualService%2Fshop%2Fcheckout" in text
    )
    tabs = re.findall(r'href="(\?[^"]*)#diff"', text[text.index("data-targets") :])
    assert all("diff=split" in tab for tab in tabs[:2])


def test_raw__any_target__a_file_that_no_browser_shows(client: Client, change: Change, viewer: User) -> None:
    client.force_login(viewer)
    slug = slugs(change)[0]

    answer = client.get(f"/changes/{change.number}/diff/{slug}/raw/")

    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == f'attachment; filename="change-{change.number}-{slug}.yaml"'
    assert "weight: 75" in answer.content.decode()
    assert "resourceVersion" not in answer.content.decode()


def test_diff__five_thousand_lines__plain_text_and_the_file(client: Client, change: Change, viewer: User) -> None:
    assert change.current_plan is not None
    target = change.current_plan.targets.all()[0]
    assert target.expected is not None
    target.expected["spec"]["hosts"] = [f"host-{number}" for number in range(5_001)]
    target.save()
    client.force_login(viewer)

    text = text_of(client, f"/changes/{change.number}/?target={slugs(change)[0]}")

    assert "too long to compare here" in text
    assert f"/changes/{change.number}/diff/{slugs(change)[0]}/raw/" in text
    assert 'class="diff hl"' not in text
    assert "\n  - host-5000\n" in text
