"""Fair use of the vendor's API quota: a share is left to others, and restores come first."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from crmtrail.config import BudgetConfig
from crmtrail.errors import BudgetSpent
from crmtrail.model import (
    Answer,
    Identity,
    Mode,
    Page,
    Reading,
    Removal,
    Schema,
    Usage,
    Write,
    stamp,
)
from crmtrail.ports import Connector

Class: TypeAlias = Literal["restore", "poll", "reconcile", "backfill"]
"""What a call is for, in the order of their right to the quota."""

_STALE_SECONDS = 600.0
"""After so long the vendor's last word on the quota is worth one call to hear it again."""


class Take(Protocol):
    """The seam of scheduler/budget.py."""

    def __call__(self, source: str, class_: Class, n: int) -> float:
        """Take ``n`` calls and return 0, or return how many seconds to wait and ask again."""
        ...


class Budgeted:
    """Asks before each call; see `crmtrail.ports.Connector`.

    ``restoring`` connectors may go on into the share reserved for restores.
    """

    def __init__(
        self,
        connector: Connector,
        take: Take,
        budget: BudgetConfig,
        *,
        restoring: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = connector
        self.source = connector.source
        self.read_batch = connector.read_batch
        self.write_batch = connector.write_batch
        self.bulk_batch = connector.bulk_batch
        self.undeletes = connector.undeletes
        self._take = take
        self._restoring = restoring
        self._free = max(0, budget.leave_free - (budget.reserve_for_restores if restoring else 0))
        self._sleep = sleep
        self._monotonic = monotonic
        self._heard = monotonic()
        self._debt = 0
        self._classes: dict[str, Class] = {}

    @property
    def calls(self) -> int:
        """How many API requests were sent so far."""
        return self._inner.calls

    def identity(self) -> Identity:
        """Return whom the vendor takes us for."""
        with self._permit("poll"):
            return self._inner.identity()

    def objects(self, group: str = "") -> Sequence[str]:
        """Return the objects that this identity can sync, or those of a group."""
        with self._permit("poll"):
            return self._inner.objects(group)

    def schema(self, object_: str) -> Schema:
        """Return the fields of one object as of now."""
        with self._permit("poll"):
            return self._inner.schema(object_)

    def named(self, object_: str) -> str:
        """Return the one name under which an object is kept."""
        with self._permit("poll"):
            return self._inner.named(object_)

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        """Return what this identity cannot see of some objects."""
        with self._permit("poll"):
            return self._inner.missing(objects)

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of the first page of a run, and note what its pages are for."""
        if position is None or mode is Mode.FULL:
            self._classes[object_] = "backfill"
        else:
            self._classes[object_] = "reconcile" if mode is Mode.RECONCILE else "poll"
        return self._inner.start(object_, position, mode)

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page."""
        with self._permit(self._classes.get(object_, "poll")):
            return self._inner.page(object_, cursor)

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        """Return records as they are now."""
        with self._permit("poll"):
            return self._inner.read(object_, ids, trail=trail)

    def price(self, records: int) -> tuple[int, int]:
        """Return what so many records cost to read and to write, in requests."""
        return self._inner.price(records)

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Set field values."""
        with self._permit("restore"):
            return self._inner.write(object_, writes)

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Take records out of the recycle bin."""
        with self._permit("restore"):
            return self._inner.undelete(object_, writes)

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Make records anew."""
        with self._permit("restore"):
            return self._inner.recreate(object_, writes)

    def recreated(
        self, object_: str, writes: Sequence[Write], since: datetime
    ) -> Mapping[str, str | None]:
        """Look for records made anew by requests of which the answer was lost."""
        with self._permit("poll"):
            return self._inner.recreated(object_, writes, since)

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Move records to the recycle bin."""
        with self._permit("restore"):
            return self._inner.remove(object_, writes)

    def usage(self) -> Usage:
        """Return the vendor's last word on our budget."""
        return self._inner.usage()

    def close(self) -> None:
        """Close connections."""
        self._inner.close()

    @contextmanager
    def _permit(self, class_: Class) -> Iterator[None]:
        """Hold the call back until it is its turn; a call that cost more is settled next time."""
        self._refuse_if_spent()
        wanted: Class = "restore" if self._restoring else class_
        while (pause := self._take(self.source, wanted, 1 + self._debt)) > 0:
            self._sleep(pause)
        self._debt, before = 0, self._inner.calls
        try:
            yield
        finally:
            sent = self._inner.calls - before
            self._debt = max(0, sent - 1)
            if sent:
                self._heard = self._monotonic()

    def _refuse_if_spent(self) -> None:
        told = self._inner.usage()
        if told.used is None or not told.limit:
            return
        if told.used * 100 <= told.limit * (100 - self._free):
            return
        if self._monotonic() - self._heard > _STALE_SECONDS:
            return
        until = f" (it resets at {stamp(told.resets_at)})" if told.resets_at else ""
        raise BudgetSpent(
            f"{told.used} of {told.limit} API calls of {self.source} are used{until}; "
            f"{self._free} % are left free for others",
            hint="the run resumes where it stopped; budget.leave_free sets the share",
        )
