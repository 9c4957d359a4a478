"""Keep requests under HubSpot's limits before HubSpot has to say so."""

import threading
import time
from collections import deque
from collections.abc import Callable

from crmtrail.auth_config import Auth
from crmtrail.sessions import Sessions

SEARCHES_PER_SECOND = 4
"""HubSpot allows 5 searches a second for the whole account; one is left to others."""

SHARE = 0.8
"""How much of the ten-second allowance of the headers is used."""

_BRAKE = 0.1
"""How much of the interval to wait where others have used up what we leave to them."""


class Window:
    """At most ``most`` requests in any ``seconds``; ``most`` 0 means no limit is known.

    Safe to share between threads.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._sent: deque[float] = deque()
        self._not_before = float("-inf")
        self._lock = threading.Lock()

    def wait(self, now: float) -> float:
        """Return how many seconds the next request has to wait, and count it."""
        with self._lock:
            while self._sent and self._sent[0] <= now - self._seconds:
                self._sent.popleft()
            at = max(now, self._not_before)
            if self._most and len(self._sent) >= self._most:
                at = max(at, self._sent[len(self._sent) - self._most] + self._seconds)
            self._sent.append(at)
            return at - now

    def resize(self, most: int, seconds: float) -> None:
        """Take over another allowance."""
        with self._lock:
            self._most, self._seconds = most, seconds

    def brake(self, until: float) -> None:
        """Let nothing go out before a moment."""
        with self._lock:
            self._not_before = max(self._not_before, until)


class Pacer:
    """Two windows: searches, which have a limit of their own, and everything else.

    Args:
        now: seconds of a clock that never goes back.
        sleep: waits so many seconds.
        searches: the searches of the whole account.
        others: the other requests of one app.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        *,
        searches: Window | None = None,
        others: Window | None = None,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._searches = searches or Window(SEARCHES_PER_SECOND, 1.0)
        self._others = others or Window(0, 10.0)

    def wait(self, *, search: bool) -> None:
        """Sleep until the next request may go out; at most one window long."""
        pause = (self._searches if search else self._others).wait(self._now())
        if pause > 0:
            self._sleep(pause)

    def learn(self, most: int, seconds: float, left: int | None = None) -> None:
        """Take over the allowance that the headers of an answer tell.

        Where less is ``left`` than we leave to others, somebody else uses the same app.
        """
        self._others.resize(max(1, int(most * SHARE)), seconds)
        if left is not None and left < most * (1 - SHARE):
            self._others.brake(self._now() + seconds * _BRAKE)


def pacer_for(source: str, base_url: str, auth: Auth, sessions: Sessions) -> Pacer:
    """Return a pacer whose windows are shared by all connectors with the same ``sessions``.

    Searches are counted for the account, so that those of both identities count together.
    """
    place = ("hubspot", source, base_url)
    searches = sessions.of((*place, "searches"), lambda: Window(SEARCHES_PER_SECOND, 1.0))
    others = sessions.of((*place, "calls", auth), lambda: Window(0, 10.0))
    return Pacer(searches=searches, others=others)
