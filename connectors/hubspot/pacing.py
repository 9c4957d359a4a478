"""Keep requests under HubSpot's limits before HubSpot has to say so."""

import time
from collections import deque
from collections.abc import Callable

SEARCHES_PER_SECOND = 4
"""HubSpot allows 5 searches a second for the whole account; one is left to others."""

SHARE = 0.8
"""How much of the ten-second allowance of the headers is used."""


class Window:
    """At most ``most`` requests in any ``seconds``; ``most`` 0 means no limit is known."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.seconds = seconds
        self._sent: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Return how many seconds the next request has to wait, and count it."""
        while self._sent and self._sent[0] <= now - self.seconds:
            self._sent.popleft()
        pause = 0.0
        if self.most and len(self._sent) >= self.most:
            pause = self._sent[len(self._sent) - self.most] + self.seconds - now
        self._sent.append(now + pause)
        return pause


class Pacer:
    """Two windows: searches, which have a limit of their own, and everything else."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._searches = Window(SEARCHES_PER_SECOND, 1.0)
        self._others = Window(0, 10.0)

    def wait(self, *, search: bool) -> None:
        """Sleep until the next request may go out; at most one window long."""
        pause = (self._searches if search else self._others).wait(self._now())
        if pause > 0:
            self._sleep(pause)

    def learn(self, most: int, seconds: float) -> None:
        """Take over the allowance that the headers of an answer tell."""
        self._others.most = max(1, int(most * SHARE))
        self._others.seconds = seconds
