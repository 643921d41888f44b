"""What the demo opens on: clusters, people, a change that waits and one that was applied; by the product's verbs."""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from typing import TYPE_CHECKING

from django.core.management import call_command

from accounts.models import User
from accounts.selectors import actor_for
from accounts.services import create_user, grant_role
from audit.types import SYSTEM
from clusters.kubeconfig import parse_kubeconfig
from clusters.models import Cluster
from clusters.services import NewCluster, add_cluster, allow_writes, replace_credential
from meshes.models import Route as StoredRoute
from meshes.types import Route
from meshui.lib.errors import UnavailableError
from meshui.lib.queue import drain, run_task
from playground import worlds
from playground.cluster import EmulatedCluster
from traffic.models import Change
from traffic.services import apply, approve, plan, propose
from traffic.types import Proposal, Seen, State, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from audit.types import Actor

PATIENCE_SECONDS = 60.0
WORLDS = (("eu-west", "staging", worlds.eu_west), ("us-east", "production", worlds.us_east))
OWN_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "meshui"}}
READS = ["get", "list", "watch"]
READER_RULES = [
    {"apiGroups": [""], "resources": ["namespaces", "services", "pods", "configmaps"], "verbs": READS},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": READS},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": READS},
    {"apiGroups": ["networking.istio.io", "gateway.networking.k8s.io"], "resources": ["*"], "verbs": READS},
]
WRITER_RULES = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    {
        "apiGroups": ["networking.istio.io"],
        "resources": ["virtualservices", "destinationrules"],
        "verbs": ["get", "patch"],
    },
]


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
    for name, environment, objects in WORLDS:
        emulated = begun.enter_context(EmulatedCluster(name))
        emulated.load([OWN_NAMESPACE, *objects()])
        emulated.settle()
        _add_cluster(emulated, environment)
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
    """Reader and writer are different accounts of the cluster, each with the least rights."""
    admin = _actor("admin")
    emulated.grant("meshui-reader", READER_RULES, service_account_namespace="meshui")
    emulated.grant("meshui-writer", WRITER_RULES, service_account_namespace="meshui")
    reader, writer = (
        parse_kubeconfig(emulated.service_account_kubeconfig("meshui", f"meshui-{role}").encode())
        for role in ("reader", "writer")
    )
    new = NewCluster(name=emulated.name, slug=emulated.name, environment=environment, kubeconfig=reader)
    cluster = add_cluster(actor=admin, new=new)
    replace_credential(actor=admin, cluster_id=cluster.pk, role="writer", kubeconfig=writer)
    allow_writes(actor=admin, cluster_id=cluster.pk)


def _apply_a_change() -> None:
    change = _proposed(
        "recommendations",
        (4_000, 4_000, 2_000),
        "Give recommendations v2 and v3 more traffic",
        "Both have run at 30 % and 10 % for a week without errors.",
    )
    change = _approved(_submitted(change))
    apply.start_change(actor=_actor("author"), seen=_seen(change))
    work_until(lambda: State(_again(change).state) == State.APPLIED, "the change of recommendations")


def _leave_a_change_in_review() -> None:
    change = _proposed(
        "search", (6_000, 4_000), "Move search to v2 in two steps", "First step: 40 %. v2 answers in half the time."
    )
    _submitted(change)


def _proposed(service: str, weights: tuple[int, ...], title: str, reason: str) -> Change:
    """A planned draft that splits the one rule of `service` in eu-west by `weights`."""
    stored = StoredRoute.objects.get(cluster__slug="eu-west", namespace="shop", name=service)
    live = Route.from_json(stored.neutral)
    rule = live.rules[0]
    backends = tuple(
        dataclasses.replace(backend, weight_bp=bp) for backend, bp in zip(rule.backends, weights, strict=True)
    )
    desired = dataclasses.replace(live, rules=(dataclasses.replace(rule, backends=backends), *live.rules[1:]))
    wanted = Wanted(stored.cluster_id, stored.mesh_kind, stored.pk)
    proposal = Proposal(title=title, reason=reason, desired=desired, targets=(wanted,))
    change = propose.propose_change(actor=_actor("author"), proposal=proposal)
    change = plan.request_plan(actor=_actor("author"), seen=_seen(change))
    work_until(lambda: _again(change).state == State.DRAFT, f"the plan of {service}")
    return _again(change)


def _submitted(change: Change) -> Change:
    return approve.submit_change(actor=_actor("author"), seen=_seen(change))


def _approved(change: Change) -> Change:
    seen = _seen(change)
    approve.approve_change(
        actor=_actor("approver"),
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
