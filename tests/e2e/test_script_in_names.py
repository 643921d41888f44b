"""S9: whatever a cluster or a person calls a thing, a browser shows it and runs nothing of it."""

from __future__ import annotations

from itertools import cycle, islice, product
from typing import TYPE_CHECKING, Any, Final

import pytest

from accounts.models import SavedView
from meshes.models import ControlPlane, Mesh, Namespace, RouteBackend, Service, Sync, Workload
from meshui.lib.clock import now
from tests.people import make_person
from tests.traffic.factories import (
    checkout_route,
    in_review,
    in_state,
    make_change,
    make_cluster,
    make_managed,
    make_route,
)
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Dialog, Page

    from accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)
RUNS: Final = "window.ran=(window.ran||0)+1"
ATTACKS: Final = (
    f"<script>{RUNS}</script>",
    f"<img src=x onerror={RUNS}>",
    f"<svg onload={RUNS}>",
    f"<svg><script>{RUNS}</script></svg>",
    f"<iframe srcdoc='<script>parent.{RUNS}</script>'>",
    f"<body onload={RUNS}>",
    f"<details open ontoggle={RUNS}>",
    f"<input autofocus onfocus={RUNS}>",
    f"<a href=javascript:{RUNS}>x</a>",
    f"<form action=javascript:{RUNS}><button>x</button></form>",
    f"<math href=javascript:{RUNS}>x</math>",
    f"<object data=javascript:{RUNS}>",
    f"<meta http-equiv=refresh content=0;url=javascript:{RUNS}>",
    f"<base href=javascript:{RUNS}//>",
    f"<style onload={RUNS}>@import 'javascript:{RUNS}'</style>",
    f"<template><script>{RUNS}</script></template>",
    f"<div hx-get=/clusters/ hx-trigger=load hx-on:htmx:load={RUNS}>x</div>",
    f"<div hx-on::load={RUNS} data-hx-on:click={RUNS}>x</div>",
    f"<hx-partial hx-target=#main hx-swap=innerHTML><script>{RUNS}</script></hx-partial>",
    f"<div id=main hx-swap-oob=true><script>{RUNS}</script></div>",
    f"</script><script>{RUNS}</script>",
    f"</textarea><script>{RUNS}</script>",
    f"</title><script>{RUNS}</script>",
    f"--><script>{RUNS}</script><!--",
    f"]]><script>{RUNS}</script>",
)
WRAPPERS: Final = (
    "{}",
    '"{}',
    "'{}",
    '">{}',
    "'>{}",
    "`{}`",
    "${{{}}}",
    "x: 1 # {}",
    "| {}",
    "&lt;{}&gt;",
    "\u202e{}",
    "javascript:{}",
)
LOOK: Final = """() => {
  const count = (selector) => document.querySelectorAll(selector).length;
  const isHandler = (attribute) => /^on|^hx-on|^data-hx-on/.test(attribute.name);
  return {
    ran: window.ran ?? 0,
    scripts: count("script:not([src]):not([type='application/json'])"),
    handlers: [...document.querySelectorAll("*")].filter((each) => [...each.attributes].some(isHandler)).length,
    links: count("[href^='javascript' i],[action^='javascript' i],[src^='javascript' i]"),
    frames: count("iframe,object,embed,base,math"),
    text: document.documentElement.textContent };
}"""
STRINGS: Final = tuple(wrapper.format(attack) for attack, wrapper in product(ATTACKS, WRAPPERS))


def test_s09_strings__count__is_three_hundred() -> None:
    assert len(set(STRINGS)) == 300


@pytest.fixture
def poisoned(author: User) -> list[str]:
    """Everything that has a name has a hostile one; the addresses of pages that show them."""
    words = cycle(STRINGS)
    used = islice(words, None)
    cluster = make_cluster(
        "eu-west",
        name=next(used)[:100],
        health="unreachable",
        health_reason=next(used),
        server_version=next(used)[:50],
    )
    pages = [
        "/",
        "/inbox/",
        "/clusters/",
        "/clusters/eu-west/",
        "/clusters/eu-west/drift/",
        "/clusters/eu-west/history/",
    ]
    pages += _inventory(cluster, used) + _changes(cluster, author, used)
    author.display_name = next(used)[:100]
    author.save(update_fields=["display_name"])
    SavedView.objects.create(user=author, path="/changes/", name=next(used)[:60], query="state=open")
    return pages


def _inventory(cluster: Any, used: Iterator[str]) -> list[str]:
    read: dict[str, Any] = {"content_hash": "", "read_at": now()}
    mesh = Mesh.objects.create(cluster=cluster, kind="istio", trust_domain=next(used)[:200], **read)
    for _ in range(5):
        plane = {"name": next(used)[:200], "revision": next(used)[:60], "version": next(used)[:50]}
        ControlPlane.objects.create(
            cluster=cluster, mesh=mesh, namespace=next(used)[:200], is_ready=True, **plane, **read
        )
    for number in range(20):
        names = {"namespace": next(used)[:200].replace("/", ""), "name": next(used)[:200].replace("/", "")}
        Service.objects.create(
            cluster=cluster, uid=f"s{number}", ports=[], selector={"app": next(used)}, **(names | read)
        )
        Namespace.objects.create(cluster=cluster, uid=f"n{number}", name=next(used)[:200], **read)
        Workload.objects.create(
            cluster=cluster, uid=f"w{number}", kind="Deployment", labels={"app": next(used)}, **(names | read)
        )
    Sync.objects.create(cluster=cluster, resource="services", error=next(used), started_at=now(), finished_at=now())
    base = "/clusters/eu-west/inventory/"
    lists = [f"{base}{part}/?rows=200" for part in ("services", "workloads", "namespaces", "routes")]
    return [base, *lists, "/meshes/", f"/meshes/{mesh.pk}/", f"/meshes/{mesh.pk}/history/", "/services/?rows=200"]


def _changes(cluster: Any, author: User, used: Iterator[str]) -> list[str]:
    route = make_route(cluster, checkout_route(6000, 4000))
    body = {**route.body, "metadata": {**route.body["metadata"], "annotations": {"note": next(used), "b": next(used)}}}
    route.problems = [{"where": next(used), "message": next(used)}]
    route.body = body
    route.save()
    for place, each in enumerate(Service.objects.exclude(name="checkout")):
        key = f"{each.namespace}/{each.name}"
        RouteBackend.objects.create(route=route, rule="x", position=place, key=key, name=each.name, weight_bp=500)
    make_managed(route, body=body)
    numbers = []
    for count in range(60):
        change = make_change(author, [route], title=next(used)[:200], reason=next(used))
        in_state(change, State.PAUSED if count % 2 else State.DRAFT, state_cause=next(used))
        numbers.append(change.number)
    numbers.append(in_review(author, [route], title=next(used)[:200], reason=next(used)).number)
    shown = [*numbers[:2], numbers[-1]]
    of_changes = [f"/changes/{number}/{part}" for number in shown for part in ("", "evidence/", "log/")]
    services = [
        f"/services/{scope}/shop/checkout/{part}"
        for scope in ("all", "eu-west")
        for part in ("", "history/", "topology/")
    ]
    return [
        "/changes/?rows=200",
        *of_changes,
        *services,
        "/services/all/shop/checkout/?view=native",
        f"/clusters/eu-west/inventory/routes/{route.pk}/",
        "/topology/?focus=a",
        "/topology/?level=meshes",
        "/drift/",
        "/audit/?rows=200",
        "/search/?q=script",
        "/access/",
        "/me/",
        "/views/?at=/changes/",
    ]


def test_s09_page__script_in_names__inert(
    page: Page, sign_in: Callable[[Page, User], None], poisoned: list[str]
) -> None:
    """The page's own watch fails on a report of the CSP, an error, or a request that leaves the origin."""
    reader = make_person("maria", ["viewer", "author", "approver", "auditor", "access_admin", "cluster_admin"])
    said: list[str] = []

    def keep(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", keep)
    sign_in(page, reader)
    shown = set()

    for path in poisoned:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        found = page.evaluate(LOOK)
        text = found.pop("text")
        assert found == {"ran": 0, "scripts": 0, "handlers": 0, "links": 0, "frames": 0}, path
        shown |= {string for string in STRINGS if string[:40].replace("\u202e", "") in text}

    assert said == []
    assert len(shown) > 150  # the others are cut, or stand where a page shows no such thing
