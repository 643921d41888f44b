"""Whose identity a cluster goes by, how far it is read, and how it is removed and comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from audit.selectors import get_event, list_events
from clusters import connect, removal, services
from clusters.connect import reader_for, writer_for
from clusters.models import Cluster, Credential, Health
from clusters.selectors import list_clusters
from clusters.services import NewCluster
from meshui.lib.errors import DeniedError, GoneError, InvalidError, MissingError, StaleError
from tests.clusters.makers import checked, pair, parsed, register
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test calls verbs one after another, as many requests would: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def last(action: str) -> Any:
    """The newest event of an action."""
    return list_events(action=action).first()


def rebuilt(server: EmulatedCluster) -> str:
    """The cluster is made anew behind the same address and CA; its uid now."""
    server.server.become_another()
    return server.uid


@pytest.fixture
def changed(eu_west: EmulatedCluster) -> Cluster:
    """A cluster that may be written to, and behind whose address another one answers by now."""
    cluster = checked(register("eu-west", text=eu_west.admin_kubeconfig(), writes=True))
    rebuilt(eu_west)
    return checked(cluster)


def test_identity__rebuilt_behind_its_address__kept_beside_what_it_was_and_blocks_writes(
    changed: Cluster, eu_west: EmulatedCluster
) -> None:
    assert changed.health == Health.IDENTITY_CHANGED
    assert changed.identity_uid not in {"", eu_west.uid}
    assert (changed.found_uid, changed.found_ca_fingerprint) == (eu_west.uid, changed.ca_fingerprint)
    assert changed.next_sync_at is None
    with pytest.raises(GoneError, match="another cluster than before"):
        writer_for(changed)


def test_identity__changed_one_falls_silent__stays_changed_and_blocks(
    changed: Cluster, eu_west: EmulatedCluster
) -> None:
    eu_west.stop()

    silent = checked(changed)
    state = (silent.health, silent.found_uid, silent.unreachable_since is not None)
    with pytest.raises(GoneError, match="another cluster"):
        writer_for(silent)
    eu_west.start()
    again = checked(silent)

    assert state == (Health.IDENTITY_CHANGED, eu_west.uid, True)
    assert (again.health, again.unreachable_since) == (Health.IDENTITY_CHANGED, None)


def test_identity__the_one_before_answers_again__as_if_nothing_was(changed: Cluster, eu_west: EmulatedCluster) -> None:
    Cluster.objects.filter(pk=changed.pk).update(identity_uid=eu_west.uid)

    back = checked(changed)

    assert (back.health, back.found_uid, back.found_ca_fingerprint) == (Health.HEALTHY, "", "")
    assert back.next_sync_at is not None
    assert writer_for(back).identity().uid == eu_west.uid


def test_adopt__as_it_was_seen__writes_open_and_both_identities_in_the_history(
    changed: Cluster, eu_west: EmulatedCluster, admin: User
) -> None:
    before = changed.identity_uid

    services.adopt_identity(
        actor=as_actor(admin), cluster_id=changed.pk, uid=changed.found_uid, reason=" Rebuilt on purpose. "
    )
    adopted = checked(changed)

    recorded = last("clusters.identity.adopted")
    event = get_event(recorded.seq).details
    assert (adopted.health, adopted.identity_uid, adopted.found_uid) == (Health.HEALTHY, eu_west.uid, "")
    assert adopted.next_sync_at is not None
    assert writer_for(adopted).identity().uid == eu_west.uid
    assert recorded.reason == "Rebuilt on purpose."
    assert (event["before"]["uid"], event["after"]["uid"]) == (before, eu_west.uid)


def test_adopt__another_ca__by_the_same_way(eu_west: EmulatedCluster, admin: User) -> None:
    cluster = checked(register("eu-west", text=eu_west.admin_kubeconfig()))
    known = parsed(eu_west.admin_kubeconfig())
    wider = replace(known, ca_pem=known.ca_pem + pair("next CA")[0].decode())
    act: dict[str, Any] = {"actor": as_actor(admin), "cluster_id": cluster.pk}

    services.replace_credential(**act, role="reader", kubeconfig=wider)
    moved = checked(cluster)
    was, moved_to, why = moved.ca_fingerprint, moved.health, moved.health_reason
    services.adopt_identity(**act, uid=moved.found_uid, reason="The CA is being replaced.")
    adopted = checked(moved)

    assert moved_to == Health.IDENTITY_CHANGED
    assert "another CA" in why
    assert (adopted.health, adopted.ca_fingerprint == was) == (Health.HEALTHY, False)


def test_adopt__nothing_yet_another_no_reason_or_no_right__refused(
    changed: Cluster, eu_west: EmulatedCluster, admin: User, viewer: User
) -> None:
    act: dict[str, Any] = {"cluster_id": changed.pk, "uid": changed.found_uid, "reason": "Rebuilt."}
    other = register("other")

    with pytest.raises(DeniedError):
        services.adopt_identity(actor=as_actor(viewer), **act)
    with pytest.raises(InvalidError, match="Say why"):
        services.adopt_identity(actor=as_actor(admin), **(act | {"reason": " "}))
    with pytest.raises(StaleError, match="Yet another cluster"):
        services.adopt_identity(actor=as_actor(admin), **(act | {"uid": "seen-yesterday"}))
    with pytest.raises(GoneError, match="has not changed"):
        services.adopt_identity(actor=as_actor(admin), **(act | {"cluster_id": other.pk}))
    changed.refresh_from_db()
    assert changed.health == Health.IDENTITY_CHANGED


def test_adopt__on_its_page__compares_asks_why_and_goes_on(client: Client, changed: Cluster, admin: User) -> None:
    client.force_login(admin)
    page = "/clusters/eu-west/adopt/"

    asked = client.get(page).content.decode()
    no_reason = client.post(page, {"uid": changed.found_uid, "reason": ""})
    stale = client.post(page, {"uid": "seen-yesterday", "reason": "Rebuilt."})
    done = client.post(page, {"uid": changed.found_uid, "reason": "Rebuilt."})

    assert changed.identity_uid in asked
    assert changed.found_uid in asked
    assert (no_reason.status_code, stale.status_code, done.status_code) == (422, 412, 303)
    assert "Yet another cluster answers by now" in stale.content.decode()
    changed.refresh_from_db()
    assert changed.found_uid == ""


def test_adopt__nothing_changed__page_says_so_and_offers_no_form(client: Client, admin: User) -> None:
    register("eu-west")
    client.force_login(admin)

    page = client.get("/clusters/eu-west/adopt/").content.decode()

    assert "there is nothing to adopt" in page
    assert 'name="reason"' not in page


def test_remove__cluster__forgotten_at_once_and_its_history_stays(
    eu_west: EmulatedCluster, admin: User, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    cluster = checked(register("eu-west", text=eu_west.admin_kubeconfig(), writes=True))
    assert reader_for(cluster).identity().uid == eu_west.uid
    asked = len(eu_west.server.requests)

    with django_capture_on_commit_callbacks(execute=True):
        services.remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="It was torn down.")
    services.check_cluster(cluster.pk)

    gone = Cluster.everything.get(pk=cluster.pk)
    assert not Credential.objects.exists()
    assert (list(list_clusters(admin)), services.ring_due(), services.ring_probes()) == ([], 0, False)
    assert (gone.is_observe_only, gone.access, gone.identity_uid) == (True, [], eu_west.uid)
    assert not any(key[0] == str(cluster.pk) for key in connect._transports)
    assert len(eu_west.server.requests) == asked
    assert last("clusters.cluster.removed").reason == "It was torn down."
    assert last("clusters.cluster.added").cluster_name == "eu-west"


def test_remove__somebody_objects__refused_with_the_reason_and_all_stays(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = register("eu-west")
    said: list[str] = []
    monkeypatch.setattr(removal, "_objections", [lambda _cluster: "CR-7 is open there.", lambda _cluster: ""])
    monkeypatch.setattr(removal, "_farewells", [lambda row: said.append(row.slug)])

    with pytest.raises(GoneError, match="CR-7 is open there"):
        services.remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="Gone.")
    refused = list(said)
    monkeypatch.setattr(removal, "_objections", [])
    services.remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="Gone.")

    assert (refused, said) == ([], ["eu-west"])
    assert list_events(action="clusters.cluster.removed").filter(outcome="denied").count() == 1


def test_removal__registered_twice__called_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_objections", [])
    monkeypatch.setattr(removal, "_farewells", [])
    heard: list[str] = []

    def objects(cluster: Cluster) -> str:
        return f"{cluster.slug} is used."

    def follows(cluster: Cluster) -> None:
        heard.append(cluster.slug)

    for _ in range(2):
        removal.object_to_removal(objects)
        removal.follow_removal(follows)
    cluster = register("eu-west")
    removal.say_farewell(cluster)

    assert removal.objections(cluster) == ["eu-west is used."]
    assert heard == ["eu-west"]


def test_remove__no_reason_no_right_or_gone__refused(admin: User, viewer: User) -> None:
    cluster = register("eu-west")
    act: dict[str, Any] = {"cluster_id": cluster.pk, "reason": "Gone."}

    with pytest.raises(DeniedError):
        services.remove_cluster(actor=as_actor(viewer), **act)
    with pytest.raises(InvalidError, match="Say why"):
        services.remove_cluster(actor=as_actor(admin), **(act | {"reason": ""}))
    services.remove_cluster(actor=as_actor(admin), **act)
    with pytest.raises(MissingError):
        services.remove_cluster(actor=as_actor(admin), **act)


def test_remove__on_its_page__says_what_happens_and_asks_why(client: Client, admin: User, viewer: User) -> None:
    register("eu-west")
    client.force_login(admin)
    page = "/clusters/eu-west/remove/"

    asked = client.get(page).content.decode()
    no_reason = client.post(page, {"reason": ""})
    done = client.post(page, {"reason": "It was torn down."})
    listed = client.get(done["Location"]).content.decode()

    assert "Its credentials are erased at once" in asked
    assert (no_reason.status_code, done.status_code) == (422, 303)
    assert "No cluster yet" in listed
    assert client.get("/clusters/eu-west/").status_code == 404
    client.force_login(viewer)
    assert client.get(page).status_code in {403, 404}


def test_add__short_name_of_a_removed_one__comes_back_and_must_be_the_same_cluster(
    eu_west: EmulatedCluster, us_east: EmulatedCluster, admin: User
) -> None:
    cluster = checked(register("eu-west", text=eu_west.admin_kubeconfig()))
    services.remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="For a while.")
    came_back = checked(register("eu-west", text=eu_west.admin_kubeconfig())).health
    services.remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="For good.")

    other = checked(register("eu-west", text=us_east.admin_kubeconfig()))

    assert (other.pk, came_back) == (cluster.pk, Health.HEALTHY)
    assert (other.health, other.identity_uid, other.found_uid) == (Health.IDENTITY_CHANGED, eu_west.uid, us_east.uid)


def test_add__short_name_of_a_removed_one_elsewhere__taken(admin: User, person: Callable[..., User]) -> None:
    cluster = register("eu-west", environment="production")
    services.remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="Gone.")
    maria = person("maria", ["cluster_admin"], scope={"environment": ["staging"]})

    with pytest.raises(InvalidError, match="taken"):
        services.add_cluster(actor=as_actor(maria), new=NewCluster("EU", "eu-west", "staging", parsed()))


def test_namespaces__set__kept_sorted_recorded_and_due(admin: User) -> None:
    cluster = register("eu-west", namespaces=("shop",))

    services.set_namespaces(actor=as_actor(admin), cluster_id=cluster.pk, namespaces=["shop", "payments", "shop"])

    cluster.refresh_from_db()
    event = get_event(last("clusters.namespaces.set").seq).details
    assert cluster.read_namespaces == ("payments", "shop")
    assert (event["before"], event["after"]) == (["shop"], ["payments", "shop"])
    assert cluster.next_sync_at is not None


@pytest.mark.parametrize("names", [["Not one"], ["a" * 64], [f"n{number}" for number in range(51)]])
def test_namespaces__no_names_or_too_many__refused(admin: User, names: list[str]) -> None:
    cluster = register("eu-west")

    with pytest.raises(InvalidError, match="namespace"):
        services.set_namespaces(actor=as_actor(admin), cluster_id=cluster.pk, namespaces=names)


def test_namespaces__on_its_page__kept_or_said_why_not(client: Client, admin: User) -> None:
    cluster = register("eu-west", namespaces=("shop",))
    client.force_login(admin)
    page = "/clusters/eu-west/namespaces/"

    asked = client.get(page).content.decode()
    bad = client.post(page, {"namespaces": "shop, Not_one"})
    done = client.post(page, {"namespaces": "shop,\npayments"})

    cluster.refresh_from_db()
    assert ">\nshop</textarea>" in asked
    assert (bad.status_code, done.status_code) == (422, 303)
    assert cluster.read_namespaces == ("payments", "shop")
