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
from traffic.services import apply, approve, plan, propose, rollback
from traffic.types import Proposal, Seen, State, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack

    from audit.types import Actor
    from playground.apiserver.jsontypes import Json

PATIENCE_SECONDS = 60.0
YEAR = 8760 * 3600  # as long as the tokens that MeshUI's own page asks for


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
        emulated.load(self.objects())
        rights = list(yaml.safe_load_all(rbac_manifest(Wish(writes=True, meshes=(self.mesh,), metrics=True))))
        _name_revisions(rights, emulated)
        made = {each["metadata"]["name"] for each in rights if each["kind"] == "Namespace"}
        there = made | {each["metadata"]["name"] for each in emulated.list("Namespace")}
        # As kubectl does: what belongs into a namespace that is not there is left out, the rest is applied.
        emulated.load(each for each in rights if each["metadata"].get("namespace", "") in there | {""})
        emulated.settle()
        return emulated


def _name_revisions(rights: list[Json], emulated: EmulatedCluster) -> None:
    """As the manifest says itself: ConfigMaps of other revisions of istiod are added to the names."""
    found = [each["metadata"]["name"] for each in emulated.list("ConfigMap", "istio-system") if "mesh" in each["data"]]
    for role in rights:
        for rule in role.get("rules") or ():
            names = rule.get("resourceNames") or []
            if "istio" in names:
                names.extend(name for name in found if name not in names)


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


def people(passwords: Mapping[str, str] | None = None) -> tuple[Person, ...]:
    """The people of the demo, each with a new password, or with the one it had before the demo began anew."""
    made = _people()
    known = passwords or {}
    return tuple(dataclasses.replace(each, password=known.get(each.username, each.password)) for each in made)


def _people() -> tuple[Person, ...]:
    return (
        Person("author", "Mia Olsen", ("author", "executor"), "proposes changes and starts approved ones"),
        Person("approver", "Rafael Okoye", ("approver",), "approves or denies"),
        Person("approver2", "Ines Duarte", ("approver",), "the second vote that production needs"),
        Person("viewer", "Vera Lind", ("viewer",), "looks"),
        Person("auditor", "Noor Haddad", ("auditor",), "reads the history"),
        Person("admin", "Adam Nowak", ("cluster_admin", "access_admin", "policy_admin"), "clusters, access, policies"),
    )


def fill(begun: ExitStack, made: tuple[Person, ...], attach: Callable[[EmulatedCluster, str], None]) -> None:
    """Make the database and all that is in it, by the product's own verbs; emulated clusters end with `begun`.

    `attach` is told of each cluster and its mesh as soon as it runs: it may give it traffic.
    """
    call_command("migrate", interactive=False, verbosity=0)
    for person in made:
        _add_person(person)
    clusters = {}
    for world in WORLDS:
        clusters[world.name] = emulated = world.start(begun)
        attach(emulated, world.mesh)
        _add_cluster(emulated, world.environment)
    work_until(lambda: not Cluster.objects.filter(last_synced_at=None).exists(), "the first sync")
    _roll_a_change_back()
    _apply_a_change()
    _leave_a_change_in_review()
    _edit_by_hand(clusters["ap-south"])


def welcome(url: str, made: tuple[Person, ...], traffic: str) -> str:
    """What the terminal says when all is there; `traffic` is the line about it."""
    lines = [f"  {person.username:9} {person.password}   {person.note}" for person in made]
    start, end = f"MeshUI answers on {url}", "Ctrl-C ends it; nothing of it is kept."
    return "\n".join(["", start, "", *lines, "", traffic, end])


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
        parse_kubeconfig(emulated.token_kubeconfig(emulated.token(HOME, name, seconds=YEAR), name).encode())
        for name in (READER, WRITER)
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
    _applied(change, "approver", "approver2")


def _roll_a_change_back() -> None:
    """Applied in staging and taken back: what was found is there again, and both changes say so."""
    change = _proposed(
        "payments",
        (2_000, 8_000),
        "Move most of payments to v2",
        "v2 books twice as fast.",
        clusters=("eu-west",),
        namespace="payments",
    )
    done = _applied(change, "approver")
    reason = "v2 answers more slowly than v1. Back until we know why."
    back = rollback.propose_rollback(actor=_actor("author"), seen=_seen(done), reason=reason)
    work_until(lambda: State(_again(back).state) == State.APPLIED, "the roll back of payments")


def _edit_by_hand(cluster: EmulatedCluster) -> None:
    """The cluster with a problem: past MeshUI somebody gives v3 more than was approved, and v3 fails there."""

    def shift(route: Json) -> None:
        for backend, weight in zip(route["spec"]["rules"][-1]["backendRefs"], (30, 30, 40), strict=True):
            backend["weight"] = weight

    cluster.edit("HTTPRoute.gateway.networking.k8s.io", "recommendations", "shop", shift)


def _leave_a_change_in_review() -> None:
    change = _proposed(
        "search",
        (6_000, 4_000),
        "Move search to v2 in two steps",
        "First step: 40 %. v2 answers in half the time.",
        clusters=("eu-west", "ap-south"),
    )
    _submitted(change)


def _proposed(
    service: str,
    weights: tuple[int, ...],
    title: str,
    reason: str,
    *,
    clusters: tuple[str, ...],
    namespace: str = "shop",
) -> Change:
    """A planned draft that splits the last rule of `service` by `weights`, in each cluster as its route has it."""
    targets, desired = [], []
    for cluster in clusters:
        stored = StoredRoute.objects.get(cluster__slug=cluster, namespace=namespace, root_service=service)
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


def _applied(change: Change, *approvers: str) -> Change:
    """Through review and into the clusters."""
    change = _approved(_submitted(change), *approvers)
    apply.start_change(actor=_actor("author"), seen=_seen(change))
    work_until(lambda: State(_again(change).state) == State.APPLIED, f"{change.title!r}")
    return _again(change)


def _actor(username: str) -> Actor:
    return actor_for(User.objects.get(username=username), origin="ui")


def _again(change: Change) -> Change:
    return Change.objects.select_related("current_plan").get(pk=change.pk)


def _seen(change: Change) -> Seen:
    now = _again(change)
    return Seen(now.pk, now.version, now.current_plan.digest if now.current_plan else "")
