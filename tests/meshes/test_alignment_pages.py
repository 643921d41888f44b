"""What people correct of a service: verbs, rights, history, and what pages and lists make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from meshes.models import BackendVersion, Service, ServiceLink, Workload
from meshes.selectors import aligned
from meshui.lib import clock
from tests.meshes import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
V2 = "shop/checkout#v2"


@pytest.fixture(autouse=True)
def _several_requests() -> Iterator[None]:
    """A test asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def two(author: User, client: Client) -> User:
    """checkout in eu-west and us-east, the author signed in."""
    rows.services(rows.cluster("eu-west"), ["checkout"])
    rows.services(rows.cluster("us-east"), ["checkout"], split=(75, 25))
    client.force_login(author)
    return author


def text_of(response: Any) -> str:
    """The answer as text."""
    return str(response.content.decode())


def at(cluster: str, verb: str = "", name: str = "checkout") -> str:
    """The URL of the correction, or of one of its verbs."""
    return f"/services/{cluster}/shop/{name}/alignment/{verb}"


def lines(client: Client) -> list[tuple[str, tuple[str, ...]]]:
    """Names and clusters of the list."""
    return [(line.name, line.clusters) for line in client.get("/services/").context["lines"]]


def test_detail__two_clusters__a_column_for_each_version_and_a_row_for_each(client: Client, two: User) -> None:
    response = client.get("/services/all/shop/checkout/")

    service = response.context["service"]
    assert service.aligned.versions == ("v1", "v2")
    found = [(row.here.cluster.slug, [cell.item.weight_bp for cell in row.cells]) for row in service.rows]
    assert found == [("eu-west", [9000, 1000]), ("us-east", [7500, 2500])]
    assert service.aligned.misfits == {}
    assert "by its name" in text_of(response)
    assert "Istio" in text_of(response)


def test_correct__version__on_the_page_with_who_and_in_history(client: Client, two: User) -> None:
    response = client.post(
        at("us-east", "version/"), {"backend_key": V2, "version": "v9", "reason": "It is the new one."}
    )

    assert response.status_code == 303
    page = text_of(client.get("/services/all/shop/checkout/"))
    assert "corrected by author" in page
    assert aligned(two, "shop", "checkout").misfits.keys() == {"us-east"}
    event = list_events(action="meshes.version.corrected").get()
    assert (event.reason, event.outcome) == ("It is the new one.", "success")
    assert "It is the new one." in text_of(client.get(at("us-east")))


def test_correct__to_the_version_of_another_backend__refused_and_kept_in_the_form(client: Client, two: User) -> None:
    sent = {"backend_key": V2, "version": "v1", "reason": "Same pods."}

    response = client.post(at("us-east", "version/"), sent)

    assert response.status_code == 422
    assert "Another backend of the same rule in us-east is version v1." in text_of(response)
    assert 'value="Same pods."' in text_of(response)
    assert not BackendVersion.objects.exists()
    assert list_events(action="meshes.version.corrected").get().outcome == "denied"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"backend_key": V2, "version": "v 9", "reason": "x"}, "Letters, digits, dots"),
        ({"backend_key": V2, "version": "v9", "reason": " "}, "Say why"),
        ({"backend_key": "shop/other", "version": "v9", "reason": "x"}, "has the backend shop/other"),
    ],
)
def test_correct__unfit__422_in_words(client: Client, two: User, sent: dict[str, str], said: str) -> None:
    response = client.post(at("us-east", "version/"), sent)

    assert response.status_code == 422
    assert said in text_of(response)
    assert not BackendVersion.objects.exists()


def test_clear__correction__as_found_again(client: Client, two: User) -> None:
    client.post(at("us-east", "version/"), {"backend_key": V2, "version": "v9", "reason": "x"})

    first = client.post(at("us-east", "version/clear/"), {"backend_key": V2})
    again = client.post(at("us-east", "version/clear/"), {"backend_key": V2})

    assert (first.status_code, again.status_code) == (303, 404)
    assert aligned(two, "shop", "checkout").versions == ("v1", "v2")


def test_exclude__cluster__a_row_of_its_own_until_it_is_included_again(client: Client, two: User) -> None:
    response = client.post(at("us-east", "exclude/"), {"reason": "Another team's."})

    assert response["Location"] == "/services/us-east/shop/checkout/"
    assert lines(client) == [("checkout", ("eu-west",)), ("checkout", ("us-east",))]
    found = aligned(two, "shop", "checkout")
    assert ([here.cluster.slug for here in found.clusters], [m.cluster.slug for m in found.away]) == (
        ["eu-west"],
        ["us-east"],
    )
    assert "Another team" in text_of(client.get("/services/all/shop/checkout/"))
    assert [line.clusters for line in client.get("/services/?cluster=us-east").context["lines"]] == [("us-east",)]
    assert client.post(at("us-east", "include/")).status_code == 303
    assert lines(client) == [("checkout", ("eu-west", "us-east"))]
    assert list_events(action="meshes.service.included").count() == 1


def test_link__another_name__stands_in_that_row_until_it_is_taken_back(client: Client, two: User) -> None:
    rows.services(rows.cluster("ap-south"), ["checkout-svc"])
    sent = {"to_namespace": "shop", "to_name": "checkout", "reason": "Old name."}

    response = client.post(at("ap-south", "link/", "checkout-svc"), sent)

    assert response["Location"] == "/services/all/shop/checkout/"
    assert lines(client) == [("checkout", ("ap-south", "eu-west", "us-east"))]
    assert [h.at.name for h in aligned(two, "shop", "checkout").clusters] == ["checkout-svc", "checkout", "checkout"]
    for query in ("cluster=ap-south", "split=now"):
        assert [line.name for line in client.get(f"/services/?{query}").context["lines"]] == ["checkout"]
    assert "Called checkout-svc there" in text_of(client.get("/services/all/shop/checkout/"))
    assert client.post(at("ap-south", "unlink/", "checkout-svc")).status_code == 303
    assert lines(client) == [("checkout", ("eu-west", "us-east")), ("checkout-svc", ("ap-south",))]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("checkout", "That is its own name"),
        ("nothing", "No other cluster has a service shop/nothing"),
        ("cart", "us-east has a service shop/cart"),
    ],
)
def test_link__to_what_cannot_be__refused(client: Client, two: User, name: str, said: str) -> None:
    for slug in ("eu-west", "us-east"):
        Service.objects.create(
            cluster=Service.objects.get(cluster__slug=slug).cluster,
            namespace="shop",
            name="cart",
            uid=f"c-{slug}",
            content_hash="",
            read_at=clock.now(),
        )

    response = client.post(at("us-east", "link/"), {"to_namespace": "shop", "to_name": name, "reason": "x"})

    assert response.status_code == 422
    assert said in text_of(response)
    assert not ServiceLink.objects.exists()


def test_link__target_gone__shown_under_its_own_name(client: Client, two: User) -> None:
    rows.services(rows.cluster("ap-south"), ["checkout-svc"])
    client.post(at("ap-south", "link/", "checkout-svc"), {"to_namespace": "shop", "to_name": "checkout", "reason": "x"})

    Service.objects.filter(name="checkout").update(gone_at=clock.now())

    assert lines(client) == [("checkout-svc", ("ap-south",))]


@pytest.mark.parametrize("verb", ["version/", "version/clear/", "link/", "unlink/", "exclude/", "include/"])
def test_verbs__without_the_right__denied_recorded_and_nothing_done(
    client: Client, two: User, viewer: User, verb: str
) -> None:
    client.force_login(viewer)
    sent = {"backend_key": V2, "version": "v9", "reason": "x", "to_namespace": "shop", "to_name": "cart"}

    response = client.post(at("us-east", verb), sent)

    assert response.status_code == 403
    assert "You may not correct shop/checkout in us-east." in text_of(response)
    assert not BackendVersion.objects.exists()
    assert not ServiceLink.objects.exists()
    assert list_events(outcome="denied").count() == 1


def test_page__viewer__reads_and_is_told_which_role_corrects(client: Client, two: User, viewer: User) -> None:
    client.force_login(viewer)

    page = text_of(client.get(at("us-east")))

    assert "service.correct" in page
    assert "Correct the version" not in page
    assert at("us-east") not in text_of(client.get("/services/all/shop/checkout/"))


def test_page__out_of_scope__as_if_it_were_not_there(client: Client, two: User, person: Callable[..., User]) -> None:
    client.force_login(person("maria", ["author"], scope={"namespace": ["pay"]}))

    assert client.get(at("us-east")).status_code == 404
    assert client.post(at("us-east", "exclude/"), {"reason": "x"}).status_code == 404
    assert not ServiceLink.objects.exists()


def test_page__author_of_one_namespace__corrects_there(client: Client, two: User, person: Callable[..., User]) -> None:
    client.force_login(person("maria", ["author"], scope={"namespace": ["shop"]}))

    assert client.post(at("us-east", "exclude/"), {"reason": "x"}).status_code == 303


def test_no_route__versions_of_pods__offered_with_the_way_to_start(client: Client, two: User) -> None:
    cluster = rows.cluster("ap-south")
    Service.objects.create(
        cluster=cluster,
        namespace="shop",
        name="checkout",
        uid="ap",
        ports=[{"name": "http", "port": 8080}],
        selector={"app": "checkout"},
        content_hash="",
        read_at=clock.now(),
    )
    for version in ("v1", "v2"):
        Workload.objects.create(
            cluster=cluster,
            kind="Deployment",
            namespace="shop",
            name=f"checkout-{version}",
            uid=version,
            labels={"app": "checkout", "version": version},
            content_hash="",
            read_at=clock.now(),
        )

    page = text_of(client.get("/services/all/shop/checkout/"))

    assert 'href="/services/ap-south/shop/checkout/split/?start=1"' in page
    assert "no mesh found" in page
