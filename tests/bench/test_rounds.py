"""Turns, ratios and verdicts of the bench."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench.rounds import Contender, Goal, Report, Row, is_noisy, p95, take_turns, verdict_of

if TYPE_CHECKING:
    from pathlib import Path

    from bench.rounds import Figures

OURS, PEER = "ours", "theirs"
ROW = Row("P0", "a row of a test", {"n": 3})


def _turns(ours: list[float], theirs: list[float], *, cpu: float = 0.5) -> list[dict[str, Figures]]:
    pairs = zip(ours, theirs, strict=True)
    return [{OURS: {"wall": mine, "cpu": cpu}, PEER: {"wall": other, "cpu": 1.0}} for mine, other in pairs]


def _contenders() -> tuple[Contender, Contender]:
    return Contender(OURS, lambda: None), Contender(PEER, lambda: None)


def test_turns__two_contenders__order_reversed_each_round_and_the_first_thrown_away() -> None:
    order: list[str] = []

    def turn(name: str) -> Contender:
        return Contender(name, lambda: order.append(name))

    found = take_turns([turn("a"), turn("b")], 2)

    assert "".join(order) == "baabba"
    assert [set(taken) for taken in found] == [{"a", "b"}] * 2


def test_turn__prepare_and_check__outside_of_the_clock() -> None:
    order: list[str] = []
    contender = Contender(
        OURS,
        lambda: order.append("act"),
        prepare=lambda: order.append("prepare"),
        check=lambda: order.append("check"),
        count=lambda: {"requests": float(len(order))},
    )

    (taken,) = take_turns([contender], 1)

    assert order == ["prepare", "act", "check"] * 2
    assert taken[OURS]["requests"] == 5  # counted after the act, before the check
    assert taken[OURS]["wall"] >= 0


@pytest.mark.parametrize(
    ("value", "goal", "verdict"),
    [
        (1.0, Goal("wall", 1.0, 2.0), "held"),
        (1.1, Goal("wall", 1.0, 2.0), "over"),
        (2.1, Goal("wall", 1.0, 2.0), "failed"),
        (1.1, Goal("wall", 1.0), "failed"),
        (9.0, Goal("wall"), "told"),
    ],
)
def test_verdict__ratio_and_goal__as_the_table_says(value: float, goal: Goal, verdict: str) -> None:
    assert verdict_of(value, goal) == verdict


@pytest.mark.parametrize(
    ("wall", "cpu", "noisy"),
    [
        ([0.5, 0.9], [0.5, 0.5], False),  # within a factor of two
        ([0.3, 0.9], [0.5, 0.5], False),  # wider, and CPU seconds say the same
        ([0.3, 0.9], [1.5, 1.5], True),  # wider, and they do not
    ],
)
def test_noisy__spread_of_rounds__believed_only_with_cpu(wall: list[float], cpu: list[float], noisy: bool) -> None:  # noqa: FBT001 - a case
    assert is_noisy({"wall": wall, "cpu": cpu}, Goal("wall", 1.0)) is noisy


def test_p95__hundred_values__the_ninety_fifth() -> None:
    assert p95(range(100, 0, -1)) == 95


def test_report__over_the_goal__said_in_line_and_words_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(tmp_path / "lines")

    report.compare(ROW, _turns([3.0, 5.0, 4.0], [2.0, 2.0, 2.0]), *_contenders(), Goal("wall", 1.0, 2.5))

    (line,) = [json.loads(text) for text in (tmp_path / "lines").read_text(encoding="utf-8").splitlines()]
    shown, words = capsys.readouterr().out.splitlines()
    assert report.is_over
    assert json.loads(shown) == line
    assert line["ratio"]["wall"] == {"median": 2.0, "min": 1.5, "max": 2.5}
    assert (line["verdict"], line["n"], len(line["rounds"])) == ("over", 3, 3)
    assert "ours / theirs = 2 wall (1.5 to 2.5); goal 1: over" in words
    assert "NOISY" not in words


def test_report__noisy__marked(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()

    report.compare(ROW, _turns([0.1, 0.9], [1.0, 1.0], cpu=3.0), *_contenders(), Goal("wall", 1.0))

    assert "NOISY, run it again" in capsys.readouterr().out


def test_report__something_lost__failed_whatever_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    rounds: list[dict[str, Figures]] = [{OURS: {"p95": 0.01, "lost": lost}} for lost in (0.0, 1.0)]

    report.judge(ROW, rounds, Contender(OURS, lambda: None), Goal("p95", 0.1), none_of="lost")

    assert report.is_over
    assert "goal 0.1: failed, 1 lost" in capsys.readouterr().out


def test_report__missing_peer__skipped_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()

    report.skip(ROW, "somebody", "is not there")

    line, words = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["verdict"], report.is_over) == ("skipped", False)
    assert words == "P0 a row of a test: somebody is skipped: is not there"
