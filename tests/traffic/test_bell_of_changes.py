"""Every act that moves a change tells the pages of that change, after its commit and not before."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from audit.services import record, verb
from audit.types import SYSTEM
from meshui.lib.bus import Fact
from meshui.lib.errors import RefusedError
from tests.ears import listening
from tests.people import as_actor
from tests.traffic.factories import in_review, make_change, make_cluster, make_route
from traffic.actions import ACTIONS
from traffic.services.approve import deny_change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User
    from audit.types import Actor
    from tests.ears import Ear
    from traffic.models import Change

SERVICES = Path(__file__).resolve().parents[2] / "traffic"
STEPS = "TargetStep.objects.filter"
RINGS = {"ring", "publish"}


@pytest.fixture
def ear() -> Iterator[Ear]:
    """Somebody who listens."""
    with listening() as heard:
        yield heard


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_act__of_traffic__rings_its_change(action: str, ear: Ear, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])
    ear.facts.clear()

    @verb(action)
    def act(*, actor: Actor, change: Change) -> None:
        record(action, actor=actor, target=change)
        assert ear.facts == []

    act(actor=SYSTEM, change=change)

    assert ear.facts == [Fact("change", str(change.number))]


@pytest.mark.django_db(transaction=True)
def test_deny__by_the_approver__rings_and_its_refusal_does_not(ear: Ear, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    plan = change.current_plan
    assert plan is not None
    ear.facts.clear()

    given: dict[str, Any] = {"change_id": change.pk, "version": change.version, "digest": plan.digest, "comment": "no"}
    with pytest.raises(RefusedError, match="wrote"):
        deny_change(actor=as_actor(author), **given)
    assert ear.facts == []
    deny_change(actor=as_actor(approver), **given)

    assert Fact("change", str(change.number)) in ear.facts


def test_steps__written_anywhere__rings() -> None:
    """Whatever function moves or notes a step by hand tells of it."""
    functions = [
        (path.name, node)
        for path in sorted(SERVICES.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    writing = [(name, f) for name, f in functions if ".update(" in (text := ast.unparse(f)) and STEPS in text]

    assert {f.name for _, f in writing} >= {"move_step", "take_step", "note_step"}
    assert [f"{name}:{f.name}" for name, f in writing if not RINGS & called(f)] == []


def called(function: ast.FunctionDef) -> set[str]:
    """The names of the functions that it calls."""
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {made.id for made in calls if isinstance(made, ast.Name)}
