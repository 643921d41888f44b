"""One request on its way through the server, and what the server is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from playground.apiserver import errors
from playground.apiserver.errors import FieldError
from playground.apiserver.ownership import manager_of
from playground.apiserver.resources import Resource
from playground.apiserver.store import key_of

if TYPE_CHECKING:
    import threading

    from playground.apiserver.admission import Admission
    from playground.apiserver.auth import Authenticator
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.messages import Request, Target, User
    from playground.apiserver.proxying import Reach
    from playground.apiserver.rbac import Authorizer
    from playground.apiserver.resources import Registry
    from playground.apiserver.store import Store

OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}
FIELD_VALIDATIONS = ("Ignore", "Strict", "Warn")
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"


@dataclass(slots=True)
class Core:
    """The parts of one server."""

    store: Store
    registry: Registry
    authenticator: Authenticator
    authorizer: Authorizer
    admission: Admission
    stopping: threading.Event
    watch_epoch: int = 0  # raised to end all watches with 410
    bookmark_seconds: float = 60.0
    reach: Reach | None = None  # what listens on the ports of pods


@dataclass(slots=True)
class Call:
    """A request that is signed in, allowed, and names a kind."""

    core: Core
    request: Request
    user: User
    target: Target
    resource: Resource
    warnings: list[str] = field(default_factory=list)
    is_trusted: bool = False  # made by the playground itself: no admission, status kept

    @property
    def key(self) -> str:
        """The key in the store of the object that the URL names."""
        return key_of(self.target.namespace if self.resource.namespaced else "", self.target.name)

    @property
    def is_dry_run(self) -> bool:
        """Tell whether nothing shall be kept."""
        return self.request.query.get("dryRun") == "All"

    @property
    def manager(self) -> str:
        """The field manager."""
        return manager_of(self.request.query.get("fieldManager", ""), self.request.user_agent)

    @property
    def partial(self) -> str:
        """The kind that the client asks for first, if that is metadata alone: an object's, or a list's."""
        first = self.request.headers.get("accept", "").partition(",")[0].replace(" ", "")
        return next((kind for kind in (PARTIAL_LIST, PARTIAL) if f"as={kind}" in first.split(";")), "")

    @property
    def wants_partial(self) -> bool:
        """Tell whether the client asks for metadata alone."""
        return bool(self.partial)

    def on(self, name: str, namespace: str = "") -> Call:
        """Return the same call, meant for one object."""
        place = namespace or self.target.namespace
        return replace(self, target=replace(self.target, name=name, namespace=place))

    def check_options(self) -> None:
        """Refuse query parameters of a write that mean nothing. Raises ApiError 422."""
        query, faults = self.request.query, []
        if query.get("dryRun", "All") != "All":
            text = f'Unsupported value: ["{query["dryRun"]}"]: supported values: "All"'
            faults.append(FieldError("dryRun", text, "FieldValueNotSupported"))
        if query.get("fieldValidation", "Warn") not in {*FIELD_VALIDATIONS, ""}:
            known = ", ".join(f'"{each}"' for each in FIELD_VALIDATIONS)
            text = f'Unsupported value: "{query["fieldValidation"]}": supported values: {known}'
            faults.append(FieldError("fieldValidation", text, "FieldValueNotSupported"))
        if len(query.get("fieldManager", "")) > 128:
            text = "Too long: may not be more than 128 bytes"
            faults.append(FieldError("fieldManager", text, "FieldValueTooLong"))
        if faults:
            kind = OPTIONS[self.request.method]
            raise errors.invalid(Resource("meta.k8s.io", "v1", "", kind), "", faults)

    def complain(self, obj: Json, complaints: list[str]) -> None:
        """Treat what strict decoding found as `fieldValidation` says: refuse, warn (the default), or ignore."""
        if not complaints or self.request.query.get("fieldValidation") == "Ignore":
            return
        if self.request.query.get("fieldValidation") == "Strict":
            raise self.cannot_be_handled(obj, f"strict decoding error: {', '.join(complaints)}")
        self.warnings += complaints

    def cannot_be_handled(self, obj: Json, why: str) -> errors.ApiError:
        """Return the refusal of an object that cannot be decoded: 422 for what a patch makes, else 400."""
        if self.request.method == "PATCH":
            return errors.invalid_result(obj, why)
        kind, version = self.resource.kind, self.resource.version
        return errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')
