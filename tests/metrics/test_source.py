"""Where the metrics of a cluster come from: set by who may, stored as credentials are, recorded without the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from audit.types import SYSTEM
from clusters.connect import metrics_transport
from clusters.endpoints import EndpointRefusedError, parse_service_url
from clusters.models import Credential
from clusters.secrets import CredentialUnreadableError, Secret, open_sealed
from clusters.services import remove_cluster, rotate_credentials
from meshes.types import Grain
from meshui.lib.clock import read_db_now
from meshui.lib.errors import DeniedError, InvalidError, MissingError, UnavailableError
from metrics.models import Collector, Point, Series, Source
from metrics.promql import UnsafeQueryError
from metrics.providers import reach
from metrics.selectors import source_face
from metrics.services import SourceSettings, set_source
from metrics.services.keeping import keep
from metrics.types import Golden, Measurement, Name
from tests.clusters.makers import register, registrar
from tests.people import as_actor, make_person

if TYPE_CHECKING:
    from pytest_django import Settings

    from clusters.models import Cluster
    from tests.metrics.front import Front

pytestmark = pytest.mark.django_db
CANARY = "canary-metrics-token"


def url_settings(**changes: object) -> SourceSettings:
    """A Prometheus by its address, signed in to by a token."""
    given: dict[str, object] = {"kind": "url", "url": "https://prom.example.org/x", "auth": "bearer"}
    given |= {"secret": Secret(CANARY), **changes}
    return SourceSettings(**given)  # type: ignore[arg-type]  # of a table


def test_set_source__address_and_token__stored_encrypted_and_recorded_without_it(shop: Cluster) -> None:
    source = set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=url_settings(labels={"cluster": "eu"}))

    credential = Credential.objects.get(cluster=shop, role="metrics")
    assert (source.kind, source.url, source.auth, source.labels) == (
        "url",
        "https://prom.example.org/x",
        "bearer",
        {"cluster": "eu"},
    )
    assert CANARY.encode() not in bytes(credential.ciphertext)
    event = list_events(action="metrics.source.set").get()
    assert event.outcome == "success"
    assert CANARY not in str(event.__dict__)
    assert source_face(shop).label == "A Prometheus by its address"


def test_set_source__its_credential__is_bound_to_its_row(shop: Cluster, settings: Settings) -> None:
    set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=url_settings())
    sealed = bytes(Credential.objects.get(cluster=shop, role="metrics").ciphertext)
    keys = settings.CREDENTIAL_KEYS

    opened = open_sealed(sealed, cluster_id=str(shop.pk), role="metrics", keys=keys)

    assert opened.token.reveal() == CANARY
    for moved in ({"cluster_id": "other", "role": "metrics"}, {"cluster_id": str(shop.pk), "role": "reader"}):
        with pytest.raises(CredentialUnreadableError):
            open_sealed(sealed, **moved, keys=keys)


def test_set_source__again_without_token__what_opened_it_is_erased(shop: Cluster) -> None:
    actor = as_actor(registrar())
    set_source(actor=actor, cluster_id=shop.pk, wanted=url_settings())

    with zeal_ignore():  # one act after another
        set_source(actor=actor, cluster_id=shop.pk, wanted=SourceSettings("proxies"))

    source = Source.objects.get(cluster=shop)
    assert (source.kind, source.url, source.auth) == ("proxies", "", "")
    assert not Credential.objects.filter(cluster=shop, role="metrics").exists()
    assert list_events(action="metrics.source.set").count() == 2


def test_set_source__makes_its_cluster_due(shop: Cluster) -> None:
    moment = read_db_now()
    Collector.objects.create(cluster=shop, next_at=moment.replace(year=2100), minute_at=moment, problem="old")

    set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=SourceSettings("proxies"))

    row = Collector.objects.get(pk=shop.pk)
    assert row.next_at <= read_db_now()
    assert row.problem == ""


@pytest.mark.parametrize("username", ["author", "viewer"])
def test_set_source__without_the_right__denied_and_recorded(shop: Cluster, username: str) -> None:
    with pytest.raises(DeniedError):
        set_source(actor=as_actor(make_person(username)), cluster_id=shop.pk, wanted=url_settings())

    assert list_events(action="metrics.source.set").get().outcome == "denied"
    assert not Source.objects.exists()


def test_set_source__out_of_sight__missing(shop: Cluster) -> None:
    with pytest.raises(MissingError):
        set_source(actor=as_actor(make_person("stranger")), cluster_id=shop.pk, wanted=url_settings())


@pytest.mark.parametrize(
    "wanted",
    [
        SourceSettings("magic"),
        SourceSettings("service", namespace="a/b", service="prom"),
        SourceSettings("service", namespace="a", service="prom", port=0),
        url_settings(url="http://prom.example.org"),
        url_settings(url="https://user:pw@prom.example.org"),
        url_settings(url="https://prom.example.org/../x"),
        url_settings(url="https://prom.example.org/a?b=c"),
        url_settings(url="https://0x7f000001/"),
        url_settings(auth=""),
        url_settings(secret=Secret("")),
        url_settings(auth="digest"),
        url_settings(secret=Secret("two words")),
        url_settings(secret=Secret("a\r\nX-Evil: 1")),
        url_settings(auth="basic", secret=Secret("nocolon")),
        url_settings(ca_pem="-----BEGIN"),
        url_settings(tenant_header="X-Scope-OrgID"),
        url_settings(tenant_header="Cookie", tenant="a"),
        url_settings(tenant_header="X-Scope-OrgID", tenant="a\r\nb"),
        url_settings(labels={'a="b",c': "d"}),
        url_settings(labels={"a": 'b"} or {'}),
        url_settings(labels={f"l{number}": "x" for number in range(6)}),
    ],
    ids=map(str, range(21)),
)
def test_set_source__unsound__refused_and_nothing_stored(shop: Cluster, wanted: SourceSettings) -> None:
    with pytest.raises((InvalidError, UnsafeQueryError)):
        set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=wanted)

    assert not Source.objects.exists()
    assert not Credential.objects.filter(role="metrics").exists()


def test_rotate__credential_of_metrics__put_under_the_new_key(shop: Cluster, settings: Settings) -> None:
    set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=url_settings())
    new = "bmV3LWtleS1vZi10ZXN0cy0wMDAwMDAwMDAwMDAwMDE="
    settings.CREDENTIAL_KEYS = [new, *settings.CREDENTIAL_KEYS]

    rotate_credentials(actor=SYSTEM)

    sealed = bytes(Credential.objects.get(cluster=shop, role="metrics").ciphertext)
    assert open_sealed(sealed, cluster_id=str(shop.pk), role="metrics", keys=[new]).token.reveal() == CANARY


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://prom.example.org", ""),
        ("https://prom.example.org/", ""),
        ("https://prom.example.org:9090/prometheus/", "/prometheus"),
        ("https://prom.example.org/a/b-c_d.e", "/a/b-c_d.e"),
    ],
)
def test_service_url__path__kept(url: str, path: str) -> None:
    assert parse_service_url(url)[1] == path


@pytest.mark.parametrize("path", ["..", ".hidden", "a/../b", "a//b", "%2e%2e", "a b", "a;b", "a\\b", "a#b", "a?b", "é"])
def test_service_url__odd_path__refused(path: str) -> None:
    with pytest.raises(EndpointRefusedError):
        parse_service_url(f"https://prom.example.org/{path}")


def test_by_address__credential_gone__said_so(shop: Cluster) -> None:
    source = set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=url_settings())
    Credential.objects.filter(role="metrics").delete()

    with pytest.raises(UnavailableError, match="is gone"):
        reach.by_address(source)


def test_by_address__tenant_token_and_path__sent(shop: Cluster, front: Front) -> None:
    wanted = url_settings(url=f"{front.url}/prom", ca_pem=front.ca_pem, tenant_header="X-Scope-OrgID", tenant="team-a")
    source = set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=wanted)
    front.queries = lambda *_: (200, b"fine")

    answer = reach.by_address(source)("/api/v1/query?query=up")

    sent = front.headers[-1]
    assert (answer, front.asked[-1]) == (b"fine", "/prom/api/v1/query?query=up")
    assert (sent["Authorization"], sent["X-Scope-OrgID"]) == (f"Bearer {CANARY}", "team-a")


def test_by_address__metadata_address__never_called(shop: Cluster) -> None:
    wanted = url_settings(url="https://169.254.169.254:9090")
    source = set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=wanted)

    with pytest.raises(Exception, match=r"169\.254\.169\.254"):
        reach.by_address(source)("/api/v1/query?query=up")


def test_transport__token_changes__old_one_is_not_sent_any_more(shop: Cluster, front: Front) -> None:
    actor = as_actor(registrar())
    front.queries = lambda *_: (200, b"fine")
    for token in ("first", "second"):
        wanted = url_settings(url=front.url, ca_pem=front.ca_pem, secret=Secret(token))
        with zeal_ignore():  # one act after another
            source = set_source(actor=actor, cluster_id=shop.pk, wanted=wanted)
        transport, _ = metrics_transport(source.cluster, source.url, auth=source.auth)
        transport.get("/api/v1/query")

    assert [sent["Authorization"] for sent in front.headers] == ["Bearer first", "Bearer second"]


def test_remove_cluster__its_metrics_go_with_it() -> None:
    cluster = register("leaving")
    actor = as_actor(registrar())
    set_source(actor=actor, cluster_id=cluster.pk, wanted=url_settings())
    name = Name("shop", "checkout", Grain.SERVICE)
    moment = read_db_now()
    keep(cluster, Measurement({name: Golden(1.0)}, "x"), begun=moment, at=moment, step=15, rasters=(15,))

    remove_cluster(actor=actor, cluster_id=cluster.pk, reason="It is gone.")

    assert not any(model.objects.exists() for model in (Source, Series, Point))
    assert not Credential.objects.filter(cluster_id=cluster.pk).exists()
