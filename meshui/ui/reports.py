"""/csp-report/: what a browser blocked on one of our pages becomes one line of the log, so that somebody looks."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from meshui.ui.wording import visible

if TYPE_CHECKING:
    from django.http import HttpRequest

log = logging.getLogger(__name__)
MAX_BYTES: Final = 8 * 1024
PER_MINUTE: Final = 30
LONGEST: Final = 200
TYPES: Final = ("application/csp-report", "application/json")
FIELDS: Final = (
    "effective-directive",
    "violated-directive",
    "blocked-uri",
    "document-uri",
    "source-file",
    "line-number",
)


class Bell:
    """At most PER_MINUTE a minute, for the whole process: who sends more fills no log."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=PER_MINUTE)
        self._lock = threading.Lock()

    def may_ring(self) -> bool:
        """Whether this one is still within the minute's count; it is counted then."""
        with self._lock:
            moment = time.monotonic()
            if len(self._times) == PER_MINUTE and moment - self._times[0] < 60:
                return False
            self._times.append(moment)
            return True

    def forget(self) -> None:
        """For tests: nothing rang yet."""
        self._times.clear()


bell = Bell()


@method_decorator([csrf_exempt, login_not_required], name="dispatch")
class CspReportView(View):
    """POST /csp-report/: browsers send it without token, also where nobody is signed in. It changes no row."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """204; 413, 415 or 429 for what is not one small report now and then."""
        if request.content_type not in TYPES:
            return HttpResponse(status=415)
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
            return HttpResponse(status=413)
        if not bell.may_ring():
            return HttpResponse(status=429, headers={"Retry-After": "60"})
        if said := _said(request.body):
            log.warning("The content security policy stopped something: %s", said)
        return HttpResponse(status=204)


def _said(body: bytes) -> str:
    """The fields that say what and where, of foreign text: cut, without queries, on one line. Empty if it is none."""
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    report = whole.get("csp-report") if isinstance(whole, dict) else None
    if not isinstance(report, dict):
        return ""
    return " ".join(f"{name}={_shown(report[name])}" for name in FIELDS if isinstance(report.get(name), str | int))


def _shown(value: Any) -> str:
    text = str(value)[: 4 * LONGEST]
    try:
        text = urlsplit(text)._replace(query="", fragment="").geturl()  # a query may hold what somebody searched for
    except ValueError:
        text = "?"
    return visible(text)[:LONGEST].replace(" ", "_")
