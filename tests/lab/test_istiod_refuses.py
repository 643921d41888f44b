"""What istiod's own webhook refuses is refused when it is planned, in its words, and nobody can approve it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pytest

from tests.lab.desk import Desk
from tests.lab.duo import PLACE, alone, single
from traffic.types import State

if TYPE_CHECKING:
    from accounts.models import User
    from lab.cluster import Cluster
    from tests.traffic.conftest import Way

__all__ = ["alone", "single"]
pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]
NOT_FOR_RE2 = "^(?!bot)"
"""Python and many others take it; Envoy's regular expressions look neither ahead nor back."""
WORDS = 'configuration is invalid: "headers": error parsing regexp: invalid or unsupported Perl syntax: `(?!`'


def test_plan__pattern_that_envoy_cannot_take__istiods_words_on_the_page_and_nothing_to_approve(
    alone: Way, single: Cluster, author: User, approver: User
) -> None:
    desk, (route,) = Desk.of(author, approver), alone.routes
    before = single.get("VirtualService", "checkout", PLACE)
    header = {"header": "user-agent", "type": "regex", "value": NOT_FOR_RE2}

    edit = desk.edit(route, "aim:0", **header, to=f"{PLACE}/checkout#v2")
    desk.propose(route, 90, 10, rule=1, edit=edit)

    page, change = html.unescape(desk.page(desk.author)), desk.change()
    assert change.state == State.DRAFT
    assert f"{single.name} refused the dry run" in page
    assert "In the server's own words:" in page
    assert f'admission webhook "rev.validation.istio.io" denied the request: {WORDS}' in page
    assert "The plan has errors: mend what is named below, then plan again." in page
    assert 'aria-describedby="why-submit"' in page
    assert f"/changes/{desk.number}/approve/" not in desk.page(desk.approver)
    assert single.get("VirtualService", "checkout", PLACE) == before
