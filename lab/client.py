"""A small Kubernetes client for test data and independent reads, apart from the product's own code paths."""

import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import urllib3
import yaml

from lab.waiting import until

Object = dict[str, Any]

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_TIMEOUT = urllib3.Timeout(connect=5.0, read=60.0)
_FIRST = {"Namespace": 0, "CustomResourceDefinition": 1}
_ESTABLISH_SECONDS = 120.0


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    body: Object


class ApiError(Exception):
    """The API server refused; `status` and `body` are its own."""

    def __init__(self, what: str, answer: Answer) -> None:
        self.status = answer.status
        self.body = answer.body
        super().__init__(f"{what}: HTTP {answer.status} {answer.body.get('message', '')}")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One served resource, from discovery."""

    group: str
    version: str
    kind: str
    plural: str
    is_namespaced: bool
    has_status: bool

    @classmethod
    def from_discovery(cls, group: str, version: str, entry: Object) -> Self:
        """Read one resource of an APIGroupDiscoveryList."""
        return cls(
            group=group,
            version=version,
            kind=entry["responseKind"]["kind"],
            plural=entry["resource"],
            is_namespaced=entry["scope"] == "Namespaced",
            has_status=any(sub["subresource"] == "status" for sub in entry.get("subresources", ())),
        )

    def is_called(self, name: str) -> bool:
        """Whether `name` is this kind: `Kind`, `Kind.group`, `plural` or `plural.group`."""
        group = f".{self.group}" if self.group else ""
        return name in (self.kind, self.plural, self.kind + group, self.plural + group)

    def path(self, namespace: str, name: str = "") -> str:
        """The URL path of the collection or of one object in it."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        within = f"/namespaces/{namespace}" if self.is_namespaced and namespace else ""
        return f"{base}{within}/{self.plural}" + (f"/{name}" if name else "")


class Client:
    """The API of one cluster for its administrator, or for whoever a token names."""

    def __init__(self, url: str, *, ca_pem: bytes, certificate: Path, key: Path) -> None:
        self._url = url
        self._trusting = ssl.create_default_context(cadata=ca_pem.decode())
        signed_in = ssl.create_default_context(cadata=ca_pem.decode())
        signed_in.load_cert_chain(certificate, key)
        self._as_admin = urllib3.PoolManager(ssl_context=signed_in, timeout=_TIMEOUT, retries=False)
        self._as_other = urllib3.PoolManager(ssl_context=self._trusting, timeout=_TIMEOUT, retries=False)
        self._resources: tuple[Resource, ...] = ()

    def close(self) -> None:
        """Close every connection."""
        self._as_admin.clear()
        self._as_other.clear()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        token: str = "",
    ) -> Answer:
        """One request as it is; a refusal is an Answer too. Raises urllib3's errors if nothing answers."""
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        target = self._url + path + (f"?{urlencode(query)}" if query else "")
        sent = None if body is None else json.dumps(body).encode()
        pool = self._as_other if token else self._as_admin
        response = pool.request(method, target, body=sent, headers=headers)
        return Answer(response.status, _parsed(response.data))

    def is_ready(self) -> bool:
        """Whether /readyz says ok."""
        try:
            return self.request("GET", "/readyz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def resource(self, kind: str, api_version: str = "") -> Resource:
        """The resource that `kind` names; asks discovery again if it is not known yet.

        Raises LookupError if there is none or if a bare name is in several groups.
        """
        for is_fresh in (False, True):
            if is_fresh:
                self._resources = self._discover()
            found = [item for item in self._resources if item.is_called(kind) and _is_in(item, api_version)]
            groups = sorted({item.group for item in found})
            if len(groups) > 1 and groups[0]:  # the core group wins, as with kubectl
                raise LookupError(f"{kind} is in several groups: write {' or '.join(f'{kind}.{g}' for g in groups)}.")
            if found:
                return next(item for item in found if item.group == groups[0])
        raise LookupError(f"This cluster serves no {kind} {api_version}".rstrip() + ".")

    def create(self, item: Object) -> Object:
        """POST one object and, if it has one, its status. Raises ApiError."""
        resource = self.resource(item["kind"], item["apiVersion"])
        namespace = item["metadata"].get("namespace", "default")
        created = self._sent("POST", resource.path(namespace), item)
        if not (resource.has_status and item.get("status")):
            return created
        path = resource.path(namespace, created["metadata"]["name"]) + "/status"
        return self._sent("PATCH", path, {"status": item["status"]}, "application/merge-patch+json")

    def load(self, objects: Iterable[Object]) -> list[Object]:
        """Create all, namespaces and CRDs first, and wait until the CRDs are served. Raises ApiError."""
        ordered = sorted(objects, key=lambda item: _FIRST.get(item["kind"], 2))
        definitions = [item for item in ordered if item["kind"] == "CustomResourceDefinition"]
        others = [item for item in ordered if item["kind"] not in _FIRST]
        created = [self.create(item) for item in ordered if item["kind"] in _FIRST]
        if definitions:
            until(lambda: self._serves(definitions), seconds=_ESTABLISH_SECONDS, what="the CRDs to be served")
        return created + [self.create(item) for item in others]

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """The object as it is now. Raises KeyError if it is absent, ApiError for any other refusal."""
        resource = self.resource(kind)
        answer = self.request("GET", resource.path(namespace, name))
        if answer.status == 404:
            raise KeyError(f"{kind} {namespace}/{name}")
        return self._checked(f"GET {kind} {name}", answer)

    def list(self, kind: str, namespace: str = "") -> "list[Object]":
        """All objects of a kind, in one namespace or in all. Raises ApiError."""
        answer = self.request("GET", self.resource(kind).path(namespace))
        items: list[Object] = self._checked(f"LIST {kind}", answer)["items"]
        return items

    def put(self, kind: str, item: Object, *, manager: str) -> Object:
        """Replace an object in the name of field manager `manager`. Raises ApiError."""
        metadata = item["metadata"]
        path = self.resource(kind).path(metadata.get("namespace", ""), metadata["name"])
        return self._checked(f"PUT {path}", self.request("PUT", path, body=item, query={"fieldManager": manager}))

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """Delete an object. Raises KeyError if it is absent, ApiError for any other refusal."""
        answer = self.request("DELETE", self.resource(kind).path(namespace, name))
        if answer.status == 404:
            raise KeyError(f"{kind} {namespace}/{name}")
        self._checked(f"DELETE {kind} {name}", answer)

    def _sent(self, method: str, path: str, body: Object, content_type: str = "application/json") -> Object:
        return self._checked(f"{method} {path}", self.request(method, path, body=body, content_type=content_type))

    @staticmethod
    def _checked(what: str, answer: Answer) -> Object:
        if answer.status >= 300:
            raise ApiError(what, answer)
        return answer.body

    def _discover(self) -> tuple[Resource, ...]:
        found = []
        for root in ("/api", "/apis"):
            headers = {"Accept": _DISCOVERY}
            response = self._as_admin.request("GET", self._url + root, headers=headers)
            for group in json.loads(response.data)["items"]:
                for version in group["versions"]:
                    entries = version.get("resources", ())
                    name = group["metadata"].get("name", "")
                    found += [Resource.from_discovery(name, version["version"], entry) for entry in entries]
        return tuple(found)

    def _serves(self, definitions: Iterable[Object]) -> bool:
        served = {(item.group, item.version, item.plural) for item in self._discover()}
        wanted = {
            (item["spec"]["group"], version["name"], item["spec"]["names"]["plural"])
            for item in definitions
            for version in item["spec"]["versions"]
            if version["served"]
        }
        return wanted <= served


def parse_yaml(text: str) -> list[Object]:
    """Every object in `text`."""
    return [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]


def _is_in(item: Resource, api_version: str) -> bool:
    own = f"{item.group}/{item.version}" if item.group else item.version
    return api_version in ("", own)


def _parsed(data: bytes) -> Object:
    try:
        parsed = json.loads(data) if data else {}
    except ValueError:
        return {"message": data.decode(errors="replace")}
    return parsed if isinstance(parsed, dict) else {"message": str(parsed)}
