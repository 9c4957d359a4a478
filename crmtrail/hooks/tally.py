"""Counts of what came in, told in one log line a minute at most."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

import structlog

PERIOD: Final = 60.0
"""Seconds from the first event that is not told yet to the line that tells it."""

_ORDER: Final = (
    "requests", "taken", "polls", "unwatched", "unknown", "foreign", "forgotten", "unauthorised",
    "too_large", "malformed", "failed",
)  # fmt: skip
_BAD: Final = ("unauthorised", "too_large", "malformed", "failed", "foreign")


class Tally:
    """Counts of one source. Safe to share between threads; close it at the end.

    Args:
        source: the source's name.
        period: seconds between lines.
    """

    def __init__(self, source: str, period: float = PERIOD) -> None:
        self._source = source
        self._period = period
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._timer: threading.Timer | None = None
        self._closed = False

    def add(self, counts: Mapping[str, int]) -> None:
        """Count."""
        with self._lock:
            self._counts.update(counts)
            if self._timer is None and not self._closed:
                self._timer = threading.Timer(self._period, self.tell)
                self._timer.daemon = True
                self._timer.start()

    def tell(self) -> None:
        """Log what was counted since the last line."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            self._timer = None
        told = {name: counts[name] for name in _ORDER if counts[name]}
        if not told:
            return
        log = structlog.get_logger()
        say = log.warning if any(counts[name] for name in _BAD) else log.info
        say("webhooks", source=self._source, **told)

    def close(self) -> None:
        """Tell the rest, and wait for a line that is being told."""
        with self._lock:
            timer, self._closed = self._timer, True
        if timer is not None:
            timer.cancel()
            timer.join()
        self.tell()
