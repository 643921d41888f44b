"""A client in the pod of a sidecar: its requests go through the real Envoy, and each answer says which pod gave it."""

from __future__ import annotations

import http.client
import math
import threading
from collections import Counter
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from lab.envoys import SERVED_BY
from lab.servers import LOCALHOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.live import LiveShop

HOST = "checkout.shop"
POINTS = 0.03
DEVIATIONS = 4.0
_PACE_SECONDS = 0.004  # and an answer takes a millisecond


def enough(share: float) -> int:
    """So many requests that POINTS are four standard deviations of a share of them."""
    return math.ceil(share * (1 - share) * (DEVIATIONS / POINTS) ** 2)


class Caller:
    """Asks checkout. `answered`: by workload, all that it was ever answered, and every answer was 200."""

    def __init__(self, shop: LiveShop) -> None:
        self.shop = shop
        self.answered: Counter[str] = Counter()
        self._lock = threading.Lock()

    def ask(self, count: int) -> Counter[str]:
        """`count` requests, one after the other: how many each workload answered."""
        with closing(self._connection()) as connection:
            return Counter(self._one(connection) for _ in range(count))

    def share_of_v2(self, expected: float) -> float:
        """Of as many requests as it takes to tell `expected` by POINTS."""
        count = enough(expected)
        return self.ask(count)["checkout-v2"] / count

    @contextmanager
    def keeps_asking(self) -> Iterator[None]:
        """About 200 requests a second while the block runs. Raises what went wrong."""
        ends, wrong = threading.Event(), list[BaseException]()

        def ask() -> None:
            try:
                with closing(self._connection()) as connection:
                    while not ends.wait(_PACE_SECONDS):
                        self._one(connection)
            except BaseException as error:  # noqa: BLE001 - for who waits
                wrong.append(error)

        thread = threading.Thread(target=ask, name="caller")
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()
        if wrong:
            raise wrong[0]

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(LOCALHOST, self.shop.caller.proxy_port, timeout=10)

    def _one(self, connection: http.client.HTTPConnection) -> str:
        connection.request("GET", "/", headers={"Host": HOST})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        workload = self.shop.workload(answer.headers[SERVED_BY])
        with self._lock:
            self.answered[workload] += 1
        return workload
