"""A real Prometheus: Debian's package, unpacked into the lab's cache without being installed.

`start_prometheus` serves samples that are already there (made into blocks by promtool), so that nobody waits for
scrapes; or it scrapes what it is told to.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import urllib3

from lab.pki import Authority, KeyPair
from lab.processes import Place, Server, ServerError, start_on_free_ports
from lab.recipes import cache_folder
from lab.servers import answers

LOCALHOST = "127.0.0.1"
PACKAGE = "prometheus"
UPSTREAM = "2.42.0"
USER = "meshui"
PASSWORD = "lab-password"  # noqa: S105 - of a server that lives for one test, on loopback
_PASSWORD_HASH = "$2b$04$BGEgSgvYmklHxGqRMcj.7uMaQxaeVkTvRWpePT5ZZ21dSaM1hW4ZW"  # noqa: S105 - bcrypt of it
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+~-]*\Z")


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """A running server over TLS, that wants USER and PASSWORD, with all that its data folder held."""

    server: Server
    url: str
    ca_pem: bytes

    def get(self, path: str, **fields: str) -> dict[str, object]:
        """The decoded answer of its API at `path`. Raises ServerError for anything but 200."""
        with urllib3.PoolManager(ca_cert_data=self.ca_pem.decode(), retries=False, timeout=10.0) as pool:
            headers = urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")
            answer = pool.request("GET", f"{self.url}{path}", fields=fields, headers=headers)
            if answer.status != 200:
                raise ServerError(f"Prometheus answered {answer.status}: {answer.data[:500]!r}")
            found: dict[str, object] = answer.json()
            return found


def prometheus_folder() -> Path:
    """The folder with `prometheus` and `promtool`, downloaded with apt once a version.

    Raises FileNotFoundError that says what is missing: apt, or the package in its lists.
    """
    found = sorted(cache_folder().glob(f"{PACKAGE}-{UPSTREAM}*/promtool"))
    if found:
        return found[-1].parent
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise FileNotFoundError("Prometheus of the lab comes from Debian's package: apt-get and dpkg are not here.")
    version = _candidate()
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=cache_folder()) as name:
        folder = Path(name)
        unpacked = folder / "unpacked"
        _run(["apt-get", "download", f"{PACKAGE}={version}"], folder)
        _run(["dpkg", "-x", str(next(folder.glob("*.deb"))), str(unpacked)], folder)
        final = cache_folder() / f"{PACKAGE}-{version}"
        try:
            (unpacked / "usr" / "bin").rename(final)
        except OSError:  # somebody else was faster
            if not (final / "promtool").exists():
                raise
        return final


def _candidate() -> str:
    """The version of the package that apt would take; its lists are renewed once if they do not know it."""
    found = _known()
    if not found and os.geteuid() == 0:
        _run(["apt-get", "update", "-q"], Path("/"))
        found = _known()
    if not found:
        raise FileNotFoundError(f"apt has no {PACKAGE} {UPSTREAM}: run `apt-get update`, then once more.")
    return found


def _known() -> str:
    """The version that the lists of apt know, if it is of the release that is wanted; empty otherwise."""
    found = re.search(r"Candidate: (\S+)", _run(["apt-cache", "policy", PACKAGE], Path("/")))
    is_wanted = found is not None and _VERSION.match(found[1]) and found[1].startswith(UPSTREAM)
    return found[1] if found and is_wanted else ""


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise FileNotFoundError(f"`{' '.join(command)}` failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def make_blocks(openmetrics: str, place: Place) -> Path:
    """A data folder that holds the samples of `openmetrics` (with times in seconds, and `# EOF` at its end)."""
    source, target = place.folder / "samples.om", place.folder / "data"
    source.write_text(openmetrics)
    promtool = prometheus_folder() / "promtool"
    _run([str(promtool), "tsdb", "create-blocks-from", "openmetrics", str(source), str(target)], place.folder)
    return target


def start_prometheus(place: Place, data: Path, *, jobs: Sequence[Mapping[str, object]] = ()) -> Prometheus:
    """One server over `data`, on a free port of loopback, with a certificate of an authority of its own.

    `jobs` as in `scrape_configs` of its configuration.
    """
    authority = Authority.create("prometheus-ca")
    pair = authority.issue_server("prometheus", hosts=("localhost",), addresses=(LOCALHOST,))
    _write_config(place.folder, jobs)
    _write_opening(place.folder, pair)
    made: list[Prometheus] = []

    def make(ports: tuple[int, ...]) -> Server:
        opening = f"--web.config.file={place.folder / 'web.yml'}"
        server = _server(place, data, f"{LOCALHOST}:{ports[0]}", opening)
        made[:] = [Prometheus(server=server, url=f"https://{LOCALHOST}:{ports[0]}", ca_pem=authority.pem)]
        return server

    start_on_free_ports(1, make, lambda _ports: _is_ready(made[0]))
    return made[0]


def start_open_prometheus(place: Place, data: Path, listen: str, jobs: Sequence[Mapping[str, object]]) -> Server:
    """One without TLS and password at `listen` (host:port), as it stands in a cluster behind the API server."""
    _write_config(place.folder, jobs)
    server = _server(place, data, listen)
    server.start()
    server.wait_ready(lambda: answers(f"http://{listen}/-/ready"))
    return server


def _server(place: Place, data: Path, listen: str, *more: str) -> Server:
    command: tuple[str | Path, ...] = (
        prometheus_folder() / "prometheus",
        f"--config.file={place.folder / 'prometheus.yml'}",
        f"--web.listen-address={listen}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        "--log.level=warn",
        *more,
    )
    return Server(name="prometheus", command=command, place=place)


def _is_ready(prometheus: Prometheus) -> bool:
    try:
        return prometheus.get("/api/v1/status/runtimeinfo").get("status") == "success"
    except (ServerError, urllib3.exceptions.HTTPError):
        return False


def _write_config(folder: Path, jobs: Sequence[Mapping[str, object]]) -> None:
    config = {"global": {"scrape_interval": "15s"}, "scrape_configs": list(jobs)}
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML


def _write_opening(folder: Path, pair: KeyPair) -> None:
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").touch(mode=0o600)
    (folder / "tls.key").write_bytes(pair.key)
    (folder / "web.yml").write_text(
        "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"
        f'basic_auth_users: {{{USER}: "{_PASSWORD_HASH}"}}\n'
    )
