"""A worker of the product as a process of its own, for one change: sweeps and runs what is rung until the change rests.

`python -m tests.traffic.worker_process <change id> [<user id>]` exits 0 at rest, 1 after a minute; the user starts the
change first. Tests kill it at named points.
"""

from __future__ import annotations

import sys
import threading
import time

import django


def main(change_id: str, user_id: str = "") -> int:
    """Work until the change is in a state that nothing but a person moves."""
    django.setup()
    if user_id:
        _start(change_id, user_id)
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


def _start(change_id: str, user_id: str) -> None:
    """C12, as the person's request would."""
    from accounts.models import User  # noqa: PLC0415 - after setup
    from tests.people import as_actor  # noqa: PLC0415
    from traffic.models import Change  # noqa: PLC0415
    from traffic.services.apply import start_change  # noqa: PLC0415
    from traffic.types import Seen  # noqa: PLC0415

    change = Change.objects.select_related("current_plan").get(pk=change_id)
    digest = change.current_plan.digest if change.current_plan else ""
    start_change(actor=as_actor(User.objects.get(pk=user_id)), seen=Seen(change.pk, change.version, digest))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
