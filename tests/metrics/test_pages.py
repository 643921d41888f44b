"""The page of a cluster's metrics: where numbers come from, how it goes, and who may set it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from meshui.lib.clock import now
from metrics.models import Collector, Source, SourceKind
from tests.people import make_person
from tests.traffic.factories import make_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster

pytestmark = pytest.mark.django_db
PAGE = "/clusters/eu-west/metrics/"
SET = f"{PAGE}source/"
AT = {"kind": "url", "url": "https://prometheus.example.org"}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture(autouse=True)
def eu() -> Cluster:
    """A cluster."""
    return make_cluster()


def problem(cluster: Cluster, words: str) -> None:
    """Its last round went like that."""
    Collector.objects.create(cluster=cluster, next_at=now(), minute_at=now(), problem=words, source="0 of 9 proxies")


def test_page__nothing_set__found_by_itself_and_says_what_it_needs(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    page = client.get(PAGE).content.decode()

    assert "A Prometheus found in the cluster, else its proxies" in page
    assert "never yet" in page
    assert SET not in page


def test_page__round_had_a_problem__in_words(client: Client, viewer: User, eu: Cluster) -> None:
    problem(eu, "Pods may not be listed: apply the manifest with metrics.")
    client.force_login(viewer)

    assert "Pods may not be listed" in client.get(PAGE).content.decode()


def test_set__prometheus_by_address__kept_recorded_and_its_secret_never_shown(client: Client, admin: User) -> None:
    client.force_login(admin)

    answer = client.post(
        SET, {**AT, "auth": "bearer", "secret": "canary-token", "labels": "cluster=eu-west"}, follow=True
    )

    source = Source.objects.get()
    assert (source.kind, source.url, source.labels) == (SourceKind.URL, AT["url"], {"cluster": "eu-west"})
    assert "canary-token" not in answer.content.decode()
    assert "Set. The next measurement" in answer.content.decode()
    assert list_events(action="metrics.source.set").get().outcome == "success"


def test_set__service_in_the_cluster__fields_of_an_address_left_aside(client: Client, admin: User) -> None:
    client.force_login(admin)
    wanted = {"kind": "service", "namespace": "monitoring", "service": "prometheus", "port": "9091", "auth": "bearer"}

    assert client.post(SET, {**wanted, "secret": "left-over"}).status_code == 303

    source = Source.objects.get()
    assert (source.namespace, source.service, source.port, source.auth) == ("monitoring", "prometheus", 9091, "")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"kind": "url"}, "This source needs it."),
        ({"kind": "service", "namespace": "monitoring"}, "This source needs it."),
        ({**AT, "labels": "cluster"}, "Write each as name=value"),
        ({"kind": "nonsense"}, "Select a valid choice"),
        ({**AT, "url": "http://prometheus.example.org"}, "https"),
        ({**AT, "auth": "bearer"}, "Give both"),
    ],
)
def test_set__does_not_go__says_why_and_keeps_what_was_written(
    client: Client, admin: User, wanted: dict[str, Any], words: str
) -> None:
    client.force_login(admin)

    answer = client.post(SET, wanted)

    assert answer.status_code in {400, 403, 422}
    assert words in answer.content.decode()
    assert wanted.get("labels", "") in answer.content.decode()
    assert not Source.objects.exists()


def test_set__by_who_only_reads__refused_and_nothing_is_set(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    assert client.post(SET, AT).status_code == 403
    assert not Source.objects.exists()


def test_page__other_scope__as_if_it_were_not_there(client: Client) -> None:
    client.force_login(make_person("other", ["cluster_admin"], scope={"cluster": ["us-east"]}))

    assert [client.get(PAGE).status_code, client.post(SET, AT).status_code] == [404, 404]
    assert not Source.objects.exists()
