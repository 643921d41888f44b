"""One request and its answer over a connection, with the fault that waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.apiserver.connection import Manner
from playground.apiserver.messages import Response

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from playground.apiserver.connection import Connection
    from playground.apiserver.faults import Fault, Faults
    from playground.apiserver.messages import Request

    Respond = Callable[[Request], tuple[Response, str]]
    Remember = Callable[[Request, int, str], None]


class Exchange:
    """Answers requests by `respond` (the answer, and who asked), or as the faults will have it."""

    def __init__(self, faults: Faults, respond: Respond, remember: Remember, stopping: threading.Event) -> None:
        """Tell `remember` of each request before its answer is sent: status 0 if none is."""
        self._faults, self._respond, self._remember, self._stopping = faults, respond, remember, stopping

    def serve(self, connection: Connection, request: Request) -> bool:
        """Answer one request; tell whether the connection lives on."""
        fault = self._faults.take(request)
        kind = fault.kind if fault else ""
        if fault is not None and not self._before(fault, request):
            self._remember(request, 0, "")
            return False
        answered = (fault.response, "") if fault is not None and fault.response is not None else self._respond(request)
        response, user = answered
        self._remember(request, 0 if kind == "drop_reply" else response.status, user)
        if kind == "drop_reply":
            return False
        if request.method == "HEAD":
            response = Response(response.status, b"", response.content_type, response.headers)
        connection.write(response, self._manner(fault))
        return kind != "cut_body" and request.headers.get("connection", "").lower() != "close"

    def _before(self, fault: Fault, request: Request) -> bool:
        """Do what a fault does before the request is done; tell whether it is to be done at all."""
        if fault.kind == "black_hole":
            self._stopping.wait()
        if fault.kind == "delay":
            self._stopping.wait(fault.seconds)
        if fault.function is not None:
            fault.function(request)
        return fault.kind not in {"black_hole", "drop_request"}

    def _manner(self, fault: Fault | None) -> Manner:
        kind, pace = (fault.kind, fault.bytes_per_second) if fault else ("", 0)
        return Manner(kind == "cut_body", pace, self._stopping)
