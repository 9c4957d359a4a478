"""Patience with a vendor that throttles or is down; the only place that repeats requests."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

import tenacity
from tenacity.wait import wait_exponential_jitter

from crmtrail.config import RetryConfig
from crmtrail.errors import RetryLater, Throttled, Unavailable
from crmtrail.model import Answer, Identity, Mode, Page, Reading, Removal, Schema, Usage, Write
from crmtrail.ports import Connector

T = TypeVar("T")


class Retrying:
    """Repeats what may be repeated; see `crmtrail.ports.Connector`.

    Repeated are Throttled and Unavailable. For a write both mean that nothing was sent; a write
    that may have landed is Ambiguous, and that is never repeated here, nor are a spent budget or a
    lost cursor. A pause the vendor asks for is kept to the second; one longer than ``longest_wait``
    is not waited for but raised, so that the scheduler can turn to other work.
    """

    def __init__(
        self,
        connector: Connector,
        retry: RetryConfig,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inner = connector
        self.source = connector.source
        self.read_batch = connector.read_batch
        self.write_batch = connector.write_batch
        self.bulk_batch = connector.bulk_batch
        self.undeletes = connector.undeletes
        self._longest = retry.longest_wait.total_seconds()
        self._backoff = wait_exponential_jitter(initial=1, max=self._longest, jitter=1)
        self._patience = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._is_bearable),
            wait=self._wait,
            stop=tenacity.stop_after_attempt(retry.attempts),
            sleep=sleep,
            reraise=True,
        )

    @property
    def calls(self) -> int:
        """How many API requests were sent so far, repeated ones included."""
        return self._inner.calls

    def identity(self) -> Identity:
        """Return whom the vendor takes us for."""
        return self._repeat(self._inner.identity)

    def objects(self, group: str = "") -> Sequence[str]:
        """Return the objects that this identity can sync, or those of a group."""
        return self._repeat(partial(self._inner.objects, group))

    def schema(self, object_: str) -> Schema:
        """Return the fields of one object as of now."""
        return self._repeat(partial(self._inner.schema, object_))

    def named(self, object_: str) -> str:
        """Return the one name under which an object is kept."""
        return self._repeat(partial(self._inner.named, object_))

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        """Return what this identity cannot see of some objects."""
        return self._repeat(partial(self._inner.missing, objects))

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of the first page of a run."""
        return self._inner.start(object_, position, mode)

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page."""
        return self._repeat(partial(self._inner.page, object_, cursor))

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        """Return records as they are now."""
        return self._repeat(partial(self._inner.read, object_, ids, trail=trail))

    def price(self, records: int) -> tuple[int, int]:
        """Return what so many records cost to read and to write, in requests."""
        return self._inner.price(records)

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Set field values; repeated only while nothing was sent."""
        return self._repeat(partial(self._inner.write, object_, writes))

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Take records out of the recycle bin; repeated only while nothing was sent."""
        return self._repeat(partial(self._inner.undelete, object_, writes))

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Make records anew; repeated only while nothing was sent."""
        return self._repeat(partial(self._inner.recreate, object_, writes))

    def recreated(
        self, object_: str, writes: Sequence[Write], since: datetime
    ) -> Mapping[str, str | None]:
        """Look for records made anew by requests of which the answer was lost."""
        return self._repeat(partial(self._inner.recreated, object_, writes, since))

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Move records to the recycle bin; repeated only while nothing was sent."""
        return self._repeat(partial(self._inner.remove, object_, writes))

    def usage(self) -> Usage:
        """Return the vendor's last word on our budget."""
        return self._inner.usage()

    def close(self) -> None:
        """Close connections."""
        self._inner.close()

    def _repeat(self, call: Callable[[], T]) -> T:
        return self._patience.copy()(call)

    def _is_bearable(self, error: BaseException) -> bool:
        if not isinstance(error, Throttled | Unavailable):
            return False
        return error.after is None or error.after <= self._longest

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, RetryLater) and error.after is not None:
            return error.after
        return min(self._backoff(state), self._longest)
