"""The lab itself: real servers start, differ, keep their data and leave nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from lab.build import BuildError, installed_go
from lab.client import ApiError
from lab.cluster import Cluster
from lab.keeper import group_members
from lab.processes import Keeper, Server, ServerError, free_ports
from lab.recipes import RECIPES, find_file
from lab.samples import SHOP, deploy_shop, is_available, ready_endpoints, virtual_service
from lab.sessions import Lab, session
from lab.waiting import until

ROOT = Path(__file__).parents[2]
KILLED_LAB = """
import signal
from lab.processes import Keeper, Server
keeper = Keeper()
for number in range(2):
    Server(name=f"server-{number}", command=["/bin/sleep", "600"], place=keeper.place).start()
print(keeper.place.group, keeper.folder, flush=True)
signal.pause()
"""


def _answer(cluster: Cluster, *, trusting: Cluster) -> int:
    pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_cert_data=trusting.ca_pem.decode(), retries=False)
    try:
        return pool.request("GET", f"{cluster.url}/readyz", headers={"Authorization": "Bearer nobody"}).status
    finally:
        pool.clear()


@pytest.mark.lab
def test_clusters__each_has_its_own_authority__other_one_is_refused(lab: Lab) -> None:
    east, west = lab.clusters[:2]

    status = _answer(east, trusting=east)

    assert status == 401
    with pytest.raises(urllib3.exceptions.SSLError, match="certificate verify failed"):
        _answer(east, trusting=west)
    with pytest.raises(urllib3.exceptions.SSLError, match="certificate verify failed"):
        _answer(west, trusting=east)


@pytest.mark.lab
def test_clusters__token_of_one__is_refused_by_the_other(lab: Lab) -> None:
    east, west = lab.clusters[:2]
    token = east.token("default", "reader")

    at_home = east.request("GET", "/api/v1/namespaces", token=token)
    abroad = west.request("GET", "/api/v1/namespaces", token=token)

    assert (at_home.status, abroad.status) == (403, 401)
    assert "system:serviceaccount:default:reader" in at_home.body["message"]
    assert east.uid != west.uid


@pytest.mark.lab
def test_grant__service_account__may_do_what_was_granted_and_no_more(lab: Lab) -> None:
    cluster = lab.clusters[0]
    token = cluster.token("default", "lister")

    cluster.grant(
        "lister",
        [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}],
        service_account_namespace="default",
    )

    until(lambda: cluster.request("GET", "/api/v1/namespaces", token=token).status == 200, seconds=10, what="the grant")
    assert cluster.request("GET", "/api/v1/secrets", token=token).status == 403


@pytest.mark.lab
@pytest.mark.parametrize("index", [0, 1])
def test_deploy_shop__called_twice__pods_ready_and_what_is_missing_made_anew(lab: Lab, index: int) -> None:
    cluster = lab.clusters[index]

    deploy_shop(cluster)
    cluster.delete("VirtualService", "checkout", SHOP)
    deploy_shop(cluster)

    assert all(is_available(item) for item in cluster.list("Deployment", SHOP))
    assert ready_endpoints(cluster, "checkout") == 3
    assert cluster.get("Deployment", "istiod", "istio-system")["metadata"]["labels"]["app"] == "istiod"
    weights = [part["weight"] for part in cluster.get("VirtualService", "checkout", SHOP)["spec"]["http"][0]["route"]]
    assert weights == [90, 10]


@pytest.mark.lab
def test_istiod_webhook__negative_weight__refused_and_good_one_kept(lab: Lab) -> None:
    cluster = lab.clusters[0]
    deploy_shop(cluster)

    cluster.load([virtual_service(60, 40, name="good")])
    with pytest.raises(ApiError, match=r"admission webhook .rev.validation.istio.io. denied") as refusal:
        cluster.load([virtual_service(-5, 105, name="bad")])

    assert refusal.value.status == 400
    assert cluster.get("VirtualService", "good", SHOP)["spec"]["http"][0]["route"][0]["weight"] == 60
    with pytest.raises(KeyError):
        cluster.get("VirtualService", "bad", SHOP)
    cluster.delete("VirtualService", "good", SHOP)


@pytest.mark.lab
def test_edit__foreign_hand__its_field_manager_and_one_generation_more(lab: Lab) -> None:
    cluster = lab.clusters[1]
    deploy_shop(cluster)
    before = cluster.load([virtual_service(50, 50, name="edited")])[0]

    after = cluster.edit("VirtualService", "edited", SHOP, lambda item: item["spec"].update(hosts=["elsewhere"]))

    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert "kubectl-edit" in {entry["manager"] for entry in after["metadata"]["managedFields"]}
    cluster.delete("VirtualService", "edited", SHOP)


@pytest.mark.lab
def test_restart_api_server__same_port__data_is_kept(lab: Lab) -> None:
    cluster = lab.clusters[1]
    deploy_shop(cluster)
    uid = cluster.get("VirtualService", "checkout", SHOP)["metadata"]["uid"]
    pid = cluster.api_server.pid

    cluster.restart_api_server()

    assert cluster.api_server.pid != pid
    assert cluster.get("VirtualService", "checkout", SHOP)["metadata"]["uid"] == uid


@pytest.mark.lab
def test_pause_api_server__nothing_answers__until_it_is_resumed(lab: Lab) -> None:
    cluster = lab.clusters[1]
    pool = urllib3.PoolManager(
        cert_reqs="CERT_REQUIRED", ca_cert_data=cluster.ca_pem.decode(), retries=False, timeout=0.5
    )

    cluster.pause_api_server()
    try:
        with pytest.raises(urllib3.exceptions.HTTPError, match="timed out"):
            pool.request("GET", f"{cluster.url}/readyz")
    finally:
        cluster.resume_api_server()
        pool.clear()

    until(cluster.client.is_ready, seconds=30, what="the API server to answer again")


@pytest.mark.lab
def test_lab_cluster__with_the_folder_of_crds__serves_the_gateway_api(lab_crds: Path, lab_cluster: Cluster) -> None:
    route = lab_cluster.client.resource("HTTPRoute.gateway.networking.k8s.io")

    assert (route.plural, route.version) == ("httproutes", "v1")
    assert list(lab_crds.glob("linkerd-*"))


@pytest.mark.lab
def test_session__ends__no_process_and_no_file_left() -> None:
    with session(clusters=1, istiod=False, kwok=False) as lab:
        place, servers = lab.place, lab.servers()
        names = {server.name for server in servers}
        running = [server.is_running for server in servers]

    assert names == {"etcd", "kube-apiserver", "kube-controller-manager"}
    assert all(running)
    assert not any(server.is_running for server in servers)
    assert group_members(place.group) == []
    assert not place.folder.exists()


def test_keeper__lab_killed__ends_its_servers_and_removes_its_folder() -> None:
    command = [sys.executable, "-c", KILLED_LAB]
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    with killed.stdout as said:
        group, folder = said.readline().split()
    alive = group_members(int(group))

    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=10)

    assert len(alive) == 3  # the keeper and two servers
    until(lambda: not group_members(int(group)), seconds=20, what="the keeper to end the servers and itself")
    assert not Path(folder).exists()


def test_server__ends_before_it_is_ready__error_shows_its_log() -> None:
    with Keeper() as keeper:
        server = Server(name="broken", command=["/bin/ls", "/no/such/flag"], place=keeper.place)
        server.start()

        with pytest.raises(ServerError, match=r"broken ended with 2 before it was ready[\s\S]*No such file"):
            server.wait_ready(lambda: False)


def test_free_ports__several__all_different() -> None:
    ports = free_ports(20)

    assert len(set(ports)) == 20


def test_find_file__nothing_built__says_make_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MESHUI_LAB_CACHE", str(tmp_path))

    with pytest.raises(FileNotFoundError, match="run `make lab`"):
        find_file("kube-apiserver")


def test_installed_go__none_on_path__says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BuildError, match=r"Install Go 1\.26\.0 or newer"):
        installed_go("1.26.0")


def test_installed_go__too_old__names_both_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.19.8\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BuildError, match=r"go1\.19\.8, too old for the lab\. Install Go 1\.26\.0"):
        installed_go("1.26.0")


def test_recipes__each__pins_its_modules_and_names_its_programs() -> None:
    digests = {recipe.digest for recipe in RECIPES}

    assert len(digests) == len(RECIPES)
    assert all(recipe.oldest_go.startswith("1.26") for recipe in RECIPES)
    assert {"etcd", "kube-apiserver", "kwok", "pilot-discovery"} <= {name for r in RECIPES for name in r.binaries}
