"""Which broker this test process rings."""

from __future__ import annotations

from meshui.celery import app


def ring_by(url: str | None) -> None:
    """Celery of this process talks to `url` from now on; its pooled connections to another broker go."""
    app.conf.update(broker_url=url)
    app._after_fork()  # type: ignore[attr-defined]  # what a forked process does: pools begin anew
