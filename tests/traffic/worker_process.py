"""A worker of the product as a process of its own, for one change: sweeps and runs what is rung until the change rests.

`python -m tests.traffic.worker_process <change id>` exits 0 at rest, 1 after a minute. Tests kill it at named points.
"""

from __future__ import annotations

import sys
import threading
import time

import django


def main(change_id: str) -> int:
    """Work until the change is in a state that nothing but a person moves."""
    django.setup()
    from meshui.lib.queue import drain, run_task  # noqa: PLC0415 - after setup
    from traffic.models import Change  # noqa: PLC0415
    from traffic.types import State  # noqa: PLC0415

    moving = {State.PLANNING, State.QUEUED, State.APPLYING, State.ROLLING_BACK}
    pause = threading.Event()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        run_task("traffic.tasks.sweep")
        drain()
        change = Change.objects.get(pk=change_id)
        if change.state not in moving and not (change.state == State.IN_REVIEW and change.current_plan_id is None):
            return 0
        pause.wait(0.1)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
