"""How each server of a cluster is started: its flags, its files, and when it counts as ready."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from lab.client import Client
from lab.pki import Authority, new_signing_key
from lab.processes import Place, Server, start_on_free_ports
from lab.recipes import find_file

LOCALHOST = "127.0.0.1"
POD_RANGE = "10.99.0.0/16"
SERVICE_RANGE = "10.0.0.0/16"
_CONTROLLERS = (
    "namespace-controller",  # without it no namespace ever finishes deleting
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "daemonset-controller",
    "endpointslice-controller",
    "endpoints-controller",  # the API server's proxy to Services still goes by Endpoints
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",  # without it no Secret of an account is filled
    "node-lifecycle-controller",  # without it the not-ready taint stays and nothing is scheduled
)
_NODE_STAGES = ("node-initialize.yaml", "node-heartbeat-with-lease.yaml")
_POD_STAGES = ("pod-ready.yaml", "pod-complete.yaml", "pod-delete.yaml")


@dataclass(frozen=True, kw_only=True)
class Files:
    """The keys and certificates of one cluster, on disk for its servers."""

    place: Place
    authority: Authority = field(repr=False)

    @classmethod
    def write(cls, name: str, place: Place) -> "Files":
        """Make the cluster's own authority and everything it signs."""
        authority = Authority.create(f"{name}-ca")
        files = cls(place=place, authority=authority)
        hosts = ("localhost", "kubernetes.default.svc")
        server = authority.issue_server("kube-apiserver", hosts=hosts, addresses=(LOCALHOST, "10.0.0.1"))
        admin = authority.issue_client("admin", ("system:masters",))
        private, public = new_signing_key()
        files.path("ca.crt").write_bytes(authority.pem)
        files.path("server.crt").write_bytes(server.certificate)
        files.path("admin.crt").write_bytes(admin.certificate)
        files.path("accounts.pub").write_bytes(public)
        secrets = {"server.key": server.key, "admin.key": admin.key, "accounts.key": private}
        for file, key in secrets.items():
            files.write_secret(file, key)
        return files

    def write_secret(self, file: str, content: bytes) -> None:
        """Write `file` so that only its owner can read it."""
        self.path(file).touch(mode=0o600)
        self.path(file).write_bytes(content)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, which the other servers sign in with."""
        return self.path("kubeconfig")

    @property
    def serving_flags(self) -> tuple[str, ...]:
        """What makes a Kubernetes server answer with the cluster's own certificate."""
        return (f"--tls-cert-file={self.path('server.crt')}", f"--tls-private-key-file={self.path('server.key')}")

    def is_healthy(self, port: int) -> bool:
        """Whether a server of this cluster says so on `port`."""
        return answers(f"https://{LOCALHOST}:{port}/healthz", ca_pem=self.authority.pem)

    def path(self, file: str) -> Path:
        """Where `file` of this cluster is."""
        return self.place.folder / file

    def client(self, port: int) -> Client:
        """The administrator's client of the API server on `port`."""
        url = f"https://{LOCALHOST}:{port}"
        admin = {"certificate": self.path("admin.crt"), "key": self.path("admin.key")}
        return Client(url, ca_pem=self.authority.pem, **admin)


def answers(url: str, *, ca_pem: bytes = b"") -> bool:
    """Whether a GET of `url` is answered with 200, over TLS by somebody that `ca_pem` vouches for."""
    with urllib3.PoolManager(ca_cert_data=ca_pem.decode() or None, retries=False, timeout=2.0) as pool:
        try:
            return pool.request("GET", url).status == 200
        except urllib3.exceptions.HTTPError:
            return False


def start_etcd(place: Place) -> tuple[Server, int]:
    """One etcd for every API server of the lab, each under its own prefix. Returns its client port too."""

    def make(ports: tuple[int, ...]) -> Server:
        client, peer = (f"http://{LOCALHOST}:{port}" for port in ports)
        command: Sequence[str | Path] = (
            find_file("etcd"),
            f"--data-dir={place.folder / f'data-{ports[0]}'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        return Server(name="etcd", command=command, place=place)

    server, ports = start_on_free_ports(2, make, lambda ports: answers(f"http://{LOCALHOST}:{ports[0]}/health"))
    return server, ports[0]


def start_api_server(name: str, files: Files, etcd_port: int) -> tuple[Server, int, Client]:
    """The API server of cluster `name`. Returns its port and the administrator's client too."""
    clients: list[Client] = []

    def make(ports: tuple[int, ...]) -> Server:
        clients[:] = [files.client(ports[0])]
        command = _api_server_command(name, files, etcd_port, ports[0])
        return Server(
            name="kube-apiserver",
            command=command,
            place=files.place,
            patience=3.0,  # then only watches are left, which would hold it for a minute
        )

    server, ports = start_on_free_ports(1, make, lambda _ports: clients[0].is_ready())
    return server, ports[0], clients[0]


def _api_server_command(name: str, files: Files, etcd_port: int, port: int) -> Sequence[str | Path]:
    return (
        find_file("kube-apiserver"),
        f"--etcd-servers=http://{LOCALHOST}:{etcd_port}",
        f"--etcd-prefix=/{name}",
        f"--bind-address={LOCALHOST}",
        f"--secure-port={port}",
        f"--advertise-address={LOCALHOST}",
        "--endpoint-reconciler-type=none",
        *files.serving_flags,
        f"--client-ca-file={files.path('ca.crt')}",
        f"--cert-dir={files.path('api-server')}",
        f"--service-account-issuer=https://{name}.lab.local",
        f"--service-account-signing-key-file={files.path('accounts.key')}",
        f"--service-account-key-file={files.path('accounts.pub')}",
        "--authorization-mode=RBAC",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--allow-privileged=true",
        "--disable-admission-plugins=ServiceAccount",  # no pod needs a token here
        "--anonymous-auth=false",
        "--profiling=false",
        "--event-ttl=10m",
    )


def start_controllers(files: Files) -> Server:
    """The controller manager, with the controllers that make Deployments, EndpointSlices and deletions real."""

    def make(ports: tuple[int, ...]) -> Server:
        command: Sequence[str | Path] = (
            find_file("kube-controller-manager"),
            f"--kubeconfig={files.kubeconfig}",
            f"--bind-address={LOCALHOST}",
            f"--secure-port={ports[0]}",
            "--leader-elect=false",
            f"--controllers={','.join(_CONTROLLERS)}",
            f"--service-account-private-key-file={files.path('accounts.key')}",
            f"--root-ca-file={files.path('ca.crt')}",
            *files.serving_flags,
        )
        return Server(name="kube-controller-manager", command=command, place=files.place)

    return start_on_free_ports(1, make, lambda ports: files.is_healthy(ports[0]))[0]


def start_scheduler(files: Files) -> Server:
    """The scheduler: kwok binds no pod by itself."""

    def make(ports: tuple[int, ...]) -> Server:
        command: Sequence[str | Path] = (
            find_file("kube-scheduler"),
            f"--kubeconfig={files.kubeconfig}",
            f"--bind-address={LOCALHOST}",
            f"--secure-port={ports[0]}",
            "--leader-elect=false",
            *files.serving_flags,
        )
        return Server(name="kube-scheduler", command=command, place=files.place)

    return start_on_free_ports(1, make, lambda ports: files.is_healthy(ports[0]))[0]


def start_kwok(files: Files) -> Server:
    """kwok plays every node: pods become ready and get addresses, but nothing runs and nothing answers there."""

    def make(ports: tuple[int, ...]) -> Server:
        stages = [f"--config={find_file(stage)}" for stage in (*_NODE_STAGES, *_POD_STAGES)]
        command: Sequence[str | Path] = (
            find_file("kwok"),
            f"--kubeconfig={files.kubeconfig}",
            "--manage-all-nodes",
            *stages,
            f"--cidr={POD_RANGE}",
            "--node-ip=10.98.0.1",
            f"--server-address={LOCALHOST}:{ports[0]}",
            "--node-lease-duration-seconds=40",  # without it the node goes NotReady after 50 s
        )
        return Server(name="kwok", command=command, place=files.place)

    return start_on_free_ports(1, make, lambda ports: answers(f"http://{LOCALHOST}:{ports[0]}/healthz"))[0]
