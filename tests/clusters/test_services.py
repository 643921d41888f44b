"""Verbs of clusters: works, refused, twice, recorded; and what a connection test keeps."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from clusters import services
from clusters.clients import NotSentError, ObjectRef, Resource
from clusters.connect import reader_for, writer_for
from clusters.endpoints import EndpointRefusedError
from clusters.models import Cluster, Credential, Health
from clusters.selectors import credential_faces, get_cluster, list_clusters
from clusters.services import NewCluster
from clusters.types import NEEDS
from meshui.lib import clock
from meshui.lib.errors import DeniedError, GoneError, InvalidError, MissingError, UnavailableError
from tests.clusters.makers import checked, kubeconfig, parsed, register
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import Settings

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
RULES_READ = [
    {
        "apiGroups": [need.group],
        "resources": [need.resource],
        "verbs": list(need.read_verbs),
        **({"resourceNames": list(need.names)} if need.names else {}),
    }
    for need in NEEDS
]


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test calls verbs one after another, as many requests would: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def new(**changed: Any) -> NewCluster:
    """A cluster to add."""
    return replace(NewCluster("EU West", "eu-west", "staging", parsed()), **changed)


def last(action: str) -> Any:
    """The newest event of an action."""
    return list_events(action=action).first()


def test_add_cluster__good__stored_recorded_and_rung(
    admin: User, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks() as rung:
        cluster = services.add_cluster(actor=as_actor(admin), new=new())

    event = last("clusters.cluster.added")
    assert (event.outcome, event.cluster_name, event.actor_name) == ("success", "eu-west", "admin")
    assert cluster.is_observe_only
    assert cluster.next_check_at is not None
    assert [c.role for c in cluster.credentials.all()] == ["reader"]
    assert len(rung) == 2  # the bell of its first test, and that of the pages


def test_add_cluster__used_for_writing__both_roles(admin: User) -> None:
    cluster = services.add_cluster(actor=as_actor(admin), new=new(writes=True))

    assert not cluster.is_observe_only
    assert {c.role for c in cluster.credentials.all()} == {"reader", "writer"}


def test_add_cluster__twice__second_refused_and_recorded(admin: User) -> None:
    services.add_cluster(actor=as_actor(admin), new=new())

    with pytest.raises(InvalidError, match="taken"):
        services.add_cluster(actor=as_actor(admin), new=new())

    assert Cluster.objects.count() == 1
    assert last("clusters.cluster.added").outcome == "denied"


@pytest.mark.parametrize("slug", ["add", "Add", "a b", "-a", "a" * 64, ""])
def test_add_cluster__bad_or_reserved_short_name__refused(admin: User, slug: str) -> None:
    with pytest.raises(InvalidError):
        services.add_cluster(actor=as_actor(admin), new=new(slug=slug))


def test_add_cluster__without_the_right_there__denied_and_nothing_stored(person: Callable[..., User]) -> None:
    maria = person("maria", ["cluster_admin"], scope={"environment": ["production"]})

    with pytest.raises(DeniedError):
        services.add_cluster(actor=as_actor(maria), new=new())

    assert not Cluster.objects.exists()
    event = last("clusters.cluster.added")
    assert (event.outcome, event.object_name) == ("denied", "eu-west")


def test_add_cluster__bad_form_of_address__refused(admin: User) -> None:
    bad = parsed(kubeconfig(server="https://user@example.com"))

    with pytest.raises(EndpointRefusedError):
        services.add_cluster(actor=as_actor(admin), new=new(kubeconfig=bad))


def test_add_cluster__certificate_not_checked__only_observed_for_good(admin: User) -> None:
    unverified = replace(parsed(), skips_tls_verification=True)

    cluster = services.add_cluster(actor=as_actor(admin), new=new(kubeconfig=unverified, writes=True))

    assert cluster.is_tls_unverified
    assert cluster.is_observe_only
    with pytest.raises(InvalidError, match="certificate"):
        services.allow_writes(actor=as_actor(admin), cluster_id=cluster.pk)


def test_require_callable__metadata_address__refused_for_who_may_and_not_looked_up_for_others(
    admin: User, viewer: User
) -> None:
    bad = parsed(kubeconfig(server="https://169.254.169.254"))

    services.require_callable(actor=as_actor(viewer), kubeconfig=bad)

    with pytest.raises(EndpointRefusedError):
        services.require_callable(actor=as_actor(admin), kubeconfig=bad)


def test_replace_credential__twice__one_row_and_no_old_copy(admin: User) -> None:
    cluster = register("eu-west")
    before = Credential.objects.get(cluster=cluster)
    act: dict[str, Any] = {"actor": as_actor(admin), "cluster_id": cluster.pk, "role": "reader", "kubeconfig": parsed()}

    services.replace_credential(**act)
    services.replace_credential(**act)

    after = Credential.objects.get(cluster=cluster)
    assert bytes(after.ciphertext) != bytes(before.ciphertext)
    assert after.created_by_name == "admin"
    assert list_events(action="clusters.credential.replaced").count() == 2


@pytest.mark.parametrize(
    "parts",
    [
        {"server": "https://127.0.0.1:7443"},
        {"cluster": {"tls-server-name": "other"}},
    ],
)
def test_replace_credential__of_another_server__refused(admin: User, parts: dict[str, Any]) -> None:
    cluster = register("eu-west")
    other = parsed(kubeconfig(**parts))

    with pytest.raises(InvalidError, match="another server"):
        services.replace_credential(actor=as_actor(admin), cluster_id=cluster.pk, role="reader", kubeconfig=other)


def test_verbs__out_of_scope_missing_or_without_right__refused(viewer: User, person: Callable[..., User]) -> None:
    cluster = register("eu-west")
    blind = person("maria", ["cluster_admin"], scope={"environment": ["production"]})

    for verb in (services.request_check, services.allow_writes, services.forbid_writes):
        with pytest.raises(DeniedError):
            verb(actor=as_actor(viewer), cluster_id=cluster.pk)
        with pytest.raises(MissingError):
            verb(actor=as_actor(blind), cluster_id=cluster.pk)
        with pytest.raises(MissingError):
            verb(actor=as_actor(viewer), cluster_id=uuid.uuid4())
    assert set(list_events().filter(outcome="denied").values_list("action", flat=True)) == {
        "clusters.check.requested",
        "clusters.writes.allowed",
        "clusters.writes.forbidden",
    }


def test_allow_writes__no_writer__refused(admin: User) -> None:
    cluster = register("eu-west")

    with pytest.raises(InvalidError, match="writer"):
        services.allow_writes(actor=as_actor(admin), cluster_id=cluster.pk)
    with pytest.raises(GoneError, match="only observes"):
        writer_for(cluster)


def test_check__good_server__healthy_known_and_due_for_reading(eu_west: EmulatedCluster) -> None:
    cluster = checked(register("eu-west", text=eu_west.admin_kubeconfig(), writes=True))

    assert cluster.health == Health.HEALTHY
    assert cluster.identity_uid == eu_west.uid
    assert cluster.server_version == eu_west.server.git_version
    assert cluster.api_latency_ms is not None
    assert cluster.next_sync_at is not None
    assert {row["role"] for row in cluster.access} == {"reader", "writer"}
    assert "list secrets" in {row["label"] for row in cluster.access if row["state"] == "excess"}
    assert last("clusters.cluster.checked").reason == ""


def test_check__twice_in_a_row__second_is_not_due_and_adds_no_event(eu_west: EmulatedCluster) -> None:
    cluster = checked(register("eu-west", text=eu_west.admin_kubeconfig()))
    asked = len(eu_west.server.requests)

    services.check_cluster(cluster.pk)
    at_once = len(eu_west.server.requests) - asked
    clock.shift_for_tests(timedelta(seconds=40))
    services.check_cluster(cluster.pk)

    assert at_once == 0
    assert len(eu_west.server.requests) - asked == 2
    assert list_events(action="clusters.cluster.checked").count() == 1


def test_check__rights_missing__degraded_and_named(eu_west: EmulatedCluster) -> None:
    eu_west.grant("poor", RULES_READ[:2])

    cluster = checked(register("eu-west", text=eu_west.kubeconfig("poor")))

    assert cluster.health == Health.DEGRADED
    assert "get, list, watch virtualservices.networking.istio.io (reader)" in cluster.health_reason


def test_check__just_the_rights_needed__healthy_without_warning(eu_west: EmulatedCluster) -> None:
    eu_west.grant("fair", RULES_READ)

    cluster = checked(register("eu-west", text=eu_west.kubeconfig("fair")))

    assert (cluster.health, cluster.health_reason) == (Health.HEALTHY, "")
    assert {row["state"] for row in cluster.access} <= {"allowed", "not_served"}


def test_check__server_down_and_up_again__unreachable_since_then_healthy(
    emulate: Callable[..., EmulatedCluster],
) -> None:
    server = emulate("west")
    cluster = checked(register("west", text=server.admin_kubeconfig()))
    server.stop()

    down = checked(cluster)
    state = (down.health, bool(down.unreachable_since), bool(down.health_reason), down.identity_uid)
    since = down.unreachable_since
    still = checked(cluster).unreachable_since
    server.start()
    up = checked(cluster)

    assert state == (Health.UNREACHABLE, True, True, server.uid)
    assert still == since
    assert (up.health, up.unreachable_since) == (Health.HEALTHY, None)
    assert list_events(action="clusters.cluster.checked").count() == 3


def test_check__token_revoked__credential_rejected(eu_west: EmulatedCluster) -> None:
    text = eu_west.kubeconfig("ada", ["system:masters"])
    cluster = register("eu-west", text=text)
    eu_west.server.revoke_token(parsed(text).token.reveal())

    assert checked(cluster).health == Health.CREDENTIAL_REJECTED


def test_check__another_cluster_answers__identity_changed_and_writes_blocked(eu_west: EmulatedCluster) -> None:
    cluster = checked(register("eu-west", text=eu_west.admin_kubeconfig(), writes=True))
    Cluster.objects.filter(pk=cluster.pk).update(identity_uid="the-old-one")

    changed = checked(cluster)

    assert changed.health == Health.IDENTITY_CHANGED
    assert changed.identity_uid == "the-old-one"
    assert last("clusters.identity.changed").outcome == "failure"
    with pytest.raises(GoneError, match="another cluster"):
        writer_for(changed)
    assert reader_for(changed).version().git_version


def test_check__another_ca__identity_changed(eu_west: EmulatedCluster) -> None:
    cluster = register("eu-west", text=eu_west.admin_kubeconfig())
    Cluster.objects.filter(pk=cluster.pk).update(ca_fingerprint="0" * 64)

    assert checked(cluster).health == Health.IDENTITY_CHANGED


def test_sweep__due_and_not_due__rings_for_the_due(run_rung: Callable[[], int]) -> None:
    due, later = register("due"), register("later")
    Cluster.objects.filter(pk=later.pk).update(next_check_at=clock.db_now(plus=100))

    assert services.ring_due() == 1
    assert list(services.due_checks()) == [due]


def test_reader_for__no_credential__says_so() -> None:
    cluster = register("eu-west")
    Credential.objects.all().delete()

    with pytest.raises(UnavailableError, match="no reader credential"):
        reader_for(cluster)


def test_reader_for__name_no_longer_allowed__refused_at_the_call_not_before(settings: Settings) -> None:
    cluster = register("eu-west")
    settings.ALLOW_LOOPBACK = False

    reader = reader_for(cluster)

    with pytest.raises(NotSentError, match="loopback"):
        reader.version()


def test_writer_for__client_certificate__signs_in_through_memory(eu_west: EmulatedCluster) -> None:
    cluster = register("eu-west", text=eu_west.admin_kubeconfig(certificate=True), writes=True)
    reference = ObjectRef(
        Resource("networking.istio.io", "v1", "virtualservices", "VirtualService"), "shop", "checkout"
    )

    assert writer_for(cluster).read(reference) is not None


def test_list_clusters__scope__two_queries_and_only_its_own(
    person: Callable[..., User], django_assert_max_num_queries: Callable[..., Any]
) -> None:
    register("mine", environment="staging")
    register("theirs", environment="production")
    maria = person("maria", ["viewer"], scope={"environment": ["staging"]})

    with django_assert_max_num_queries(4):
        found = [(cluster.slug, len(cluster.credentials.all())) for cluster in list_clusters(maria)]

    assert found == [("mine", 1)]
    with pytest.raises(MissingError):
        get_cluster(maria, "theirs")


def test_credential_faces__soon_over_and_over__toned(viewer: User) -> None:
    for slug, days, tone in (("a", 30, ""), ("b", 10, "warn"), ("c", -1, "crit")):
        cluster = register(slug)
        Credential.objects.filter(cluster=cluster).update(expires_at=clock.now() + timedelta(days=days))

        faces = credential_faces(get_cluster(viewer, slug))

        assert [face.tone for face in faces] == [tone]
