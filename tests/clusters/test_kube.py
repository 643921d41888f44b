"""Reader and writer against an emulated API server: what they send, and which error each answer becomes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from clusters.clients import (
    BadAnswerError,
    ClusterError,
    CredentialRejectedError,
    ForbiddenError,
    GuardedPatch,
    InvalidObjectError,
    LostRaceError,
    NotSentError,
    ObjectGoneError,
    ObjectRef,
    OutcomeUnknownError,
    PatchOperation,
    Resource,
    ThrottledError,
)
from clusters.connect import tls_context
from clusters.endpoints import PinnedPool, Policy, parse_endpoint, resolve
from clusters.kube import KubeWriter
from clusters.kube_lists import KubeReader, Transport, error_for
from clusters.kubeconfig import parse_kubeconfig
from clusters.secrets import Opened
from playground import worlds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshui.lib.jsontypes import JsonObject
    from playground.cluster import EmulatedCluster

SERVICES = Resource("", "v1", "services", "Service")
ROUTES = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
CHECKOUT = ObjectRef(ROUTES, "shop", "checkout")
WEIGHT = "/spec/http/0/route/{}/weight"


class HasKubeconfig(Protocol):
    """An emulated or a real cluster."""

    def admin_kubeconfig(self) -> str:
        """Of somebody with all rights."""


def transport_of(cluster: HasKubeconfig, text: str = "") -> Transport:
    """As connect makes it of a kubeconfig."""
    parsed = parse_kubeconfig((text or cluster.admin_kubeconfig()).encode())
    opened = Opened(parsed.token, parsed.certificate_pem, parsed.key_pem, parsed.ca_pem, skips_tls_verification=False)
    endpoint, context = parse_endpoint(parsed.server), tls_context(opened)
    policy = Policy(allows_loopback=True)
    return Transport(
        endpoint,
        lambda: PinnedPool(endpoint, resolve(endpoint, policy), context, connect=2, read=2),
        {"Authorization": f"Bearer {parsed.token.reveal()}"} if parsed.token else {},
    )


@pytest.fixture(scope="module")
def shared() -> Iterator[EmulatedCluster]:
    """One cluster for the tests of this module that mend what they change."""
    from playground.cluster import EmulatedCluster  # noqa: PLC0415 - only here, beside the type

    with EmulatedCluster("shared") as cluster:
        cluster.load(worlds.eu_west())
        cluster.settle()
        yield cluster


@pytest.fixture
def server(shared: EmulatedCluster) -> Iterator[EmulatedCluster]:
    """The cluster, without faults and with checkout at 90/10."""
    shared.server.faults.clear()
    yield shared
    shared.server.faults.clear()
    shared.edit("VirtualService", "checkout", "shop", lambda body: _set_weights(body, 90, 10))


@pytest.fixture
def writer(server: EmulatedCluster) -> Iterator[KubeWriter]:
    """A writer with all rights."""
    made = KubeWriter(transport_of(server), field_manager="meshui")
    yield made
    made.close()


@pytest.fixture
def reader(server: EmulatedCluster) -> Iterator[KubeReader]:
    """A reader with all rights."""
    made = KubeReader(transport_of(server))
    yield made
    made.close()


def _set_weights(body: dict[str, Any], *weights: int) -> None:
    for entry, weight in zip(body["spec"]["http"][0]["route"], weights, strict=True):
        entry["weight"] = weight


def patch_of(body: JsonObject, *, old: int = 90, new: int = 75, ref: ObjectRef = CHECKOUT) -> GuardedPatch:
    """The guarded write of a weight, as adapters make it."""
    metadata: Any = body["metadata"]
    return GuardedPatch(
        ref,
        (
            PatchOperation("test", "/metadata/uid", metadata["uid"]),
            PatchOperation("test", "/metadata/resourceVersion", metadata["resourceVersion"]),
            PatchOperation("test", WEIGHT.format(0), old),
            PatchOperation("replace", WEIGHT.format(0), new),
            PatchOperation("replace", WEIGHT.format(1), 100 - new),
        ),
    )


def live(writer: KubeWriter) -> JsonObject:
    """The object as it is."""
    body = writer.read(CHECKOUT)
    assert body is not None
    return body


def weights(body: JsonObject | None) -> list[int]:
    """Of its first rule."""
    spec: Any = (body or {})["spec"]
    return [entry["weight"] for entry in spec["http"][0]["route"]]


def test_write__good__json_patch_with_our_manager_strict_and_once(writer: KubeWriter, server: EmulatedCluster) -> None:
    sent_before = len(server.server.requests)

    body = writer.write(patch_of(live(writer)))

    sent = [r for r in server.server.requests[sent_before:] if r.method == "PATCH"]
    assert weights(body) == [75, 25]
    assert len(sent) == 1
    assert sent[0].content_type == "application/json-patch+json"
    assert sent[0].query == {"fieldManager": "meshui", "fieldValidation": "Strict"}
    assert json.loads(sent[0].body)[0]["op"] == "test"
    managers: Any = live(writer)["metadata"]
    assert any(entry["manager"] == "meshui" for entry in managers["managedFields"])
    assert server.server.violations == []


def test_dry_run__good__answers_and_stores_nothing(writer: KubeWriter, server: EmulatedCluster) -> None:
    before = live(writer)

    body = writer.dry_run(patch_of(before))

    assert weights(body) == [75, 25]
    assert live(writer) == before
    assert server.server.requests[-2].query["dryRun"] == "All"


@pytest.mark.parametrize("case", ["foreign edit", "wrong weight", "path gone", "wrong uid"])
def test_write__test_failed__lost_race_and_nothing_written(
    case: str, writer: KubeWriter, server: EmulatedCluster
) -> None:
    body = live(writer)
    patch = patch_of(body, old=50 if case == "wrong weight" else 90)
    if case == "foreign edit":
        server.edit("VirtualService", "checkout", "shop", lambda found: _set_weights(found, 80, 20))
    elif case == "path gone":
        patch = GuardedPatch(CHECKOUT, (PatchOperation("replace", WEIGHT.format(7), 1),))
    elif case == "wrong uid":
        patch = GuardedPatch(CHECKOUT, (PatchOperation("test", "/metadata/uid", "x"), *patch.operations))
    before = live(writer)

    with pytest.raises(LostRaceError) as lost:
        writer.write(patch)

    assert lost.value.status == 422
    assert not lost.value.retryable
    assert live(writer) == before


def test_write__schema_or_unknown_field__invalid_with_the_servers_words(writer: KubeWriter) -> None:
    body = live(writer)
    wrong_type = GuardedPatch(CHECKOUT, (*patch_of(body).operations, PatchOperation("replace", WEIGHT.format(0), "x")))
    unknown = GuardedPatch(CHECKOUT, (*patch_of(body).operations, PatchOperation("add", "/spec/wieght", 1)))

    for patch, words in ((wrong_type, "weight"), (unknown, "wieght")):
        with pytest.raises(InvalidObjectError, match=words) as refused:
            writer.write(patch)
        assert refused.value.status in {400, 422}
    assert weights(live(writer)) == [90, 10]


def test_write__denied_by_admission__invalid_with_the_webhooks_words(writer: KubeWriter) -> None:
    negative = GuardedPatch(
        CHECKOUT, (*patch_of(live(writer)).operations, PatchOperation("replace", WEIGHT.format(0), -1))
    )

    with pytest.raises(InvalidObjectError, match="weight"):
        writer.write(negative)


def test_write__object_deleted__gone(writer: KubeWriter) -> None:
    patch = patch_of(live(writer), ref=ObjectRef(ROUTES, "shop", "no-such"))

    with pytest.raises(ObjectGoneError):
        writer.write(patch)

    assert writer.read(ObjectRef(ROUTES, "shop", "no-such")) is None


def test_write__without_right__forbidden_and_names_it(server: EmulatedCluster) -> None:
    rules = [{"apiGroups": ["networking.istio.io"], "resources": ["virtualservices"], "verbs": ["get"]}]
    server.grant("poor", rules)
    writer = KubeWriter(transport_of(server, server.kubeconfig("poor")), field_manager="meshui")

    with pytest.raises(ForbiddenError, match="virtualservices") as refused:
        writer.write(patch_of(live(writer)))

    assert "patch" in refused.value.message
    writer.close()


def test_read__token_revoked__credential_rejected(server: EmulatedCluster) -> None:
    text = server.kubeconfig("ada", ["system:masters"])
    reader = KubeReader(transport_of(server, text))
    assert reader.version().git_version

    server.server.revoke_token(parse_kubeconfig(text.encode()).token.reveal())

    with pytest.raises(CredentialRejectedError):
        reader.version()
    reader.close()


def test_read__client_certificate__signed_in(server: EmulatedCluster) -> None:
    reader = KubeReader(transport_of(server, server.admin_kubeconfig(certificate=True)))

    assert reader.identity().uid == server.uid
    reader.close()


FAULTS: dict[str, tuple[Callable[[Any], None], type[ClusterError], bool]] = {
    "reply dropped": (lambda faults: faults.drop_reply(method="PATCH"), OutcomeUnknownError, True),
    "request dropped": (lambda faults: faults.drop_request(method="PATCH"), OutcomeUnknownError, False),
    "body cut": (lambda faults: faults.cut_body(method="PATCH"), OutcomeUnknownError, True),
    "black hole": (lambda faults: faults.black_hole(method="PATCH"), OutcomeUnknownError, False),
    "500": (lambda faults: faults.answer(500, method="PATCH"), OutcomeUnknownError, False),
    "503": (lambda faults: faults.answer(503, method="PATCH"), OutcomeUnknownError, False),
    "409": (lambda faults: faults.answer(409, method="PATCH"), LostRaceError, False),
    "429": (lambda faults: faults.answer(429, retry_after=7, method="PATCH"), ThrottledError, False),
    "redirect": (lambda faults: faults.redirect("http://169.254.169.254/", method="PATCH"), BadAnswerError, False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_write__each_fault__its_class_and_never_sent_again(
    fault: str, writer: KubeWriter, server: EmulatedCluster
) -> None:
    arm, expected, is_applied = FAULTS[fault]
    patch = patch_of(live(writer))
    sent_before = len([r for r in server.server.requests if r.method == "PATCH"])
    arm(server.server.faults)

    with pytest.raises(expected) as raised:
        writer.write(patch)

    server.server.faults.clear()
    assert len([r for r in server.server.requests if r.method == "PATCH"]) - sent_before <= 1
    assert weights(server.get("VirtualService", "checkout", "shop")) == ([75, 25] if is_applied else [90, 10])
    if isinstance(raised.value, ThrottledError):
        assert raised.value.retry_after == 7


def test_write__server_down__not_sent_and_sent_after_it_is_back(emulate: Callable[..., EmulatedCluster]) -> None:
    cluster = emulate("west", worlds.eu_west())
    writer = KubeWriter(transport_of(cluster), field_manager="meshui")
    patch = patch_of(live(writer))
    cluster.stop()

    with pytest.raises((NotSentError, OutcomeUnknownError)):
        writer.write(patch)
    with pytest.raises(NotSentError):
        writer.write(patch)
    cluster.start()

    assert weights(writer.write(patch)) == [75, 25]
    writer.close()


def test_list__many_pages__all_items_once_without_noise(
    reader: KubeReader, server: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.PAGE", 3)
    note = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "kept"}
    server.edit("Service", "checkout", "shop", lambda body: body["metadata"].setdefault("annotations", {}).update(note))

    listing = reader.list_objects(SERVICES)

    names = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in listing.items]  # type: ignore[index, call-overload]
    assert sorted(names) == sorted((b["metadata"]["namespace"], b["metadata"]["name"]) for b in server.list("Service"))
    assert len(names) > 6
    assert listing.resource_version
    metadata: Any = next(i for i in listing.items if i["metadata"]["name"] == "checkout")["metadata"]  # type: ignore[index, call-overload]
    assert metadata["annotations"] == {"mine": "kept"}
    assert "managedFields" not in metadata
    assert {item["kind"] for item in listing.items} == {"Service"}


def test_list__continue_token_expired__begins_again(
    reader: KubeReader, server: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.PAGE", 3)
    server.server.faults.call(
        lambda _request: server.server.compact(), path=lambda request: "continue" in request.query
    )

    listing = reader.list_objects(SERVICES)

    assert len(listing.items) == len(server.list("Service"))


def test_list__continue_token_expires_each_time__error_not_half_a_list(
    reader: KubeReader, server: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.PAGE", 3)
    server.server.faults.answer(410, path=lambda request: "continue" in request.query, times=50)

    with pytest.raises(InvalidObjectError) as gone:
        reader.list_objects(SERVICES)

    assert gone.value.status == 410


def test_list__page_fails__whole_list_fails(
    reader: KubeReader, server: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.PAGE", 3)
    server.server.faults.answer(500, path=lambda request: "continue" in request.query)

    with pytest.raises(OutcomeUnknownError):
        reader.list_objects(SERVICES)


def test_list__selected_by_label__only_those(reader: KubeReader) -> None:
    deployments = Resource("apps", "v1", "deployments", "Deployment")

    found = reader.list_objects(deployments, label_selector="app=istiod")

    assert [item["metadata"]["name"] for item in found.items] == ["istiod"]  # type: ignore[index, call-overload]


def test_api_groups__emulated__core_and_istio(reader: KubeReader) -> None:
    assert {"v1", "apps/v1", "networking.istio.io/v1"} <= reader.api_groups()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"message": "strict decoding error"}', InvalidObjectError),
        (401, b"", CredentialRejectedError),
        (404, b"<html>", ObjectGoneError),
        (408, b"{}", InvalidObjectError),
        (422, b'{"message": "x is invalid", "details": {"causes": [{"message": "no"}]}}', InvalidObjectError),
        (422, b'{"message": "the server rejected our request due to an error in our request"}', LostRaceError),
        (
            422,
            b'{"message": "denied: the server rejected our request due to an error in our request"}',
            InvalidObjectError,
        ),
        (504, b"[]", OutcomeUnknownError),
    ],
)
def test_error_for__each_status__its_class(status: int, body: bytes, expected: type[ClusterError]) -> None:
    found = error_for(status, body, {})

    assert type(found) is expected
    assert found.status == status
    assert found.message


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 1), ("7", 7), ("9999", 60), ("-1", 1), ("\u0667", 1), ("x" * 99, 1)]
)
def test_error_for__retry_after__a_number_within_a_minute(text: str, seconds: float) -> None:
    found = error_for(429, b"{}", {"Retry-After": text})

    assert isinstance(found, ThrottledError)
    assert found.retry_after == seconds
