"""docs/openapi.yaml is what the API says of itself, and what it says is true."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.validation import validate_schema
from zeal import zeal_ignore

from meshui.rest.schema import openapi
from tests.api_client import Api
from tests.people import as_actor
from tests.traffic.factories import DIGEST, in_review, make_cluster, make_route
from traffic.api import VERBS
from traffic.services.approve import approve_change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

DOC = Path(__file__).resolve().parent.parent / "docs" / "openapi.yaml"
NUMBERED = "/api/v1/changes/{number}/"


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def schema() -> dict[str, Any]:
    """As it is made now; a warning of the maker fails."""
    openapi.cache_clear()
    GENERATOR_STATS.reset()
    made = openapi()
    assert not GENERATOR_STATS, (GENERATOR_STATS._warn_cache, GENERATOR_STATS._error_cache)
    return made


def test_openapi__committed__is_what_the_routes_declare(schema: dict[str, Any]) -> None:
    text = OpenApiYamlRenderer().render(schema, renderer_context={}).decode()  # type: ignore[no-untyped-call]  # spectacular's
    if os.environ.get("MESHUI_UPDATE_GOLDEN"):
        DOC.write_text(text, encoding="utf-8")

    assert schema["openapi"].startswith("3.1")
    validate_schema(schema)  # type: ignore[no-untyped-call]  # spectacular's
    assert DOC.read_text(encoding="utf-8") == text, "run this test with MESHUI_UPDATE_GOLDEN=1 and read the difference"


def test_openapi__verbs__need_if_match_and_say_428(schema: dict[str, Any]) -> None:
    for verb in VERBS:
        said = schema["paths"][f"{NUMBERED}{verb}/"]["post"]

        (condition,) = [each for each in said["parameters"] if each["name"] == "If-Match"]
        assert condition["required"] is True
        assert {"403", "404", "409", "412", "422", "428"} <= set(said["responses"])
        assert "ETag" in said["responses"]["200"]["headers"]


def test_openapi__every_route__has_words_of_its_own(schema: dict[str, Any]) -> None:
    said = [operation for path in schema["paths"].values() for operation in path.values()]

    assert len({operation["operationId"] for operation in said}) == len(said)
    assert len({operation["summary"] for operation in said}) == len(said)
    assert all(operation["security"] for operation in said)


@pytest.mark.django_db
def test_openapi__answers__are_as_it_says(
    client: Client, schema: dict[str, Any], author: User, approver: User, admin: User
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)
    api = Api(client, admin)

    for path, at in {
        "/api/v1/me/": "me/",
        "/api/v1/clusters/": "clusters/",
        "/api/v1/clusters/{slug}/": "clusters/eu-west/",
        "/api/v1/meshes/": "meshes/",
        "/api/v1/services/": "services/",
        "/api/v1/services/{scope}/{namespace}/{name}/": "services/all/shop/checkout/",
        "/api/v1/changes/": "changes/",
        NUMBERED: f"changes/{change.number}/",
        "/api/v1/audit/events/": "audit/events/",
        "/api/v1/audit/events/{seq}/": "audit/events/1/",
    }.items():
        require_valid(schema, path, "200", "application/json", api.get(at))
    require_valid(schema, NUMBERED, "404", "application/problem+json", api.get("changes/99999/", 404))
    require_valid(schema, "/api/v1/changes/", "400", "application/problem+json", api.get("changes/?state=x", 400))


def require_valid(schema: dict[str, Any], path: str, status: str, kind: str, answer: Any) -> None:
    """Fail if `answer` is not what `schema` says, or holds a field that it does not name."""
    said = schema["paths"][path]["get"]["responses"][status]["content"][kind]["schema"]
    components = json.loads(json.dumps(schema["components"]))
    for component in components["schemas"].values():
        component.setdefault("additionalProperties", False)
    whole = said | {"components": components, "$schema": "https://json-schema.org/draft/2020-12/schema"}
    jsonschema.validate(answer, whole)
