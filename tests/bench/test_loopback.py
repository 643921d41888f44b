"""The loopback server of the bench: its objects, its pages, and what it changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.events import judged
from bench.loopback import METADATA, Answers
from bench.objects import KINDS, encoded

WHOLE: dict[str, list[str]] = {}
SIZES = {"services": 2_300, "virtualservices": 3_300, "deployments": 14_200}


def _listed(answers: Answers, query: dict[str, list[str]], accept: str = "") -> dict[str, Any]:
    body = answers.answer(answers.kind.path, query, accept)
    assert body is not None
    found: dict[str, Any] = json.loads(body)
    return found


def _names(body: dict[str, Any]) -> list[str]:
    return [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in body["items"]]


@pytest.mark.parametrize("plural", KINDS)
def test_object__same_seed__same_bytes_of_the_size_of_the_table(plural: str) -> None:
    kind = KINDS[plural]

    whole, head = encoded(kind, 7, seed=1)

    assert encoded(kind, 7, seed=1) == (whole, head)
    assert len(whole) == pytest.approx(SIZES[plural], rel=0.1)
    assert json.loads(head)["metadata"] == json.loads(whole)["metadata"]


@pytest.mark.parametrize("plural", KINDS)
def test_list__in_pages__the_whole_list(plural: str) -> None:
    answers = Answers(KINDS[plural], 25, seed=1)
    pages, token = [], "0"
    while token:
        page = _listed(answers, {"limit": ["10"], "continue": [token]})
        pages.append(page)
        token = page["metadata"].get("continue", "")

    whole = _listed(answers, WHOLE)

    assert [len(page["items"]) for page in pages] == [10, 10, 5]
    assert [name for page in pages for name in _names(page)] == _names(whole)
    assert {page["metadata"]["resourceVersion"] for page in pages} == {whole["metadata"]["resourceVersion"]}


def test_list__as_metadata__no_spec() -> None:
    found = _listed(Answers(KINDS["services"], 3, seed=1), WHOLE, f"application/json;{METADATA};v=v1")

    assert found["kind"] == "PartialObjectMetadataList"
    assert [set(item) for item in found["items"]] == [{"metadata"}] * 3


def test_object__by_name__with_its_kind() -> None:
    answers = Answers(KINDS["services"], 3, seed=1)
    namespace, _, name = _names(_listed(answers, WHOLE))[1].partition("/")

    body = answers.answer(f"/api/v1/namespaces/{namespace}/services/{name}", {}, "")

    assert body is not None
    assert (json.loads(body)["kind"], json.loads(body)["metadata"]["name"]) == ("Service", name)
    assert answers.answer(f"/api/v1/namespaces/{namespace}/services/other", {}, "") is None


def test_churn__share__half_decides_something_and_all_have_new_versions() -> None:
    answers = Answers(KINDS["virtualservices"], 40, seed=1)
    before = _listed(answers, WHOLE)

    told = answers.churn(0.1)

    after = _listed(answers, WHOLE)
    pairs = list(zip(before["items"], after["items"], strict=True))
    versions = [
        n
        for n, (old, new) in enumerate(pairs)
        if old["metadata"]["resourceVersion"] != new["metadata"]["resourceVersion"]
    ]
    specs = [n for n, (old, new) in enumerate(pairs) if old["spec"] != new["spec"]]
    assert len(versions) == 4
    assert specs == list(told)
    assert len(specs) == 2
    assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


def test_judged__event_told_before_its_commit__heard_with_the_next_one() -> None:
    committed, told = [("a", 5), ("b", 6)], {"first": 1, "second": 2}
    heard = [[("first", 10.5), ("second", 11.0)], [("first", 10.6)]]

    lags, lost = judged([("a", 5, 10.0), ("b", 6, 10.2)], heard, committed, told)

    assert lags == pytest.approx([0.5, 0.6, 0.8])
    assert lost == 1


def test_judged__row_of_a_later_version__tells_of_the_earlier() -> None:
    lags, lost = judged([("a", 5, 1.0), ("a", 6, 2.0)], [[("only", 3.0)]], [("a", 6)], {"only": 1})

    assert lags == pytest.approx([2.0, 1.0])
    assert lost == 0
