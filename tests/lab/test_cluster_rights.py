"""The printed manifests on a real API server: with them everything that MeshUI does works, and nothing else does."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from zeal import zeal_ignore

from clusters import services
from clusters.clients import (
    ForbiddenError,
    GuardedCreate,
    GuardedDelete,
    GuardedPatch,
    ObjectRef,
    PatchOperation,
    Resource,
)
from clusters.connect import prober_for, writer_for
from clusters.intake import parse_direct
from clusters.manifests import HOME, READER, WRITER, Wish, rbac_manifest, token_secret
from clusters.models import Cluster, Health
from clusters.services import NewCluster
from clusters.types import KUBE_SYSTEM, NEEDS, WRITE_VERBS
from lab.client import ApiError, parse_yaml
from lab.samples import SHOP, deploy_shop
from meshes.models import Route, Service
from meshes.services import sync_cluster
from meshui.lib import clock
from tests.clusters.makers import checked
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User
    from clusters.kube import KubeWriter
    from lab.cluster import Cluster as LabCluster
    from lab.sessions import Lab

pytestmark = [pytest.mark.lab, pytest.mark.django_db]
ROUTES = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
CHECKOUT = ObjectRef(ROUTES, SHOP, "checkout")
ROUTE = "/apis/networking.istio.io/v1/namespaces/{}/virtualservices"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
WISHES = {
    "reads all": Wish(),
    "writes all": Wish(writes=True),
    "reads shop": Wish(namespaces=(SHOP,)),
    "writes shop": Wish(writes=True, namespaces=(SHOP,)),
}


class Granted(NamedTuple):
    """A real cluster to which one of the manifests was applied."""

    cluster: LabCluster
    wish: Wish

    def token(self, account: str) -> str:
        """As `kubectl create token` makes it."""
        return self.cluster.token(HOME, account)


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test calls verbs one after another, as many requests would: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture(scope="module")
def east(lab: Lab) -> Iterator[LabCluster]:
    """A real cluster with the shop, and a namespace where Linkerd's control plane would be."""
    cluster = min(lab.clusters, key=lambda found: found.name)
    deploy_shop(cluster)
    cluster.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "linkerd"}}])
    yield cluster
    cluster.delete("Namespace", "linkerd")


def applied(cluster: LabCluster, text: str) -> list[dict[str, Any]]:
    """As `kubectl apply` on a cluster that has none of it; what was made."""
    made = []
    for item in sorted(parse_yaml(text), key=lambda found: found["kind"] != "Namespace"):
        try:
            made.append(cluster.client.create(item))
        except ApiError as error:
            if (item["kind"], error.status) not in {("Namespace", 409), ("ServiceAccount", 409)}:
                raise
    return made


def take_away(cluster: LabCluster, made: list[dict[str, Any]]) -> None:
    """All that was made, but its namespace."""
    for item in made:
        if item["kind"] != "Namespace":
            cluster.delete(item["kind"], item["metadata"]["name"], item["metadata"].get("namespace", ""))


@pytest.fixture(params=WISHES)
def granted(request: pytest.FixtureRequest, east: LabCluster) -> Iterator[Granted]:
    """The cluster with each of the manifests."""
    made = applied(east, rbac_manifest(WISHES[request.param]))
    yield Granted(east, WISHES[request.param])
    take_away(east, made)


def registered(granted: Granted, admin: User, *, writer: str = WRITER) -> Cluster:
    """By address, CA and token, as an operator would who applied the manifest; tested."""
    lab, actor = granted.cluster, as_actor(admin)
    made = [
        parse_direct(server=lab.url, ca_pem=lab.ca_pem.decode(), token=granted.token(name)) for name in (READER, writer)
    ]
    services.require_callable(actor=actor, kubeconfig=made[0])
    new = NewCluster("East", "east", "staging", made[0], namespaces=granted.wish.namespaces)
    cluster = services.add_cluster(actor=actor, new=new)
    if granted.wish.writes or writer == READER:
        services.replace_credential(actor=actor, cluster_id=cluster.pk, role="writer", kubeconfig=made[1])
        services.allow_writes(actor=actor, cluster_id=cluster.pk)
    return checked(cluster)


def states(cluster: Cluster, role: str) -> set[str]:
    """What the rows of a role say."""
    return {row["state"] for row in cluster.access if row["role"] == role}


def read_now(cluster: Cluster) -> None:
    """As if its reading were due."""
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=clock.db_now())
    assert sync_cluster(cluster.pk)


def moved(writer: KubeWriter, new: int) -> GuardedPatch:
    """A guarded patch of the weights as they are now."""
    body: Any = writer.read(CHECKOUT)
    route = body["spec"]["http"][0]["route"]
    path = "/spec/http/0/route/{}/weight"
    tests = [PatchOperation("test", path.format(index), entry["weight"]) for index, entry in enumerate(route)]
    sets = [PatchOperation("replace", path.format(index), weight) for index, weight in enumerate((new, 100 - new))]
    uid = PatchOperation("test", "/metadata/uid", body["metadata"]["uid"])
    version = PatchOperation("test", "/metadata/resourceVersion", body["metadata"]["resourceVersion"])
    return GuardedPatch(CHECKOUT, (uid, version, *tests, *sets))


def new_route(name: str, namespace: str = SHOP) -> GuardedCreate:
    """A VirtualService that starts a split."""
    body: Any = {
        "apiVersion": ROUTES.api_version,
        "kind": ROUTES.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hosts": [f"{name}.example.com"], "http": [{"route": [{"destination": {"host": "checkout"}}]}]},
    }
    return GuardedCreate(ObjectRef(ROUTES, namespace, name), body)


def test_manifest__registered_with_its_tokens__healthy_tested_probed_and_read(granted: Granted, admin: User) -> None:
    cluster = registered(granted, admin)
    prober = prober_for(cluster)

    prober.require_ready()
    prober.close()
    read_now(cluster)

    fine = {"allowed", "not_served"} | ({"left_out"} if granted.wish.namespaces else set())
    namespaces = set(Service.objects.filter(gone_at=None).values_list("namespace", flat=True))
    assert (cluster.health, cluster.health_reason) == (Health.HEALTHY, "")
    assert cluster.identity_uid == granted.cluster.uid
    assert states(cluster, "reader") <= fine
    assert "allowed" in states(cluster, "reader")
    assert states(cluster, "writer") <= ({"allowed", "not_served"} if granted.wish.writes else set())
    assert Route.objects.filter(namespace=SHOP, root_service="checkout", gone_at=None).exists()
    assert namespaces == {SHOP} if granted.wish.namespaces else namespaces > {SHOP}


@pytest.mark.parametrize("granted", ["writes all", "writes shop"], indirect=True)
def test_manifest__that_writes__route_moved_made_and_deleted_dry_and_for_real(granted: Granted, admin: User) -> None:
    lab = granted.cluster
    writer: Any = writer_for(registered(granted, admin))
    before = lab.get("VirtualService", "checkout", SHOP)

    dry = writer.dry_run(moved(writer, 75))
    untouched = lab.get("VirtualService", "checkout", SHOP)
    writer.write(moved(writer, 75))
    after = lab.get("VirtualService", "checkout", SHOP)
    writer.write(moved(writer, 90))
    writer.dry_run(new_route("started"))
    made = writer.write(new_route("started"))
    ending = GuardedDelete(
        ObjectRef(ROUTES, SHOP, "started"), made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    )
    writer.dry_run(ending)
    is_there = lab.get("VirtualService", "started", SHOP)
    writer.write(ending)

    assert untouched == before
    assert dry["spec"] == after["spec"]
    assert [entry["weight"] for entry in after["spec"]["http"][0]["route"]] == [75, 25]
    assert is_there["metadata"]["uid"] == made["metadata"]["uid"]
    with pytest.raises(KeyError):
        lab.get("VirtualService", "started", SHOP)


@pytest.mark.parametrize("granted", ["reads all", "reads shop"], indirect=True)
def test_manifest__that_only_reads__used_for_writing_is_degraded_and_every_write_refused(
    granted: Granted, admin: User
) -> None:
    cluster = registered(granted, admin, writer=READER)
    writer: Any = writer_for(cluster)
    before = granted.cluster.get("VirtualService", "checkout", SHOP)
    version = before["metadata"]["resourceVersion"]

    for write in (
        moved(writer, 10),
        new_route("refused"),
        GuardedDelete(CHECKOUT, before["metadata"]["uid"], version),
    ):
        for send in (writer.dry_run, writer.write):
            with pytest.raises(ForbiddenError, match=r"cannot (patch|create|delete) resource"):
                send(write)

    assert cluster.health == Health.DEGRADED
    assert "patch, create, delete virtualservices.networking.istio.io" in cluster.health_reason
    assert granted.cluster.get("VirtualService", "checkout", SHOP) == before


@pytest.mark.parametrize("granted", ["writes shop"], indirect=True)
def test_manifest__of_one_namespace__writes_in_others_refused(granted: Granted, admin: User) -> None:
    writer: Any = writer_for(registered(granted, admin))

    for send in (writer.dry_run, writer.write):
        with pytest.raises(ForbiddenError, match='in the namespace "default"'):
            send(new_route("elsewhere", "default"))


POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": []}}
NEVER: list[tuple[str, str, object]] = [
    ("GET", "/api/v1/secrets", None),
    ("GET", f"/api/v1/namespaces/{HOME}/secrets", None),
    ("GET", f"/api/v1/namespaces/{SHOP}/secrets/some", None),
    ("POST", f"/api/v1/namespaces/{SHOP}/secrets", {"metadata": {"name": "x"}}),
    ("GET", f"/api/v1/namespaces/{SHOP}/configmaps", None),
    ("GET", "/api/v1/namespaces/istio-system/configmaps", None),
    ("GET", "/api/v1/namespaces/istio-system/configmaps/another", None),
    ("PATCH", "/api/v1/namespaces/istio-system/configmaps/istio", {"data": {}}),
    ("GET", f"/api/v1/namespaces/{SHOP}/pods", None),
    ("POST", f"/api/v1/namespaces/{SHOP}/pods", POD),
    ("POST", f"/api/v1/namespaces/{SHOP}/pods/checkout/exec?command=id&stdout=true", None),
    ("GET", f"/api/v1/namespaces/{SHOP}/services/checkout/proxy/", None),
    ("DELETE", f"/api/v1/namespaces/{SHOP}/services/checkout", None),
    ("PATCH", f"/api/v1/namespaces/{SHOP}/services/checkout", {"metadata": {"labels": {"x": "y"}}}),
    ("POST", f"/api/v1/namespaces/{SHOP}/services", {"metadata": {"name": "x"}}),
    ("POST", f"/apis/apps/v1/namespaces/{SHOP}/deployments", {"metadata": {"name": "x"}}),
    ("PATCH", f"/apis/apps/v1/namespaces/{SHOP}/deployments/checkout-v1", {"spec": {"replicas": 0}}),
    ("PATCH", f"/apis/apps/v1/namespaces/{SHOP}/deployments/checkout-v1/scale", {"spec": {"replicas": 0}}),
    ("POST", "/api/v1/namespaces", {"metadata": {"name": "x"}}),
    ("PATCH", f"/api/v1/namespaces/{SHOP}", {"metadata": {"labels": {"istio-injection": "enabled"}}}),
    ("PATCH", f"{ROUTE.format(SHOP)}/checkout/status", {"status": {}}),
    ("PUT", f"{ROUTE.format(SHOP)}/checkout", {"metadata": {"name": "checkout"}}),
    ("DELETE", ROUTE.format(SHOP), None),
    ("POST", "/apis/networking.istio.io/v1/namespaces/shop/gateways", {"metadata": {"name": "x"}}),
    ("GET", "/api/v1/nodes", None),
    ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles", None),
    ("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SHOP}/rolebindings", {"metadata": {"name": "x"}}),
    ("POST", f"/api/v1/namespaces/{HOME}/serviceaccounts/{WRITER}/token", {"spec": {}}),
    ("DELETE", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/x", None),
    ("GET", "/metrics", None),
    ("GET", "/logs/", None),
]
NEVER_READER: list[tuple[str, str, object]] = [
    ("POST", ROUTE.format(SHOP), {"metadata": {"name": "x"}}),
    ("PATCH", f"{ROUTE.format(SHOP)}/checkout", {"metadata": {"labels": {"x": "y"}}}),
    ("DELETE", f"{ROUTE.format(SHOP)}/checkout", None),
]
NEVER_ELSEWHERE: list[tuple[str, str, object]] = [
    ("GET", "/api/v1/namespaces", None),
    ("GET", "/api/v1/services", None),
    ("GET", "/api/v1/namespaces/default/services", None),
    ("GET", "/api/v1/namespaces/default", None),
    ("GET", "/apis/networking.istio.io/v1/virtualservices", None),
    ("GET", ROUTE.format("default"), None),
    ("GET", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", None),
    ("PATCH", f"{ROUTE.format('default')}/x", {}),
]


def test_manifest__everything_else__forbidden_by_the_api_server(granted: Granted) -> None:
    for account in granted.wish.accounts:
        token = granted.token(account)
        tried = [*NEVER, *(NEVER_READER if account == READER else [])]
        tried += NEVER_ELSEWHERE if granted.wish.namespaces else []

        answers = {
            (method, path): granted.cluster.request(
                method, path, body=body, token=token, content_type=kind(method)
            ).status
            for method, path, body in tried
        }

        assert {call: status for call, status in answers.items() if status != 403} == {}


def kind(method: str) -> str:
    """The content type of a call."""
    return "application/merge-patch+json" if method == "PATCH" else "application/json"


def rules(granted: Granted, account: str, namespace: str) -> set[tuple[str, str, str, str]]:
    """(verb, group, resource, name) that the API server says `account` may do in `namespace`."""
    answer = granted.cluster.request(
        "POST", RULES, body={"spec": {"namespace": namespace}}, token=granted.cluster.token(HOME, account)
    )
    assert answer.status == 201
    assert not answer.body["status"]["incomplete"]
    return {
        (verb, group, resource, name)
        for rule in answer.body["status"]["resourceRules"]
        for verb in rule["verbs"]
        for group in rule.get("apiGroups") or [""]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
    }


def wanted(wish: Wish, account: str, namespace: str) -> set[tuple[str, str, str, str]]:
    """What clusters.types says that it needs there, and nothing else."""
    is_wide = not wish.namespaces
    found = set()
    for need in wish.needs():
        if need.names and need.home == namespace and (is_wide or need.home in wish.namespaces):
            found |= {("get", need.group, need.resource, name) for name in need.names}
        if not need.names and (is_wide or (namespace in wish.namespaces and need.is_namespaced)):
            found |= {(verb, need.group, need.resource, "") for verb in need.read_verbs}
            if account == WRITER and need.is_written:
                found |= {(verb, need.group, need.resource, "") for verb in WRITE_VERBS}
    if not is_wide and namespace in {KUBE_SYSTEM, *wish.namespaces}:
        found.add(("get", "", "namespaces", namespace))
    return found


def test_manifest__rules_that_the_api_server_reports__are_the_needs_to_the_letter(granted: Granted) -> None:
    for namespace in (SHOP, "istio-system", "linkerd", KUBE_SYSTEM, "default"):
        everybodys = rules(granted, "bystander", namespace)
        for account in granted.wish.accounts:
            assert rules(granted, account, namespace) - everybodys == wanted(granted.wish, account, namespace)
    assert {need.group for need in NEEDS if need.is_written} <= {
        group for _, group, _, _ in wanted(Wish(), READER, SHOP)
    }


@pytest.mark.parametrize("granted", ["reads all"], indirect=True)
def test_secret__applied_after_the_manifest__filled_with_a_token_that_works(granted: Granted, admin: User) -> None:
    lab = granted.cluster
    made = lab.load(token_secret(READER))
    filled = lab.wait("Secret", READER, HOME, lambda body: bool((body.get("data") or {}).get("token")))
    token = base64.b64decode(filled["data"]["token"]).decode()

    parsed = parse_direct(server=lab.url, ca_pem=lab.ca_pem.decode(), token=token)
    cluster = services.add_cluster(actor=as_actor(admin), new=NewCluster("East", "east", "staging", parsed))
    health = checked(cluster).health
    take_away(lab, made)

    assert health == Health.HEALTHY
    assert cluster.credentials.get().expires_at is None
