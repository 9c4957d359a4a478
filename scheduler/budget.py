"""Who may call which CRM now: `take(source, class, n) -> seconds to wait`.

The vendors' burst limits are kept with sliding windows. Each class of work may fill its share of
a window only, and what a lower class uses counts against the higher ones but never the other way
round: so a first load cannot keep a restore waiting.

This is the embedded implementation, for one process. The day's quota is not counted here: the
vendor's own word on it rides on every answer and is heeded in `connectors.budget`.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pyrate_limiter import InMemoryBucket, MonotonicClock, Rate, RateItem

from crmtrail.errors import Mistake

SHARES: Mapping[str, float] = {"restore": 1.0, "poll": 0.9, "reconcile": 0.8, "backfill": 0.7}
"""How much of a window each class and those below it may fill, highest right first."""


@dataclass(frozen=True, slots=True)
class Burst:
    """At most ``calls`` within any ``seconds``."""

    calls: int
    seconds: float


class Milliseconds(Protocol):
    """A clock that counts milliseconds from any beginning."""

    def now(self) -> int:
        """Return the time."""
        ...


class Budget:
    """Grants calls to the sources of one process. Safe to share between threads.

    ``bursts`` gives the windows of each source; a source without any is never held back.
    """

    def __init__(
        self, bursts: Mapping[str, Sequence[Burst]], *, clock: Milliseconds | None = None
    ) -> None:
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._ladders = {source: _ladder(limits) for source, limits in bursts.items() if limits}

    def take(self, source: str, class_: str, n: int = 1) -> float:
        """Take ``n`` calls and return 0, or take none and return how many seconds to wait.

        More calls than a whole window holds are taken as a window full.

        Raises:
            Mistake: there is no such class.
        """
        if class_ not in SHARES:
            raise Mistake(f"no class of calls is named {class_!r}; known are {', '.join(SHARES)}")
        ladder = self._ladders.get(source, {})
        bound = [bucket for name, bucket in ladder.items() if SHARES[name] >= SHARES[class_]]
        with self._lock:
            now = self._clock.now()
            wait = max((_wait(bucket, now, n) for bucket in bound), default=0.0)
            if wait == 0:
                for bucket in bound:
                    bucket.put(_item(bucket, now, n))
        return wait


def _ladder(limits: Sequence[Burst]) -> dict[str, InMemoryBucket]:
    return {
        name: InMemoryBucket(
            [Rate(max(1, int(burst.calls * share)), int(burst.seconds * 1000)) for burst in limits]
        )
        for name, share in SHARES.items()
    }


def _item(bucket: InMemoryBucket, now: int, n: int) -> RateItem:
    return RateItem("call", now, weight=min(n, *(rate.limit for rate in bucket.rates)))


def _wait(bucket: InMemoryBucket, now: int, n: int) -> float:
    """Return seconds until ``n`` calls fit, after forgetting those that left every window."""
    bucket.leak(now)
    weight = _item(bucket, now, n).weight
    waits = [0]
    for rate in bucket.rates:
        blocking = bucket.peek(rate.limit - weight)
        if blocking is not None and blocking.timestamp >= now - rate.interval:
            waits.append(blocking.timestamp + rate.interval - now + 1)
    return max(waits) / 1000
