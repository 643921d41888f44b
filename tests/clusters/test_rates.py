"""How often a person may bring a credential or test a cluster: counted in rows, answered with 429."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from clusters import services
from clusters.errors import TooOftenError
from clusters.models import Cluster, Tally
from clusters.services.rates import INTAKES, TESTS
from meshui.lib import clock
from tests.clusters.makers import PARTIAL, kubeconfig, register
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
BAD = {"name": "EU West", "slug": "eu-west", "environment": "staging", "text": "not a kubeconfig"}


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test asks again and again on purpose: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.mark.parametrize("page", ["/clusters/add/", "/clusters/add/address/", "/clusters/add/in-cluster/"])
def test_intake__eleventh_within_a_minute__429_with_when_and_nothing_looked_at(
    client: Client, admin: User, page: str
) -> None:
    client.force_login(admin)

    codes = [client.post(page, BAD).status_code for _ in range(INTAKES)]
    refused = client.post(page, BAD | {"text": kubeconfig()})
    partial = client.post(page, BAD, headers=PARTIAL)

    assert set(codes) == {422}
    assert (refused.status_code, partial.status_code) == (429, 429)
    assert 0 < int(refused["Retry-After"]) <= 60
    assert f"You sent {INTAKES} credentials within a minute." in partial.content.decode()
    assert not Cluster.objects.exists()


def test_intake__ways_and_replacing__counted_together_and_by_person(
    client: Client, admin: User, person: Callable[..., User]
) -> None:
    register("eu-west")
    client.force_login(admin)
    for page in ("/clusters/add/", "/clusters/add/address/", "/clusters/eu-west/credential/") * 3:
        client.post(page, BAD)
    client.post("/clusters/eu-west/credential/address/", BAD)

    mine = client.post("/clusters/add/", BAD).status_code
    client.force_login(person("maria", ["cluster_admin"]))
    hers = client.post("/clusters/add/", BAD).status_code

    assert (mine, hers) == (429, 422)


def test_intake__a_minute_later__taken_again(admin: User) -> None:
    for _ in range(INTAKES):
        services.count_intake(actor=as_actor(admin))
    with pytest.raises(TooOftenError) as refused:
        services.count_intake(actor=as_actor(admin))

    clock.shift_for_tests(timedelta(seconds=refused.value.retry_after + 1))
    services.count_intake(actor=as_actor(admin))

    assert Tally.objects.count() == 1


def test_check__seventh_within_a_minute__429_and_other_clusters_go_on(client: Client, admin: User) -> None:
    register("eu-west")
    register("us-east")
    client.force_login(admin)

    codes = [client.post("/clusters/eu-west/check/").status_code for _ in range(TESTS)]
    refused = client.post("/clusters/eu-west/check/")

    assert set(codes) == {303}
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 60
    assert f"eu-west was tested {TESTS} times within a minute." in refused.content.decode()
    assert client.post("/clusters/us-east/check/").status_code == 303


def test_check__by_who_may_not__refused_and_keeps_nobody_from_it(client: Client, admin: User, viewer: User) -> None:
    register("eu-west")
    client.force_login(viewer)

    codes = {client.post("/clusters/eu-west/check/").status_code for _ in range(TESTS + 1)}
    client.force_login(admin)

    assert codes == {403}
    assert client.post("/clusters/eu-west/check/").status_code == 303
    assert client.post("/clusters/no-such/check/").status_code == 404
