"""HubSpot's request limits, in real time: they guard a server, not the world's calendar."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.refusal import rate_limited

_INTERVAL = 10.0


@dataclass(slots=True)
class Limits:
    """Counters of one account. ``None`` switches a limit off.

    ``burst`` counts requests of one token in ten seconds, ``search`` those of the account in one
    second, ``daily`` those of the account in a day of the world's clock.
    """

    burst: int | None = 190
    search: int | None = 5
    daily: int | None = 625_000
    monotonic: Callable[[], float] = time.monotonic
    used_today: int = 0
    _day: str = ""
    _bursts: dict[str, deque[float]] = field(default_factory=dict)
    _searches: deque[float] = field(default_factory=deque)

    def count(self, token: str, *, searching: bool, today: str) -> Reply | None:
        """Count one request and return the refusal if it is one too many."""
        if today != self._day:
            self._day, self.used_today = today, 0
        if self.daily is not None and self.used_today >= self.daily:
            return rate_limited("DAILY", {} if searching else self.headers(token))
        if searching:
            window, most, span, policy = self._searches, self.search, 1.0, "SECONDLY"
        else:
            window = self._bursts.setdefault(token, deque())
            most, span, policy = self.burst, _INTERVAL, "TEN_SECONDLY_ROLLING"
        self._slide(window, span)
        if most is not None and len(window) >= most:
            return rate_limited(policy, {} if searching else self.headers(token))
        window.append(self.monotonic())
        self.used_today += 1
        return None

    def _slide(self, window: deque[float], span: float) -> None:
        oldest = self.monotonic() - span
        while window and window[0] <= oldest:
            window.popleft()

    def headers(self, token: str) -> dict[str, str]:
        """Return the rate-limit headers of an answer; search answers carry none."""
        daily = 625_000 if self.daily is None else self.daily
        most = 190 if self.burst is None else self.burst
        used = 0 if self.burst is None else len(self._bursts.get(token, ()))
        return {
            "X-HubSpot-RateLimit-Daily": str(daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, daily - self.used_today)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(most),
            "X-HubSpot-RateLimit-Remaining": str(max(0, most - used)),
            "X-HubSpot-RateLimit-Secondly": str(most // 10),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(most // 10),
        }
