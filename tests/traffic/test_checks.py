"""Every check on a target where it must speak and on one where it must not; their order, their words, their docs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshes.types import (
    FULL,
    Backend,
    HeaderMatch,
    Loss,
    Match,
    PathMatch,
    QueryMatch,
    Root,
    Route,
    Rule,
    WeightedBackend,
)
from traffic.checks import CHECKS, in_order, run_checks
from traffic.checks.facts import Facts, Owner
from traffic.management.commands.list_checks import table

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
CANARY = Match(headers=(HeaderMatch("x-canary", "exact", "1"),))
SUBSETS = {
    name: Backend("subset", "checkout", "shop", subset=name, labels=(("version", name),)) for name in ("v1", "v2")
}
PROFILE = "ServiceProfile shop/checkout.shop.svc.cluster.local"


def rule(*shares: int, name: str = "all", matches: tuple[Match, ...] = ()) -> Rule:
    """v1 and v2 (as many as there are `shares`) of shop/checkout."""
    pairs = zip(SUBSETS.values(), shares, strict=False)
    return Rule(name, matches, tuple(WeightedBackend(backend, share) for backend, share in pairs))


def route(*rules: Rule, **columns: Any) -> Route:
    """shop/checkout."""
    return Route(Root("checkout", "shop", hosts=("checkout",)), rules, **columns)


LIVE = route(rule(9000, 1000))
DESIRED = route(rule(7500, 2500))
GOOD = Facts(
    target="eu-west",
    mesh="istio",
    action="set",
    desired=DESIRED,
    live=LIVE,
    ready={backend.key: 3 for backend in SUBSETS.values()},
    kind="VirtualService",
    object="VirtualService shop/checkout",
    asked=DESIRED,
    written=DESIRED,
)
START = replace(GOOD, action="start", live=None)
END = replace(GOOD, action="end", desired=None, asked=None, written=None)
GATEWAY = replace(GOOD, mesh="linkerd", kind="HTTPRoute", object="HTTPRoute shop/checkout")


def moved(*rules: Rule, facts: Facts = GOOD, **columns: Any) -> Facts:
    """`facts` with another desired route, asked for and written just so."""
    desired = route(*rules)
    return replace(facts, **{"desired": desired, "asked": desired, "written": desired, **columns})


V1, V2 = (backend.key for backend in SUBSETS.values())
OTHER = Backend("service", "billing", "shop")
FIRST = route(rule(FULL, 0))
"""v2 is there and gets nothing."""
SPLIT = moved(rule(9000, 1000), live=FIRST)
"""v2 gets its first tenth."""
CHOSEN = rule(0, FULL, name="chosen", matches=(CANARY,))
COOKIE = Match(headers=(HeaderMatch("cookie", "exact", "session=geheim"),))
ANY_COOKIE = Match(headers=(HeaderMatch("cookie", "present"),))
BY_COOKIE = replace(CHOSEN, matches=(COOKIE,))
ELSEWHERE = Rule("x", (), (WeightedBackend(OTHER, 2500), WeightedBackend(SUBSETS["v1"], 7500)))

BAD: list[tuple[str, str, Facts]] = [
    ("TRF001", "block", moved(rule(9000, 1500))),
    ("TRF002", "block", moved(rule(0, 0))),
    ("TRF003", "block", moved(rule(11000, -1000))),
    ("TRF004", "block", moved(rule(0), live=route(rule(FULL)))),
    ("TRF004", "warn", moved(rule(FULL))),
    ("TRF005", "block", replace(GOOD, quantisation_error_bp=51)),
    ("TRF005", "warn", replace(GOOD, quantisation_error_bp=50)),
    ("TRF010", "block", replace(GOOD, asked=route(rule(7000, 3000)))),
    ("TRF010", "block", replace(GOOD, asked=route(CHOSEN, rule(7500, 2500)))),
    ("TRF010", "block", replace(GOOD, desired=route(CHOSEN, rule(7500, 2500)), written=None)),
    ("TRF010", "block", replace(GOOD, written=route(rule(9000, 1000)))),
    ("TRF010", "block", replace(GOOD, written=route(CHOSEN, rule(7500, 2500)))),
    ("TRF010", "block", replace(GOOD, written=route(Rule("all", (), (WeightedBackend(OTHER, FULL),))))),
    ("TRF011", "warn", moved(rule(9000, 1000))),
    ("TRF012", "warn", SPLIT),
    ("TRF012", "warn", moved(CHOSEN, rule(FULL, 0), live=FIRST)),
    ("TRF012", "warn", moved(Rule("all", (), (WeightedBackend(OTHER, FULL),)), facts=START)),
    ("TRF013", "warn", moved(rule(9000, 1000), live=route(CHOSEN, rule(9000, 1000)))),
    ("TRF013", "warn", moved(rule(FULL))),
    ("TRF014", "warn", moved(rule(3000, 7000), is_production=True)),
    ("TRF014", "warn", moved(rule(0, FULL), live=FIRST)),
    ("TRF015", "block", moved(CHOSEN, facts=GATEWAY)),
    ("TRF015", "block", moved(CHOSEN, facts=replace(GATEWAY, live=None, action="start"))),
    ("TRF015", "warn", moved(CHOSEN, facts=replace(GATEWAY, live=route(CHOSEN)))),
    ("TRF015", "warn", moved(CHOSEN, facts=replace(GATEWAY, rivals=("HTTPRoute shop/other",)))),
    ("TRF015", "warn", moved(CHOSEN)),
    (
        "TRF016",
        "block",
        replace(moved(CHOSEN, rule(9000, 1000)), written=route(replace(CHOSEN, matches=()), LIVE.rules[0])),
    ),
    ("TRF017", "warn", moved(rule(9000, 1000), CHOSEN)),
    ("TRF017", "warn", moved(CHOSEN, replace(CHOSEN, name="again"), rule(9000, 1000), facts=GATEWAY)),
    ("TRF018", "block", moved(BY_COOKIE, rule(9000, 1000))),
    (
        "TRF020",
        "block",
        replace(GOOD, owners=(Owner("VirtualService shop/checkout", "controller", "Canary checkout"),)),
    ),
    ("TRF020", "block", replace(GOOD, owners=(Owner("VirtualService shop/checkout", "gitops", "Argo CD"),))),
    ("TRF020", "warn", replace(GOOD, owners=(Owner("VirtualService shop/checkout", "unknown", "flagger", "Flagger"),))),
    ("TRF021", "block", replace(GOOD, is_observe_only=True)),
    ("TRF022", "warn", replace(GOOD, open_changes=("#12 (in review)",))),
    ("TRF023", "block", replace(END, foreign=("VirtualService shop/checkout",))),
    ("TRF030", "block", replace(GOOD, losses=(Loss("rules[all]", "No subsets", moves_requests=True),))),
    ("TRF030", "warn", replace(GOOD, losses=(Loss("rules[all].timeout", "No timeouts."),))),
    ("TRF031", "block", replace(GOOD, unkept=("VirtualService shop/checkout",))),
    ("TRF032", "block", replace(END, altered=("VirtualService shop/checkout",))),
    ("TRF040", "block", replace(GOOD, missing=frozenset({V2}))),
    ("TRF040", "warn", moved(rule(FULL, 0), missing=frozenset({V2}))),
    ("TRF041", "block", replace(SPLIT, ready={V1: 3, V2: 0})),
    ("TRF041", "block", replace(START, ready={V1: 3, V2: 0})),
    ("TRF041", "warn", replace(GOOD, ready={V1: 3, V2: 0})),
    ("TRF041", "warn", replace(SPLIT, ready={V1: 3, V2: None})),
    ("TRF042", "block", replace(GOOD, undefined=frozenset({V2}))),
    ("TRF042", "warn", moved(rule(FULL, 0), undefined=frozenset({V2}))),
    ("TRF050", "block", replace(START, rivals=("VirtualService shop/old",), winner="VirtualService shop/old")),
    ("TRF050", "warn", replace(GOOD, rivals=("VirtualService shop/old",), winner="VirtualService shop/old")),
    ("TRF050", "warn", replace(GOOD, rivals=("VirtualService shop/new",), winner="VirtualService shop/checkout")),
    ("TRF050", "warn", replace(GATEWAY, rivals=("HTTPRoute shop/other",))),
    ("TRF051", "block", replace(GATEWAY, shadows=(PROFILE,))),
    ("TRF052", "block", replace(GATEWAY, outranked_by=("GRPCRoute shop/checkout",))),
    ("TRF052", "block", replace(GATEWAY, live=None, kind="GRPCRoute", outranks=("HTTPRoute shop/checkout",))),
    ("TRF052", "warn", replace(GATEWAY, kind="GRPCRoute", outranks=("HTTPRoute shop/checkout",))),
    ("TRF053", "warn", replace(GOOD, desired=replace(DESIRED, scope="consumer(web)"))),
    ("TRF053", "warn", replace(GOOD, desired=replace(DESIRED, scope="gateway"))),
    ("TRF054", "block", replace(GOOD, is_ambient=True, waypoint="")),
    ("TRF054", "warn", replace(GOOD, is_ambient=True, waypoint=None)),
]
QUIET: list[tuple[str, Facts]] = [
    ("TRF004", moved(rule(FULL), live=route(rule(FULL)))),
    ("TRF005", replace(GOOD, quantisation_error_bp=0)),
    # What the proposal does not move may differ from cluster to cluster; another mesh calls the backends otherwise.
    ("TRF010", replace(GOOD, desired=LIVE, written=None)),
    ("TRF010", replace(GOOD, asked=route(ELSEWHERE))),
    ("TRF010", replace(GOOD, asked=None, written=None)),
    ("TRF010", replace(GOOD, written=route(rule(7490, 2510)), quantisation_error_bp=10)),
    ("TRF011", START),
    ("TRF012", START),
    ("TRF012", moved(CHOSEN, rule(FULL, 0))),
    ("TRF013", moved(rule(FULL), live=FIRST)),
    ("TRF014", moved(rule(5000, 5000), is_production=True, live=FIRST)),
    ("TRF014", moved(rule(3000, 7000))),
    ("TRF014", moved(CHOSEN, rule(FULL, 0), live=FIRST, is_production=True)),
    ("TRF014", moved(rule(FULL, 0), facts=START, is_production=True)),
    ("TRF015", moved(CHOSEN, rule(9000, 1000, matches=(Match(path=PathMatch("segments", "/")),)), facts=GATEWAY)),
    ("TRF016", replace(moved(CHOSEN, rule(9000, 1000)), written=None)),
    ("TRF017", moved(rule(9000, 1000), CHOSEN, facts=GATEWAY)),
    ("TRF017", moved(CHOSEN, rule(9000, 1000))),
    ("TRF018", moved(BY_COOKIE, rule(FULL, 0), live=route(BY_COOKIE, rule(9000, 1000)))),
    ("TRF018", moved(replace(CHOSEN, matches=(ANY_COOKIE,)), rule(9000, 1000))),
    ("TRF020", replace(GOOD, owners=(Owner("VirtualService shop/checkout", "human", "kubectl-edit"),))),
    ("TRF023", replace(GOOD, foreign=("VirtualService shop/checkout",))),
    ("TRF041", replace(moved(rule(9500, 500)), ready={V1: 3, V2: None})),
    ("TRF041", replace(moved(rule(FULL, 0)), ready={V1: 3, V2: 0})),
    ("TRF041", replace(SPLIT, ready={V1: 3, V2: 0}, missing=frozenset({V2}))),
    ("TRF051", replace(GATEWAY, desired=None, shadows=(PROFILE,))),
    ("TRF054", replace(GOOD, is_ambient=True, waypoint="waypoint")),
]  # fmt: skip


def said(facts: Facts) -> list[tuple[str, str]]:
    """(id, severity) of every finding."""
    return [(finding.id, finding.severity) for finding in run_checks(facts)]


def test_checks__good_target__say_nothing() -> None:
    assert run_checks(GOOD) == ()


@pytest.mark.parametrize("facts", [GATEWAY, START, replace(GATEWAY, live=None, action="start"), END])
def test_checks__good_start_end_or_other_mesh__say_nothing(facts: Facts) -> None:
    assert said(facts) == []


@pytest.mark.parametrize(("check_id", "severity", "facts"), BAD)
def test_check__bad_target__speaks_with_its_severity(check_id: str, severity: str, facts: Facts) -> None:
    found = said(facts)

    assert (check_id, severity) in found
    assert (check_id, {"block": "warn", "warn": "block"}[severity]) not in found


@pytest.mark.parametrize(("check_id", "facts"), QUIET)
def test_check__sound_target__keeps_quiet(check_id: str, facts: Facts) -> None:
    assert check_id not in {found for found, _ in said(facts)}


def test_checks__each__speaks_on_a_bad_example_and_only_with_severities_it_declares() -> None:
    spoken = {check_id for check_id, _, _ in BAD}
    declared = {check.id: set(check.severity.split(" or ")) for check in CHECKS}

    assert spoken == set(declared)
    assert {check_id: {s for i, s, _ in BAD if i == check_id} for check_id in spoken} == declared


MEND = re.compile(
    r"\b(Add|Agree|Approve|Change|Create|Define|Give|Go|Keep|Leave|Look|Make|Match|Move|Propose|Put|Remove|Shift|Use|Wait|"
    r"can allow|agree|delete|look for|leave)\b"
)


@pytest.mark.parametrize("facts", [facts for _, _, facts in BAD])
def test_finding__each__says_where_on_which_target_and_how_to_mend_it(facts: Facts) -> None:
    for finding in run_checks(facts):
        assert finding.targets == ("eu-west",)
        assert finding.where
        assert MEND.search(finding.message), finding.message
        assert finding.message.endswith("."), finding.message


def test_checks__findings__what_blocks_first_then_by_id() -> None:
    facts = replace(SPLIT, is_observe_only=True, quantisation_error_bp=51, open_changes=("#1 (draft)",))

    found = said(facts)

    assert found == [("TRF005", "block"), ("TRF021", "block"), ("TRF012", "warn"), ("TRF022", "warn")]
    assert in_order(reversed(run_checks(facts))) == run_checks(facts)


def test_checks__ids__unique_and_ascending() -> None:
    ids = [check.id for check in CHECKS]

    assert ids == sorted(set(ids))


def test_check_modules__each__is_in_the_registry() -> None:
    words = r"^CHECK = Check\("
    modules = [path for path in (ROOT / "traffic" / "checks").glob("*.py") if re.search(words, path.read_text(), re.M)]

    assert len(modules) == len(CHECKS)


def test_code__ids_of_findings__all_have_a_check() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "traffic").rglob("*.py"))

    named = {found for source in sources for found in re.findall(r"\"(TRF\d{3})\"", source)}

    assert named == {check.id for check in CHECKS}


def test_docs__table_of_checks__is_the_one_in_force_and_names_each_id_once() -> None:
    rows = re.findall(r"^\| (TRF\d{3}) \|", DOCS, re.MULTILINE)

    assert table() in DOCS
    assert rows == [check.id for check in CHECKS]


def test_finding__of_a_removed_rule__holds_no_secret() -> None:
    secret = replace(CHOSEN, matches=(replace(COOKIE, query=(QueryMatch("token", "exact", "geheim"),)),))
    opaque = replace(CHOSEN, name="o", matches=(Match(opaque=(("sourceLabels", '{"k":"geheim"}'),)),))
    facts = moved(rule(9000, 1000), live=route(secret, opaque, rule(9000, 1000)))

    texts = " ".join(finding.message for finding in run_checks(facts))

    assert "header cookie" in texts
    assert "geheim" not in texts
