"""The ASGI application: streams of live data before Django; embedded, the worker and the watches beside it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.asgi import get_asgi_application

from meshui.bounds import bounded
from meshui.celery import STATEMENT_SECONDS as WORKER_STATEMENT_SECONDS
from meshui.lib.env import limit_statements
from meshui.lib.queue import EmbeddedWorker
from meshui.server import watchers

if TYPE_CHECKING:
    from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshui.settings")
STATEMENT_SECONDS = 10
django_application = get_asgi_application()

from meshui.ui.live import close_hub, hub, with_live  # noqa: E402 - it reads models, which are there from here on

# The worker of the embedded default lives in this process, and may ask the database for longer than a page.
limit_statements(settings.DATABASES["default"], STATEMENT_SECONDS if settings.BROKER_URL else WORKER_STATEMENT_SECONDS)


def with_lifespan(inner: ASGI3Application) -> ASGI3Application:
    """`inner`, and the embedded worker and watchers started and stopped with the server (when no broker is set)."""

    async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "lifespan":
            await inner(scope, receive, send)
            return
        beside = [] if settings.BROKER_URL else [EmbeddedWorker(), *watchers()]
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                for part in beside:
                    part.start()
                hub()  # it hears from now on, so that the first page is told what moved since it was drawn
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await close_hub()
                for part in beside:
                    part.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    return application


application = bounded(with_lifespan(with_live(cast("ASGI3Application", django_application))))
