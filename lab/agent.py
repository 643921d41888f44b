"""In place of pilot-agent: serves `:15020/stats/prometheus` of pods whose sidecars are plain Envoys.

Istio's metrics come from a filter that only Istio's own build of Envoy has. Here they are DERIVED from counters of each
pod's real Envoy: `istio_requests_total` from `envoy_cluster_upstream_rq`, durations from `…_upstream_rq_time_bucket`.
Nothing is counted or estimated here; what a plain Envoy cannot know (who called a server) is `unknown`.

It is started as `python agent.py PODS.json`. Standard library only.
"""

import json
import re
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 15020
PATH = "/stats/prometheus"
_SECONDS = 5.0
_LINE = re.compile(r"(?P<metric>envoy_cluster_upstream_rq(?:_time_bucket)?)\{(?P<labels>[^}]*)\} (?P<value>\S+)")
_LABEL = re.compile(r'([a-z_.]+)="([^"]*)"')
_OUTBOUND = re.compile(
    r"outbound\|\d+\|(?P<subset>[^|]*)\|(?P<service>[^.|]+)\.(?P<namespace>[^.|]+)\.svc\.cluster\.local"
)
_METRICS = {
    "envoy_cluster_upstream_rq": "istio_requests_total",
    "envoy_cluster_upstream_rq_time_bucket": "istio_request_duration_milliseconds_bucket",
}


def derived(text: str, pod: Mapping[str, str]) -> str:
    """Istio's metrics of one proxy, from its Envoy's page `text`.

    `pod`: namespace, workload, service and version (both may be empty). Requests that it sent on to a Service are told
    as by a client (`reporter="source"`), those that it let in as by a server (`destination`).
    """
    lines = [f"# TYPE {name.removesuffix('_bucket')} {kind}" for name, kind in _types()]
    return "\n".join([*lines, *_samples(text, pod), ""])


def _types() -> Iterator[tuple[str, str]]:
    yield "istio_requests_total", "counter"
    yield "istio_request_duration_milliseconds_bucket", "histogram"


def _samples(text: str, pod: Mapping[str, str]) -> Iterator[str]:
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        told = dict(_LABEL.findall(match["labels"])) if match else {}
        ends = _ends(told.get("cluster_name", ""), pod)
        if match and ends:
            own = {"response_code": told.get("envoy_response_code", ""), "le": told.get("le", "")}
            labels = {**ends, **{name: value for name, value in own.items() if value}}
            inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
            yield f"{_METRICS[match['metric']]}{{{inside}}} {match['value']}"


def _ends(cluster: str, pod: Mapping[str, str]) -> dict[str, str]:
    """Who called whom, of an Envoy's cluster; empty where it is about neither."""
    if outbound := _OUTBOUND.fullmatch(cluster):
        return {
            "reporter": "source",
            "source_workload": pod["workload"],
            "source_workload_namespace": pod["namespace"],
            "destination_workload": "unknown",
            "destination_service_name": outbound["service"],
            "destination_service_namespace": outbound["namespace"],
            "destination_version": outbound["subset"] or "unknown",
        }
    if cluster.startswith("inbound|"):
        return {
            "reporter": "destination",
            "source_workload": "unknown",
            "source_workload_namespace": "unknown",
            "destination_workload": pod["workload"],
            "destination_service_name": pod["service"] or "unknown",
            "destination_service_namespace": pod["namespace"],
            "destination_version": pod["version"] or "unknown",
        }
    return {}


class _Server(ThreadingHTTPServer):
    """Serves one pod's page."""

    def __init__(self, pod: Mapping[str, str]) -> None:
        self.pod = pod
        super().__init__((pod["address"], int(pod["port"])), _Page)


class _Page(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path != PATH:
            self.send_error(404)
            return
        pod = self.server.pod
        with urllib.request.urlopen(pod["page"], timeout=_SECONDS) as answer:  # noqa: S310 - http to loopback
            body = derived(answer.read().decode(), pod).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
        """Nothing: somebody asks each second."""


def main(file: str) -> None:
    """Serve until the end. `file`: pods as `derived` takes them, with `address`, `port` and `page`, its Envoy's own."""
    threads = [threading.Thread(target=_Server(pod).serve_forever) for pod in json.loads(Path(file).read_text())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1])
