"""Forty secrets, and the ways by which secrets come into MeshUI; for row S4: none of them may come out of it."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.conf import settings
from django.test import Client

from accounts.tokens import NewToken, make_token, revoke_token
from clusters.models import Cluster
from playground.apiserver.faults import Fault, on
from playground.apiserver.messages import answer
from tests.clusters.makers import SERVER, b64, document, kubeconfig, pair
from tests.people import PASSWORD, as_actor, give_password, make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User
    from playground.cluster import EmulatedCluster

ADD = "/clusters/add/"
API = "/api/v1/"
MADE = (
    "page token", "page writer", "page exec", "page password", "page not YAML", "page unknown key", "page client key",
    "page other context", "page proxy", "page user of the address", "page token file",
    "api kubeconfig", "api address", "api replaced", "api unknown field", "api not JSON", "api header", "api cookie",
    "api wrong token", "api token in the address", "api basic",
    "wrong password", "short password", "wrong link",
    "route cookie", "route authorization", "route key", "route URL", "route annotation",
    "workload environment", "error of a list", "reason bearer",
)  # fmt: skip
"""Those that are made up here; where each goes in says its name."""


def canary(way: str) -> str:
    """The secret that comes in by `way`: looks like a token, and is like no other text."""
    assert way in MADE
    return "eyJh" + hashlib.sha256(way.encode()).hexdigest()[:40]


def written(secret: str) -> Iterator[bytes]:
    """As it is, and as it stands in JSON's, a file's and an address's encoding."""
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    for shift in range(3):  # base64 of a text that holds it somewhere
        yield base64.b64encode(b"\0" * shift + raw)[4 : -4 - shift or None]


def plant(admin: User, author: User) -> tuple[dict[str, str], list[bytes]]:
    """Send each by its way: way → secret, and every answer that came back (but those that show a secret once)."""
    secrets = {way: canary(way) for way in MADE}
    answers: list[bytes] = []
    for steps in (_pages(admin), _api(admin, secrets), _people(admin, secrets), _change(author)):
        answers += [answer.content for answer in steps]
    return secrets | _of_the_installation(), answers


def _pages(admin: User) -> Iterator[Any]:
    client = Client()
    client.force_login(admin)

    def add(slug: str, text: str) -> Any:
        return client.post(ADD, {"name": slug, "slug": slug, "environment": "staging", "text": text})

    yield _is(303, add("by-page", kubeconfig(user={"token": canary("page token")})))
    Cluster.objects.filter(slug="by-page").update(is_observe_only=True)
    writer = {"role": "writer", "text": kubeconfig(user={"token": canary("page writer")})}
    yield _is(303, client.post("/clusters/by-page/credential/", writer))
    wrong: dict[str, str] = {
        "page exec": kubeconfig(user={"exec": {"command": "id", "env": [{"name": "A", "value": canary("page exec")}]}}),
        "page password": kubeconfig(user={"username": "u", "password": canary("page password")}),
        "page not YAML": "token: [" + canary("page not YAML"),
        "page unknown key": kubeconfig(user={"token": "t", "hint": canary("page unknown key")}),
        "page client key": kubeconfig(user=_key_that_is_none(canary("page client key"))),
        "page proxy": kubeconfig(cluster={"proxy-url": f"https://u:{canary('page proxy')}@proxy"}),
        "page token file": kubeconfig(user={"tokenFile": f"/run/{canary('page token file')}"}),
        "page user of the address": kubeconfig(server=f"https://u:{canary('page user of the address')}@127.0.0.1:6443"),
    }
    for text in wrong.values():
        yield _is(422, add("wrong", text))


def _key_that_is_none(secret: str) -> dict[str, str]:
    return {"client-certificate-data": b64(pair()[0]), "client-key-data": b64(secret.encode())}


def _other_context() -> str:
    whole = document()
    whole["users"].append({"name": "x", "user": {"token": canary("page other context")}})
    whole["contexts"].append({"name": "other", "context": {"cluster": "k", "user": "x"}})
    return json.dumps(whole)


def _api(admin: User, secrets: dict[str, str]) -> Iterator[Any]:
    second = make_person("registrar-of-canaries", ["cluster_admin"])
    client = Client()
    client.force_login(second)
    yield _is(
        303, client.post(ADD, {"name": "o", "slug": "o", "environment": "e", "text": _other_context(), "context": "c"})
    )

    def post(at: str, body: Any, **headers: str) -> Any:
        text = body if isinstance(body, str) else json.dumps(body)
        return client.post(API + at, text, content_type="application/json", headers=headers)

    new = {"name": "By the API", "slug": "by-api", "environment": "staging"}
    address = {"server": SERVER, "ca": pair("ca")[0].decode()}
    yield _is(201, post("clusters/", new | {"kubeconfig": kubeconfig(user={"token": canary("api kubeconfig")})}))
    yield _is(201, post("clusters/", new | {"slug": "by-two", "address": address | {"token": canary("api address")}}))
    replaced = {"role": "reader", "kubeconfig": kubeconfig(user={"token": canary("api replaced")})}
    yield _is(200, post("clusters/by-api/credential/", replaced))
    yield _is(422, post("clusters/", new | {"password": canary("api unknown field")}))
    yield _is(400, post("clusters/", '{"token": "' + canary("api not JSON")))
    yield _is(200, client.get(f"{API}me/", headers={"X-Api-Key": canary("api header")}))
    client.cookies["legacy"] = canary("api cookie")
    yield _is(200, client.get(f"{API}me/"))
    bare = Client()
    secrets["token in use"] = live = _token(admin)
    secrets["token revoked"] = _token(admin, is_dead=True)
    for word, status in (
        (f"Bearer {live}", 200),
        (f"Bearer {secrets['token revoked']}", 401),
        (f"Bearer meshui_{canary('api wrong token')[:12]}.{canary('api wrong token')}", 401),
        ("Basic " + b64(f"u:{canary('api basic')}".encode()), 401),
    ):
        yield _is(status, bare.get(f"{API}me/", headers={"Authorization": word}))
    yield _is(400, bare.get(f"{API}me/?token=meshui_abcdefghijkl.{canary('api token in the address')}"))


def _token(owner: User, *, is_dead: bool = False) -> str:
    made = make_token(actor=as_actor(owner), new=NewToken("canary", [], timedelta(days=1)))
    if is_dead:
        revoke_token(actor=as_actor(owner), token_id=made.token.pk)
    return made.text


def _people(admin: User, secrets: dict[str, str]) -> Iterator[Any]:
    secrets["password"] = give_password(admin)
    client = Client()
    yield _is(422, client.post("/sign-in/", {"login": admin.username, "password": canary("wrong password")}))
    _is(302, client.post("/sign-in/", {"login": admin.username, "password": PASSWORD}))
    secrets["session"] = client.cookies[settings.SESSION_COOKIE_NAME].value
    invited = client.post("/access/", {"username": "nora", "display_name": "Nora", "roles": ["viewer"]})
    link = invited.content.decode().partition("/set-password/")[2].partition("/")[0]
    secrets["link"] = link
    yield Client().post(f"/set-password/{link}/", {"password": canary("short password")[:7]})
    yield Client().post(f"/set-password/{canary('wrong link')}/", {"password": PASSWORD})


def spoil(emulated: EmulatedCluster) -> None:
    """What the owners of a cluster have written into it, and what its server answers once."""

    def hold(body: Any) -> None:
        rule = body["spec"]["http"][0]
        rule["match"] = [{"headers": {"cookie": {"regex": canary("route cookie")}}}]
        words = {"authorization": f"Bearer {canary('route authorization')}", "x-api-key": canary("route key")}
        words["x-upstream"] = f"https://u:{canary('route URL')}@upstream"
        rule["route"][0]["headers"] = {"request": {"set": words}}
        last = "kubectl.kubernetes.io/last-applied-configuration"
        body["metadata"]["annotations"] = {last: json.dumps({"authorization": canary("route annotation")})}

    def run(body: Any) -> None:
        container = body["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [{"name": "PASSWORD", "value": canary("workload environment")}]

    emulated.edit("VirtualService", "checkout", "shop", hold)
    emulated.edit("Deployment", "checkout-v1", "shop", run)
    said = {"kind": "Status", "message": f"cannot use Bearer {canary('error of a list')}", "reason": "InternalError"}
    lost = Fault("answer", "GET", on("Sidecar"), 99, response=answer(500, said))
    emulated.faults._add(lost)


def _change(author: User) -> Iterator[Any]:
    client = Client()
    client.force_login(author)
    asked = {
        "namespace": "shop", "name": "checkout", "clusters": ["eu-west"], "shares": {"v1": 7500, "v2": 2500},
        "title": "Shift", "reason": "v2 was good for a day.",
    }  # fmt: skip
    spoken = asked | {"reason": f"As the pipeline says: Bearer {canary('reason bearer')}"}
    yield _is(422, client.post(f"{API}changes/", json.dumps(spoken), content_type="application/json"))
    yield _is(201, client.post(f"{API}changes/", json.dumps(asked), content_type="application/json"))


def _of_the_installation() -> dict[str, str]:
    return {
        "secret key": str(settings.SECRET_KEY),
        "credential key": str(settings.CREDENTIAL_KEYS[0]),
        "pepper": str(settings.TOKEN_PEPPERS[0]),
    }


def _is(status: int, answer: Any) -> Any:
    assert answer.status_code == status, (answer.status_code, answer.content[-2000:])
    return answer
