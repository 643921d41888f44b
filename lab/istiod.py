"""istiod beside a cluster: Istio's CRDs, the real control plane, and its validating webhook in the API server."""

from collections.abc import Sequence
from pathlib import Path

from lab.client import ApiError, Client, Object, parse_yaml
from lab.processes import Server, start_on_free_ports
from lab.recipes import find_file
from lab.servers import LOCALHOST, Files, answers
from lab.waiting import until

SYSTEM = "istio-system"
WEBHOOK = "istiod-default-validator"
_GROUPS = ("security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io")
_ENVIRONMENT = {
    "POD_NAMESPACE": SYSTEM,
    "REVISION": "default",
    "PILOT_CERT_PROVIDER": "istiod",
    "ENABLE_LEADER_ELECTION": "false",
    "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    "INJECTION_WEBHOOK_CONFIG_NAME": "",
    "INJECT_ENABLED": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_DISABLE_MX_ALPN": "true",
    "ISTIOD_CUSTOM_HOST": "localhost",
}
MESH_CONFIG = """\
trustDomain: cluster.local
rootNamespace: istio-system
enableAutoMtls: false
outboundTrafficPolicy:
  mode: ALLOW_ANY
"""


def load_istio_crds(client: Client) -> None:
    """Every CRD of Istio's base chart, served when this returns."""
    client.load(parse_yaml(find_file("crd-all.gen.yaml").read_text()))


def start_istiod(name: str, files: Files, client: Client) -> tuple[Server, int]:
    """istiod for cluster `name`, whose API server asks it about every Istio object when this returns.

    Returns the port of loopback where it configures Envoys (xDS, without TLS), too.
    """
    client.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}])
    mesh = files.path("mesh.yaml")
    mesh.write_text(MESH_CONFIG)

    def make(ports: tuple[int, ...]) -> Server:
        environment = {**_ENVIRONMENT, "POD_NAME": f"istiod-{name}", "CLUSTER_ID": name}
        command = _command(name, files.kubeconfig, mesh, ports)
        return Server(name="istiod", command=command, place=files.place, environment=environment)

    server, ports = start_on_free_ports(6, make, lambda ports: answers(f"http://{LOCALHOST}:{ports[0]}/ready"))
    _install_webhook(client, https_port=ports[1])
    return server, ports[2]


def _command(name: str, kubeconfig: Path, mesh: Path, ports: tuple[int, ...]) -> Sequence[str | Path]:
    http, https, grpc, secure_grpc, monitoring, control = ports
    return (
        find_file("pilot-discovery"),
        "discovery",
        f"--kubeconfig={kubeconfig}",
        f"--meshConfig={mesh}",
        f"--namespace={SYSTEM}",
        f"--clusterID={name}",
        f"--httpAddr={LOCALHOST}:{http}",
        f"--httpsAddr={LOCALHOST}:{https}",
        f"--grpcAddr={LOCALHOST}:{grpc}",
        f"--secureGRPCAddr={LOCALHOST}:{secure_grpc}",
        f"--monitoringAddr={LOCALHOST}:{monitoring}",
        f"--ctrlz_address={LOCALHOST}",
        f"--ctrlz_port={control}",
    )


def _install_webhook(client: Client, *, https_port: int) -> None:
    until(lambda: bool(_own_ca(client)), seconds=60, what="istiod to write its certificate authority")
    webhook = {
        "name": "rev.validation.istio.io",
        "clientConfig": {"url": f"https://localhost:{https_port}/validate", "caBundle": _own_ca(client)},
        "rules": [{"operations": ["CREATE", "UPDATE"], "apiGroups": _GROUPS, "apiVersions": ["*"], "resources": ["*"]}],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    client.create(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": WEBHOOK, "labels": {"app": "istiod", "istio.io/rev": "default"}},
            "webhooks": [webhook],
        }
    )
    until(lambda: _refuses_nonsense(client), seconds=60, what="the API server to ask istiod's webhook")


def _own_ca(client: Client) -> str:
    """The base64 of istiod's authority; empty while it has none."""
    try:
        secret = client.get("Secret", "istio-ca-secret", SYSTEM)
    except KeyError:
        return ""
    return str(secret.get("data", {}).get("ca-cert.pem", ""))


def _refuses_nonsense(client: Client) -> bool:
    """Whether a dry-run Gateway that no webhook would let pass is refused by istiod itself."""
    nonsense: Object = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "probe", "namespace": SYSTEM},
        "spec": {"hosts": ["probe"], "http": [{"route": [{"destination": {"host": "probe"}, "weight": -5}]}]},
    }
    path = client.resource("VirtualService", "networking.istio.io/v1").path(SYSTEM)
    answer = client.request("POST", path, body=nonsense, query={"dryRun": "All"})
    if answer.status in (201, 500):  # not asked yet, or asked and not answered yet
        return False
    if answer.status == 400 and "admission webhook" in answer.body["message"]:
        return True
    raise ApiError("The probe of istiod's webhook", answer)
