"""Two requests under one Idempotency-Key at the same moment, on either database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from tests.people import as_actor
from tests.traffic.factories import checkout_route, make_cluster, make_route
from tests.traffic.matrix import side_by_side
from traffic.models import Change, IdempotencyKey
from traffic.services.propose import propose_change
from traffic.types import Once, Proposal, Wanted

if TYPE_CHECKING:
    from accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("run", range(5))
def test_propose__same_key_at_once__one_change_and_both_answer_it(author: User, run: int) -> None:
    route = make_route(make_cluster())
    wanted = (Wanted(route.cluster_id, route.mesh_kind, route.pk),)
    proposal = Proposal("Shift checkout", "v2 was good.", checkout_route(7500, 2500), wanted)

    answered: list[int] = []

    def act() -> None:
        once = Once(f"k-{run}", "a" * 64)
        answered.append(propose_change(actor=as_actor(author), proposal=proposal, once=once).number)

    with zeal_ignore():
        failed = side_by_side(act, act)

    assert failed == []
    assert answered == [Change.objects.get().number] * 2
    assert IdempotencyKey.objects.get().number == answered[0]
