"""The peers of the rows that read a cluster: kubectl, where there is one, what stands in for it, the official client.

Each is at its best: one unpaged answer, its discovery cached by the warm-up, nothing done with what came but what its
own command does.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import kubernetes
import urllib3

from bench.rounds import Contender

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.objects import Kind

    Count = Callable[[], dict[str, float]]

NO_KUBECTL: Final = "there is no kubectl on this machine; what stands in for it starts no process"
GIVE_UP_SECONDS: Final = 600
PIECE: Final = 256 * 1024
CALLS: Final = {
    "services": ("CoreV1Api", "list_service_for_all_namespaces"),
    "deployments": ("AppsV1Api", "list_deployment_for_all_namespaces"),
}


class Peers:
    """Peers of one server, which `kubeconfig` opens, and one kind; their files stand in `folder`.

    `count`: what went over the wire since it was last called.
    """

    def __init__(self, kubeconfig: str, kind: Kind, folder: Path, count: Count) -> None:
        self._config, self._kind, self._count = json.loads(kubeconfig), kind, count
        self._file, self._cache, self._ca = folder / "kubeconfig", folder / "kube-cache", folder / "ca.pem"
        self._file.write_text(kubeconfig, encoding="utf-8")
        cluster = self._config["clusters"][0]["cluster"]
        self._ca.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        self._url = f"{cluster['server']}{kind.path}"
        self._pool = urllib3.PoolManager(ca_certs=str(self._ca))
        self.kubectl = shutil.which("kubectl")

    def kubectl_raw(self) -> Contender:
        """`kubectl get --raw PATH`: one answer, copied out. Only where there is a kubectl."""
        return self._kubectl("kubectl get --raw", "get", "--raw", self._kind.path)

    def kubectl_json(self) -> Contender:
        """`kubectl get KIND -A -o json`. Only where there is a kubectl."""
        name = ".".join(part for part in (self._kind.plural, self._kind.group) if part)
        return self._kubectl("kubectl get -o json", "get", name, "-A", "-o", "json")

    def plain_get(self) -> Contender:
        """One GET of the same unpaged list by urllib3, over a kept connection, that decodes nothing."""
        return Contender("urllib3 GET", self._read, version("urllib3"), count=self._count)

    def plain_json(self) -> Contender:
        """The same, decoded and written out again as kubectl does: indented."""

        def act() -> None:
            json.dumps(json.loads(self._read_all()), indent=4)

        return Contender("urllib3 GET + json", act, version("urllib3"), count=self._count)

    def official(self) -> Contender:
        """The official client, typed: the list as its own models."""
        configuration = kubernetes.client.Configuration()
        configuration.host, configuration.ssl_ca_cert = self._config["clusters"][0]["cluster"]["server"], str(self._ca)
        api, method = CALLS[self._kind.plural]
        client = getattr(kubernetes.client, api)(kubernetes.client.ApiClient(configuration))

        def act() -> None:
            getattr(client, method)()

        return Contender("official client, typed", act, version("kubernetes"), count=self._count)

    def _kubectl(self, name: str, *words: str) -> Contender:
        command = [str(self.kubectl), "--kubeconfig", str(self._file), "--cache-dir", str(self._cache), *words]
        env = os.environ | {"HOME": str(self._cache)}

        def act() -> None:
            done = subprocess.run(  # noqa: S603 - a command of our own
                command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=env,
                check=False,
                timeout=GIVE_UP_SECONDS,
            )
            if done.returncode:
                raise SystemExit(f"{name} failed: {done.stderr.decode(errors='replace')[-400:]}")

        return Contender(name, act, self._kubectl_version(), count=self._count)

    def _kubectl_version(self) -> str:
        command = [str(self.kubectl), "version", "--client", "-o", "json"]
        told = subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603 - as above
        found: dict[str, Any] = json.loads(told.stdout or "{}")
        return str(found.get("clientVersion", {}).get("gitVersion", "unknown"))

    def _read(self) -> None:
        with self._pool.request("GET", self._url, preload_content=False) as answer:
            for _ in answer.stream(PIECE):
                pass

    def _read_all(self) -> bytes:
        return self._pool.request("GET", self._url).data
