"""Shapes that several threads use for the first time at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-6)
from meshes.adapters.gateway_shapes import GatewayRoute
from meshui.lib.typed import converted, decoded, decoder_of

BODY = {
    "metadata": {"name": "checkout", "uid": "1"},
    "spec": {"parentRefs": [{"name": "checkout"}], "rules": [{"matches": [{}], "backendRefs": [{"name": "v1"}]}]},
}
WAYS = [
    lambda: converted(BODY, GatewayRoute).spec.parent_refs[0].name,
    lambda: decoded(TEXT, GatewayRoute).spec.parent_refs[0].name,
    lambda: decoder_of(GatewayRoute).decode(TEXT).spec.parent_refs[0].name,
]
import json
TEXT = json.dumps(BODY)
gate, told = threading.Barrier(9), []

def run(way):
    gate.wait()
    told.append(way())

threads = [threading.Thread(target=run, args=(WAYS[number % 3],)) for number in range(9)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(told == ["checkout"] * 9)
"""


@pytest.mark.walks
def test_typed__first_used_by_many_threads_at_once__all_are_told_and_nobody_dies() -> None:
    for _ in range(10):  # without turns nine of ten such processes end with a segmentation fault
        done = subprocess.run(
            [sys.executable, "-c", AT_ONCE], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
