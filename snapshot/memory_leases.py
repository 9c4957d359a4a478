"""Leases in memory: the port's second implementation, for tests and rehearsals."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from crmtrail.model import Lease
from crmtrail.ports import Clock


def _runs(_holder: str) -> bool:
    return True


class MemoryLeases:
    """`crmtrail.ports.Leases` in memory.

    Args:
        clock: where the time comes from.
        alive: tells of a holder whether it still runs.
    """

    def __init__(self, clock: Clock, alive: Callable[[str], bool] = _runs) -> None:
        self._clock = clock
        self._alive = alive
        self._held: dict[tuple[str, str], Lease] = {}
        self._fences: dict[tuple[str, str], int] = {}

    def acquire(self, source: str, object_: str, holder: str, ttl: timedelta) -> Lease | None:
        """Take the lease if it is free, expired, or held by a dead process."""
        key = (source, object_)
        now = self._clock.now()
        held = self._held.get(key)
        if held is not None and held.expires_at >= now and self._alive(held.holder):
            return None
        fence = self._fences[key] = self.fence(*key) + 1
        lease = self._held[key] = Lease(source, object_, holder, fence, now + ttl)
        return lease

    def renew(self, lease: Lease, ttl: timedelta) -> Lease | None:
        """Extend a lease still ours; None where somebody took over or it was given back."""
        key = (lease.source, lease.object)
        if not self._is_held(lease):
            return None
        renewed = self._held[key] = replace(lease, expires_at=self._clock.now() + ttl)
        return renewed

    def release(self, lease: Lease) -> None:
        """Give a lease back, if it is still ours."""
        if self._is_held(lease):
            del self._held[lease.source, lease.object]

    def fence(self, source: str, object_: str) -> int:
        """Return the newest fence given out; 0 where there was none."""
        return self._fences.get((source, object_), 0)

    def held(self, source: str, object_: str) -> bool:
        """Return whether somebody who still runs holds a lease that has not run out."""
        found = self._held.get((source, object_))
        return (
            found is not None
            and found.expires_at >= self._clock.now()
            and self._alive(found.holder)
        )

    def _is_held(self, lease: Lease) -> bool:
        held = self._held.get((lease.source, lease.object))
        return held is not None and (held.fence, held.holder) == (lease.fence, lease.holder)
