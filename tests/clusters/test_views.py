"""Pages of clusters: list, registering, one cluster, its credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from zeal import zeal_ignore

from audit.selectors import list_events
from clusters.models import Cluster, Credential
from clusters.services import check_cluster
from tests.clusters.makers import PARTIAL, kubeconfig, register, without_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.test import Client

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
LIST = "/clusters/"
ADD = "/clusters/add/"


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


def filled(**changed: object) -> dict[str, object]:
    """What the add form sends."""
    return {"name": "EU West", "slug": "eu-west", "environment": "staging", "text": kubeconfig()} | changed


def test_list__no_cluster__says_what_to_do(client: Client, admin: User, viewer: User) -> None:
    client.force_login(admin)
    of_admin = client.get(LIST).content.decode()
    client.force_login(viewer)
    of_viewer = client.get(LIST).content.decode()

    assert "No cluster yet" in of_admin
    assert ADD in of_admin
    assert "A Cluster admin can register one" in of_viewer
    assert ADD not in of_viewer


def test_list__other_scope__shows_and_counts_only_its_own(client: Client, person: Callable[..., User]) -> None:
    register("eu-west", environment="staging")
    register("us-east", environment="production")
    client.force_login(person("maria", ["viewer"], scope={"environment": ["staging"]}))

    page = client.get(LIST).content.decode()

    assert "eu-west" in page
    assert "us-east" not in page
    assert "1 cluster, worst first" in page


def test_list__filtered__is_a_partial_for_htmx(client: Client, viewer: User) -> None:
    register("eu-west")
    register("us-east")
    client.force_login(viewer)

    page = client.get(LIST, {"q": "east", "health": "unknown"}, headers=PARTIAL).content.decode()
    none = client.get(LIST, {"q": "nothing"}).content.decode()

    assert "us-east" in page
    assert "eu-west" not in page
    assert "<html" not in page
    assert "No cluster matches these filters" in none


def test_list__many_clusters__constant_queries(
    client: Client, viewer: User, count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    for number in range(12):
        register(f"c{number}")
    client.force_login(viewer)

    with count_queries("cluster-list"):
        client.get(LIST)


def test_list__nobody_with_a_grant__refused(client: Client, stranger: User) -> None:
    client.force_login(stranger)

    assert client.get(LIST).status_code == 403
    assert client.get(ADD).status_code == 403


def test_detail__one_cluster__shows_its_state_without_secret(
    client: Client, viewer: User, count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    cluster = register("eu-west", writes=True)
    Cluster.objects.filter(pk=cluster.pk).update(
        health="degraded",
        health_reason="The credential may not patch it.",
        access=[
            {"role": "reader", "label": "services", "state": "denied", "missing": ["list"], "where": ["shop"]},
            {"role": "reader", "label": "list secrets", "state": "excess", "missing": [], "where": []},
        ],
    )
    client.force_login(viewer)

    with count_queries("cluster-detail"):
        page = client.get("/clusters/eu-west/").content.decode()

    assert "The credential may not patch it." in page
    assert "No services; routes are shown without them." in page
    assert "list in shop" in page
    assert "more than needed" in page
    assert "Test connection" not in page
    assert "canary-token" not in page


def test_detail__other_scope_and_missing__both_404(client: Client, person: Callable[..., User]) -> None:
    register("us-east", environment="production")
    client.force_login(person("maria", ["cluster_admin"], scope={"environment": ["staging"]}))

    for path in ("", "health/", "credential/"):
        assert client.get(f"/clusters/us-east/{path}").status_code == 404
        assert client.get(f"/clusters/no-such/{path}").status_code == 404
    for path in ("check/", "allow-writes/", "forbid-writes/"):
        assert client.post(f"/clusters/us-east/{path}").status_code == 404


def test_health__asked_by_htmx__is_the_card_alone(client: Client, viewer: User) -> None:
    register("eu-west")
    client.force_login(viewer)

    part = client.get("/clusters/eu-west/health/", headers=PARTIAL).content.decode()
    whole = client.get("/clusters/eu-west/health/").content.decode()

    assert 'id="health"' in part
    assert "<html" not in part
    assert "<html" in whole


@pytest.mark.parametrize("way", ["text", "upload"])
def test_add__good_kubeconfig__registered_and_rung(client: Client, admin: User, way: str) -> None:
    client.force_login(admin)
    sent = filled()
    if way == "upload":
        sent |= {"text": "", "upload": SimpleUploadedFile("config", kubeconfig().encode())}

    answer = client.post(ADD, sent)

    cluster = Cluster.objects.get()
    assert answer.status_code == 303
    assert answer["Location"] == reverse("clusters:cluster-detail", args=["eu-west"])
    assert (cluster.name, cluster.environment, cluster.is_observe_only) == ("EU West", "staging", True)
    assert [c.role for c in cluster.credentials.all()] == ["reader"]


def test_add__faults__all_shown_and_the_secret_not_sent_back(client: Client, admin: User) -> None:
    client.force_login(admin)
    text = kubeconfig(user={"exec": {"command": "id"}, "tokenFile": "/etc/passwd", "token": "canary-token"})

    answer = client.post(ADD, filled(text=text, name="Kept name"))

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "users[u].user.exec" in page
    assert "users[u].user.tokenFile" in page
    assert "create token meshui-reader" in page
    assert "Kept name" in page
    assert "canary-token" not in page
    assert not Cluster.objects.exists()


def test_add__several_contexts__chooser_says_which_can_be_added(client: Client, admin: User) -> None:
    client.force_login(admin)
    text = without_context(kubeconfig())

    chooser = client.post(ADD, filled(text=text), headers=PARTIAL)
    chosen = client.post(ADD, filled(text=text, context="good"))

    page = chooser.content.decode()
    assert chooser.status_code == 422
    assert 'id="answer"' in page
    assert "Can be added." in page
    assert "Cannot be added:" in page
    assert "canary-token" not in page
    assert chosen.status_code == 303


def test_add__address_that_is_never_called__refused_with_reason(client: Client, admin: User) -> None:
    client.force_login(admin)

    answer = client.post(ADD, filled(text=kubeconfig(server="https://169.254.169.254")))

    assert answer.status_code == 422
    assert "metadata" in answer.content.decode()
    assert not Cluster.objects.exists()


def test_add__without_the_right__denied_and_recorded(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    answer = client.post(ADD, filled())

    assert answer.status_code == 403
    assert not Cluster.objects.exists()
    assert list_events(action="clusters.cluster.added").get().outcome == "denied"


def test_add__neither_text_nor_file__asks_for_one(client: Client, admin: User) -> None:
    client.force_login(admin)

    answer = client.post(ADD, filled(text=""))

    assert answer.status_code == 422
    assert "Give one kubeconfig" in answer.content.decode()


def test_credential__new_writer__stored_and_writes_allowed_by_a_second_act(client: Client, admin: User) -> None:
    cluster = register("eu-west")
    client.force_login(admin)

    too_early = client.post("/clusters/eu-west/allow-writes/")
    replaced = client.post("/clusters/eu-west/credential/", {"role": "writer", "text": kubeconfig()})
    allowed = client.post("/clusters/eu-west/allow-writes/")
    cluster.refresh_from_db()
    is_observed_then = cluster.is_observe_only
    client.post("/clusters/eu-west/forbid-writes/")
    cluster.refresh_from_db()

    assert (too_early.status_code, replaced.status_code, allowed.status_code) == (422, 303, 303)
    assert not is_observed_then
    assert cluster.is_observe_only
    assert Credential.objects.filter(role="writer").count() == 1


def test_check__posted__is_due_at_once(client: Client, admin: User, eu_west: EmulatedCluster) -> None:
    cluster = register("eu-west", text=eu_west.admin_kubeconfig())
    check_cluster(cluster.pk)
    client.force_login(admin)

    answer = client.post("/clusters/eu-west/check/")
    check_cluster(cluster.pk)

    page = client.get("/clusters/eu-west/").content.decode()
    assert answer.status_code == 303
    assert "Healthy" in page
    assert "more than needed" in page


def test_rights_file__asked_for__is_a_download(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    answer = client.get("/clusters/meshui-rbac.yaml")

    assert answer["Content-Type"] == "application/octet-stream"
    assert "attachment" in answer["Content-Disposition"]
    assert b"meshui-reader" in answer.content
