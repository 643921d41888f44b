"""What the demo opens on: clusters, people, a change that waits and one that was applied; by the product's verbs."""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from typing import TYPE_CHECKING

import yaml
from django.core.management import call_command

from accounts.models import User
from accounts.selectors import actor_for
from accounts.services import create_user, grant_role
from audit.types import SYSTEM
from clusters.kubeconfig import parse_kubeconfig
from clusters.manifests import HOME, READER, WRITER, Wish, rbac_manifest
from clusters.models import Cluster
from clusters.services import NewCluster, add_cluster, allow_writes, replace_credential
from meshes.models import Route as StoredRoute
from meshes.types import Route
from meshui.lib.errors import UnavailableError
from meshui.lib.queue import drain, run_task
from playground import corners, south, worlds
from playground.cluster import EmulatedCluster
from traffic.models import Change
from traffic.services import apply, approve, plan, propose
from traffic.types import Proposal, Seen, State, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from audit.types import Actor
    from playground.apiserver.jsontypes import Json

PATIENCE_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class World:
    """A cluster of the demo: what it holds, which mesh it runs, where it belongs."""

    name: str
    environment: str
    objects: Callable[[], list[Json]]
    mesh: str = "istio"

    def start(self, begun: ExitStack) -> EmulatedCluster:
        """Start it; it ends with `begun`."""
        is_istio = self.mesh == "istio"
        emulated = begun.enter_context(EmulatedCluster(self.name, istio=is_istio, linkerd=not is_istio))
        emulated.load([*self.objects(), *yaml.safe_load_all(rbac_manifest(Wish(writes=True, meshes=(self.mesh,))))])
        emulated.settle()
        return emulated


WORLDS = (
    World("eu-west", "staging", lambda: [*worlds.eu_west(), *corners.eu_corners()]),
    World("us-east", "production", lambda: [*worlds.us_east(), *corners.us_corners()]),
    World("ap-south", "staging", south.ap_south, "linkerd"),
)


@dataclasses.dataclass(frozen=True)
class Person:
    """Somebody who can sign in to the demo."""

    username: str
    display_name: str
    roles: tuple[str, ...]
    note: str
    password: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)


def people() -> tuple[Person, ...]:
    """The people of the demo, each with a new password."""
    return (
        Person("author", "Mia Olsen", ("author", "executor"), "proposes changes and starts approved ones"),
        Person("approver", "Rafael Okoye", ("approver",), "approves or denies"),
        Person("approver2", "Ines Duarte", ("approver",), "the second vote that production needs"),
        Person("viewer", "Vera Lind", ("viewer",), "looks"),
        Person("auditor", "Noor Haddad", ("auditor",), "reads the history"),
        Person("admin", "Adam Nowak", ("cluster_admin", "access_admin", "policy_admin"), "clusters, access, policies"),
    )


def fill(begun: ExitStack) -> tuple[Person, ...]:
    """Make the database and all that is in it; emulated clusters end with `begun`. The people who can sign in."""
    call_command("migrate", interactive=False, verbosity=0)
    made = people()
    for person in made:
        _add_person(person)
    for world in WORLDS:
        _add_cluster(world.start(begun), world.environment)
    work_until(lambda: not Cluster.objects.filter(last_synced_at=None).exists(), "the first sync")
    _apply_a_change()
    _leave_a_change_in_review()
    return made


def welcome(url: str, made: tuple[Person, ...]) -> str:
    """What the terminal says when all is there."""
    lines = [f"  {person.username:9} {person.password}   {person.note}" for person in made]
    return "\n".join(["", f"MeshUI answers on {url}", "", *lines, "", "Ctrl-C ends it; nothing of it is kept."])


def work_until(is_done: Callable[[], bool], what: str) -> None:
    """Do what is due, as the worker would, until `is_done()`. UnavailableError if it takes too long."""
    end, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not is_done():
        if time.monotonic() > end:
            raise UnavailableError(f"{what} did not come to an end in {PATIENCE_SECONDS:g} s.", mend="Start it again.")
        for app in ("clusters", "meshes", "traffic"):
            run_task(f"{app}.tasks.sweep")
        if not drain():
            pause.wait(0.05)


def _add_person(person: Person) -> None:
    user = create_user(
        actor=SYSTEM, username=person.username, display_name=person.display_name, password=person.password
    )
    for role in person.roles:
        grant_role(actor=SYSTEM, user_id=user.pk, role=role)


def _add_cluster(emulated: EmulatedCluster, environment: str) -> None:
    """Reader and writer are different accounts of the cluster, each with the least rights that MeshUI prints."""
    admin = _actor("admin")
    reader, writer = (
        parse_kubeconfig(emulated.service_account_kubeconfig(HOME, name).encode()) for name in (READER, WRITER)
    )
    new = NewCluster(name=emulated.name, slug=emulated.name, environment=environment, kubeconfig=reader)
    cluster = add_cluster(actor=admin, new=new)
    replace_credential(actor=admin, cluster_id=cluster.pk, role="writer", kubeconfig=writer)
    allow_writes(actor=admin, cluster_id=cluster.pk)


def _apply_a_change() -> None:
    """All three clusters, two kinds of mesh; us-east is production, so two people have approved."""
    change = _proposed(
        "recommendations",
        (4_000, 4_000, 2_000),
        "Give recommendations v2 and v3 more traffic",
        "Both have run at 30 % and 10 % for a week without errors.",
        clusters=("eu-west", "us-east", "ap-south"),
    )
    _submitted(change)
    change = _approved(change, "approver", "approver2")
    apply.start_change(actor=_actor("author"), seen=_seen(change))
    work_until(lambda: State(_again(change).state) == State.APPLIED, "the change of recommendations")


def _leave_a_change_in_review() -> None:
    change = _proposed(
        "search",
        (6_000, 4_000),
        "Move search to v2 in two steps",
        "First step: 40 %. v2 answers in half the time.",
        clusters=("eu-west", "ap-south"),
    )
    _submitted(change)


def _proposed(service: str, weights: tuple[int, ...], title: str, reason: str, *, clusters: tuple[str, ...]) -> Change:
    """A planned draft that splits the last rule of `service` by `weights`, in each cluster as its route has it."""
    targets, desired = [], []
    for cluster in clusters:
        stored = StoredRoute.objects.get(cluster__slug=cluster, namespace="shop", root_service=service)
        desired.append(_split_by(Route.from_json(stored.neutral), weights))
        targets.append(Wanted(stored.cluster_id, stored.mesh_kind, stored.pk, desired[-1]))
    proposal = Proposal(title=title, reason=reason, desired=desired[0], targets=tuple(targets))
    change = propose.propose_change(actor=_actor("author"), proposal=proposal)
    change = plan.request_plan(actor=_actor("author"), seen=_seen(change))
    work_until(lambda: _again(change).state == State.DRAFT, f"the plan of {service}")
    return _again(change)


def _split_by(live: Route, weights: tuple[int, ...]) -> Route:
    *others, rule = live.rules
    backends = tuple(
        dataclasses.replace(backend, weight_bp=bp) for backend, bp in zip(rule.backends, weights, strict=True)
    )
    return dataclasses.replace(live, rules=(*others, dataclasses.replace(rule, backends=backends)))


def _submitted(change: Change) -> Change:
    return approve.submit_change(actor=_actor("author"), seen=_seen(change))


def _approved(change: Change, *approvers: str) -> Change:
    for approver in approvers:
        seen = _seen(change)
        approve.approve_change(
            actor=_actor(approver),
            change_id=seen.change_id,
            version=seen.version,
            digest=seen.digest,
            comment="Looks right.",
        )
    return _again(change)


def _actor(username: str) -> Actor:
    return actor_for(User.objects.get(username=username), origin="ui")


def _again(change: Change) -> Change:
    return Change.objects.select_related("current_plan").get(pk=change.pk)


def _seen(change: Change) -> Seen:
    now = _again(change)
    return Seen(now.pk, now.version, now.current_plan.digest if now.current_plan else "")
