"""The collector is quiet as long as anybody asks for it, and no longer."""

from __future__ import annotations

import gc

import pytest

from meshui.lib.quiet import EVERY, collect_sometimes, quiet_collector


def test_quiet_collector__two_ask__runs_again_when_both_are_done() -> None:
    assert gc.isenabled()

    with quiet_collector():
        with quiet_collector():
            inside = gc.isenabled()
        after_one = gc.isenabled()

    assert (inside, after_one, gc.isenabled()) == (False, False, True)


def test_quiet_collector__what_is_done_fails__runs_again() -> None:
    with pytest.raises(ZeroDivisionError), quiet_collector():
        _ = 1 // 0

    assert gc.isenabled()


def test_quiet_collector__was_off_before__stays_off() -> None:
    gc.disable()
    try:
        with quiet_collector():
            pass
        after = gc.isenabled()
    finally:
        gc.enable()

    assert not after


def test_collect_sometimes__forty_turns__twice() -> None:
    def young() -> int:
        return int(gc.get_stats()[0]["collections"])

    with quiet_collector():
        before = young()
        for turn in range(2 * EVERY):
            collect_sometimes(turn)
        after = young()

    assert after - before == 2
